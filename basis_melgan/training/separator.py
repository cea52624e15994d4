"""Stage 1: train a Conv-TasNet to denoise speech, and with it the basis."""

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

from basis_melgan import plotting
from basis_melgan.audio import files
from basis_melgan.config.schema import Config
from basis_melgan.corpus import manifest
from basis_melgan.corpus.datasets import MixtureCrops, excerpts
from basis_melgan.corpus.noise import white_over
from basis_melgan.models import model_file
from basis_melgan.models.tasnet import SOURCES, Separator
from basis_melgan.training import losses, schedule
from basis_melgan.training.run import Run
from basis_melgan.training.trainer import MAX_GRADIENT_NORM, build_fabric, fit, fuse, require_finite

SECTIONS = ("frames", "seed", "mixture", "separator", "separator_training")
VALIDATION_SNR = -4.0  # dB, where the paper's fixed noise puts BiaoBei
LOSSES = {"si-snr": losses.speech_si_snr_loss, "pit-si-snr": losses.permutation_invariant_si_snr_loss}


def train(corpus: Path, out: Path, config: Config, force: bool = False) -> None:
    """Train a separator on a prepared corpus; writes ``separator.safetensors`` into the run folder `out`.

    Raises:
        CorpusError: the corpus is missing, empty, or of another sample rate.
        TrainingError: a checkpoint cannot be resumed, or a loss is NaN or infinite.
    """
    corpora = manifest.load(corpus)
    manifest.require_rate(corpora, config.frames.sample_rate)
    run = Run(out, config, SECTIONS, manifest.data_hash(corpora), {"split": manifest.split_hash(corpora)})
    fabric = build_fabric(config.trainer, config.seed)
    task = SeparatorTask(corpora, run, fabric)
    schedule.announce(fabric, config.separator_training)
    fit(task, fabric, config.trainer, run, force)
    fabric.print(f"separator: {task.path}")


