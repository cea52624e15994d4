"""Stage 1: train a separator, Conv-TasNet or TasNet, to denoise speech, and the basis with it."""

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
from basis_melgan.corpus.datasets import MixtureCrops, validation_excerpts
from basis_melgan.corpus.noise import white_noise
from basis_melgan.models import model_file
from basis_melgan.models.tasnet import SOURCES, Separator
from basis_melgan.training import losses, schedule
from basis_melgan.training.run import Run
from basis_melgan.training.trainer import MAX_GRADIENT_NORM, build_fabric, compile_forward, fit, require_finite

SECTIONS = ("frames", "seed", "mixture", "separator", "separator_training")
VALIDATION_SNR = -4.0  # dB; the paper's fixed noise level over BiaoBei
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
    training = config.separator_training
    fabric = build_fabric(config.trainer, config.seed)
    task = SeparatorTask(corpora, run, fabric)
    if note := schedule.short_training_note(training.steps, training.warmup_steps, training.decay_steps):
        fabric.print(note)
    fit(task, fabric, config.trainer, run, force)
    fabric.print(f"separator: {task.path}")


class SeparatorTask:
    """Training steps and validation of stage 1."""

    def __init__(self, corpora: tuple[manifest.Corpus, ...], run: Run, fabric: Fabric) -> None:
        training = run.config.separator_training
        self.run, self.fabric, self.training = run, fabric, training
        self.steps, self.batch_size = training.steps, training.batch_size
        self.ramp_speed = schedule.ramp_speed(training.steps, training.warmup_steps, training.decay_steps)
        self.validate_every = training.validate_every
        self.dataset = MixtureCrops(manifest.load_clips(corpora, "train"), run.config)
        validation_clips = manifest.load_clips(corpora, "validation")
        self.validation = validation_excerpts(validation_clips, run.config.frames.sample_rate)
        self.separator = Separator(run.config.separator, run.config.frames)
        if run.config.trainer.compile:
            compile_forward(self.separator)
        optimizer = torch.optim.RAdam(self.separator.parameters(), lr=0.0)
        self.model, self.optimizer = fabric.setup(self.separator, optimizer)

    @property
    def path(self) -> Path:
        """Path of the separator's model file."""
        return self.run.folder / "separator.safetensors"

    @property
    def model_paths(self) -> tuple[Path, ...]:
        """The separator's model file."""
        return (self.path,)

    def model_step(self, step: int) -> int:
        """Step of the model that the run folder should contain after `step` steps: the latest."""
        return step

    def start(self, step: int, board: SummaryWriter | None) -> None:
        """Do nothing; the first step needs no preparation."""

    def state(self) -> dict[str, Any]:
        """Everything that training changes."""
        return {"model": self.model, "optimizer": self.optimizer}

    def learning_rate(self, step: int) -> float:
        """Noam schedule with a linear decay at the end."""
        training, width = self.training, self.run.config.separator.atoms
        noam = schedule.noam_factor(step, width, training.warmup_steps, self.ramp_speed)
        decay = schedule.trapezoid_factor(step, self.steps, 0, training.decay_steps, self.ramp_speed)
        return noam * decay

    def step(self, batch: Mapping[str, Any], step: int) -> dict[str, float]:
        """Take one step of RAdam on a batch of mixtures."""
        rate = self.learning_rate(step)
        schedule.set_learning_rate(self.optimizer, rate)
        self.model.train()
        step_losses = self._losses(batch["sources"])
        loss = torch.stack(list(step_losses.values())).sum()
        require_finite(step_losses, step, batch["id"])
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT_NORM)
        require_finite({"gradient norm": norm}, step, batch["id"])
        self.optimizer.step()
        rates = {"rate/learning": rate, "rate/gradient_norm": float(norm)}
        return {name: float(value.detach()) for name, value in step_losses.items()} | rates

    def _losses(self, sources: Tensor) -> dict[str, Tensor]:
        """Losses on mixtures of sources (B, C, T)."""
        training = self.training
        ceiling = math.inf if training.max_si_snr is None else training.max_si_snr
        estimates = self.model(sources.sum(dim=1)).waves
        step_losses = {f"loss/{training.loss}": LOSSES[training.loss](estimates, sources, ceiling)}
        if training.tightness_penalty > 0:
            penalty = losses.basis_tightness_penalty(self.separator.basis.atoms, self.run.config.frames.stride)
            step_losses["loss/tightness"] = training.tightness_penalty * penalty
        return step_losses

    @torch.no_grad()
    def validate(self, step: int, board: SummaryWriter) -> dict[str, float]:
        """Mean SI-SNR in dB of the speech estimate on noisy and clean validation clips; logs a clip and the basis."""
        self.separator.eval()
        scores, speech_index = [], self._output_order()[0]
        for index, (path, samples) in enumerate(self.validation):
            speech, mixture = self._validation_waves(index, path, samples)
            estimates = self.separator.forward(torch.stack([mixture, speech])).waves[:, speech_index]
            noisy, clean = losses.si_snr(estimates, speech).tolist()
            scores.append((noisy, noisy - float(losses.si_snr(mixture, speech)), clean))
            if index == 0:
                self._log_audio(board, step, speech, mixture, estimates)
        atoms = self.separator.basis.atoms.numpy(force=True)
        board.add_figure("basis", plotting.plot_basis(atoms, self.run.config.frames), step)
        names = ("si_snr_noisy", "si_snr_improvement", "si_snr_clean")
        return dict(zip(names, np.mean(scores, axis=0).tolist(), strict=True))

    def _log_audio(self, board: SummaryWriter, step: int, speech: Tensor, mixture: Tensor, estimates: Tensor) -> None:
        """Log a mixture (T,) and the estimates (2, T) from it and from clean speech (T,), at the speech's level."""
        rate = self.run.config.frames.sample_rate
        gains = (estimates @ speech) / (estimates.square().sum(dim=-1) + losses.EPSILON)
        board.add_audio("audio/mixture", mixture.clamp(-1, 1), step, rate)
        board.add_audio("audio/speech_from_mixture", (gains[0] * estimates[0]).clamp(-1, 1), step, rate)
        board.add_audio("audio/speech_from_clean", (gains[1] * estimates[1]).clamp(-1, 1), step, rate)

    def save_model(self, step: int) -> None:
        """Write the separator's model file, with its output scaled to the level of its input.

        SI-SNR does not determine the scale of an estimate. The basis is multiplied by the gain that fits clean speech
        best, so that weights resynthesize a recording at its own level.
        """
        self.separator.eval()
        order = self._output_order()
        basis = copy.deepcopy(self.separator.basis)
        basis.scale(self._clean_gain(order[0]))
        state = self.separator.state_dict() | {f"basis.{name}": value for name, value in basis.state_dict().items()}
        for name in [name for name in state if name.startswith("masker.masks.")]:
            state[name] = state[name].unflatten(0, (len(order), -1))[order].flatten(0, 1)
        model_file.save(self.path, "separator", state, self.run.config, self.run.origin(step))

    @torch.no_grad()
    def _output_order(self) -> list[int]:
        """Indices of the outputs, speech first.

        The loss fixes the order, except for the permutation-invariant one: there the output with the highest SI-SNR to
        the speech of validation mixtures comes first.
        """
        if self.training.loss != "pit-si-snr":
            return list(range(SOURCES))
        similarity = torch.zeros(SOURCES, device=self.fabric.device)
        for index, (path, samples) in enumerate(self.validation):
            speech, mixture = self._validation_waves(index, path, samples)
            similarity += losses.si_snr(self.separator.forward(mixture[None]).waves[0], speech)
        return similarity.argsort(descending=True).tolist()

    @torch.no_grad()
    def _clean_gain(self, output: int) -> float:
        """Least-squares gain from an output to the clean validation clips it is computed from; 1 if one is silent."""
        product, energy = 0.0, 0.0
        for index, (path, samples) in enumerate(self.validation):
            speech, _ = self._validation_waves(index, path, samples)
            estimate = self.separator.forward(speech[None]).waves[0, output]
            product += float(estimate @ speech)
            energy += float(estimate @ estimate)
        return product / energy if product else 1.0

    def _validation_waves(self, index: int, path: Path, samples: int) -> tuple[Tensor, Tensor]:
        """Speech (T,) of a clip and its mixture (T,) with white noise, which is the same in every validation."""
        speech = files.read(path, 0, samples)[0]
        noise = white_noise(np.random.default_rng(index), speech, VALIDATION_SNR)
        waves = torch.from_numpy(np.stack([speech, speech + noise])).to(self.fabric.device)
        return waves[0], waves[1]