class SeparatorTask:
    """What one step of stage 1 is."""

    def __init__(self, corpora: tuple[manifest.Corpus, ...], run: Run, fabric: Fabric) -> None:
        training = run.config.separator_training
        self.run, self.engine, self.training = run, fabric, training
        self.steps, self.batch = training.steps, training.batch_size
        self.pace = schedule.pace(training.steps, training.warmup_steps, training.decay_steps)
        self.validate_every = training.validate_every
        self.dataset = MixtureCrops(manifest.load_clips(corpora, "train"), run.config)
        validation = manifest.load_clips(corpora, "validation")
        self.validation = excerpts(validation, run.config.frames.sample_rate)
        self.separator = Separator(run.config.separator, run.config.frames)
        if run.config.trainer.compile:
            fuse(self.separator)
        optimizer = torch.optim.RAdam(self.separator.parameters(), lr=0.0)
        self.model, self.optimizer = fabric.setup(self.separator, optimizer)

    def released_step(self, step: int) -> int:
        """After which step the separator was released that stands in the run folder: always the last."""
        return step

    def begin(self, step: int, board: SummaryWriter | None) -> None:
        """Nothing is to be done before the first step."""

    def state(self) -> dict[str, Any]:
        """Everything that training changes."""
        return {"model": self.model, "optimizer": self.optimizer}

    def step(self, batch: Mapping[str, Any], step: int) -> dict[str, float]:
        """One step of RAdam on a batch of mixtures."""
        training = self.training
        noam = schedule.noam(step, self.run.config.separator.atoms, training.warmup_steps, self.pace)
        rate = noam * schedule.trapezoid(step, self.steps, 0, training.decay_steps, self.pace)
        schedule.set_rate(self.optimizer, rate)
        self.model.train()
        sources: Tensor = batch["sources"]
        ceiling = math.inf if training.max_si_snr is None else training.max_si_snr
        found = {f"loss/{training.loss}": LOSSES[training.loss](self.model(sources.sum(dim=1)).waves, sources, ceiling)}
        if training.tightness_penalty > 0:
            basis = self.separator.basis
            found["loss/spread"] = training.tightness_penalty * losses.basis_spread(
                basis.atoms, self.run.config.frames.stride
            )
        loss = torch.stack(list(found.values())).sum()
        require_finite(found, step, batch["id"])
        self.optimizer.zero_grad()
        self.engine.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        require_finite({"gradient norm": norm}, step, batch["id"])
        self.optimizer.step()
        rates = {"rate/learning": rate, "rate/gradient_norm": float(norm)}
        return {name: float(value.detach()) for name, value in found.items()} | rates

    @torch.no_grad()
    def validate(self, step: int, board: SummaryWriter) -> dict[str, float]:
        """SI-SNR of the speech estimate from noisy and from clean validation clips, one clip to hear, and the basis."""
        self.separator.eval()
        scores, speech_of = [], self._order()[0]
        for index, (path, samples) in enumerate(self.validation):
            speech, mixture = self._validation_pair(index, path, samples)
            estimates = self.separator.forward(torch.stack([mixture, speech])).waves[:, speech_of]
            noisy, clean = losses.si_snr(estimates, speech).tolist()
            scores.append((noisy, noisy - float(losses.si_snr(mixture, speech)), clean))
            if index == 0:
                rate = self.run.config.frames.sample_rate
                board.add_audio("audio/mixture", mixture.clamp(-1, 1), step, rate)
                gains = (estimates @ speech) / (estimates.square().sum(dim=-1) + losses.EPSILON)
                board.add_audio("audio/speech_from_mixture", (gains[0] * estimates[0]).clamp(-1, 1), step, rate)
                board.add_audio("audio/speech_from_clean", (gains[1] * estimates[1]).clamp(-1, 1), step, rate)
        board.add_figure(
            "basis", plotting.basis(self.separator.basis.atoms.numpy(force=True), self.run.config.frames), step
        )
        names = ("si_snr_noisy", "si_snr_improvement", "si_snr_clean")
        return dict(zip(names, np.mean(scores, axis=0).tolist(), strict=True))

    @property
    def path(self) -> Path:
        """Where the separator is released."""
        return self.run.folder / "separator.safetensors"

    @property
    def released(self) -> tuple[Path, ...]:
        """The separator."""
        return (self.path,)

    def release(self, step: int) -> None:
        """Write the separator, its scale made that of its input.

        SI-SNR leaves the scale of the estimate open. Here the gain that best fits clean speech goes into the basis, so
        that weights re-synthesize a recording at its own level.
        """
        self.separator.eval()
        order = self._order()
        basis = copy.deepcopy(self.separator.basis)
        basis.scale(self._clean_gain(order[0]))
        state = self.separator.state_dict() | {f"basis.{name}": value for name, value in basis.state_dict().items()}
        for name in (name for name in state if name.startswith("masker.masks.")):
            state[name] = state[name].unflatten(0, (len(order), -1))[order].flatten(0, 1)
        model_file.save(self.path, "separator", state, self.run.config, self.run.origin(step))

    @torch.no_grad()
    def _order(self) -> list[int]:
        """Outputs, speech before noise: as they are, unless the loss leaves open which of them is which.

        Then that is speech which is nearer to it on validation mixtures.
        """
        if self.training.loss != "pit-si-snr":
            return list(range(SOURCES))
        nearness = torch.zeros(SOURCES, device=self.engine.device)
        for index, (path, samples) in enumerate(self.validation):
            speech, mixture = self._validation_pair(index, path, samples)
            nearness += losses.si_snr(self.separator.forward(mixture[None]).waves[0], speech)
        return nearness.argsort(descending=True).tolist()

    @torch.no_grad()
    def _clean_gain(self, output: int) -> float:
        """Least-squares factor from an output, of clean validation clips, to the clips themselves.

        1 where either is silent, which leaves the scale open.
        """
        products, energies = 0.0, 0.0
        for index, (path, samples) in enumerate(self.validation):
            speech, _ = self._validation_pair(index, path, samples)
            estimate = self.separator.forward(speech[None]).waves[0, output]
            products += float(estimate @ speech)
            energies += float(estimate @ estimate)
        return products / energies if products else 1.0

    def _validation_pair(self, index: int, path: Path, samples: int) -> tuple[Tensor, Tensor]:
        """A clip's speech (T,) and its mixture (T,) with white noise, the same at every validation."""
        speech = files.read(path, 0, samples)[0]
        noise = white_over(np.random.default_rng(index), speech, VALIDATION_SNR)
        pair = torch.from_numpy(np.stack([speech, speech + noise])).to(self.engine.device)
        return pair[0], pair[1]
