"""What one step of stage 2 is: the generator's, and the discriminators' once they judge."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel
from torch.utils.tensorboard import SummaryWriter

from basis_melgan import plotting
from basis_melgan.audio import files
from basis_melgan.config.schema import VocoderTrainingConfig
from basis_melgan.corpus.datasets import Clips, SpeechCrops, excerpts
from basis_melgan.models import model_file
from basis_melgan.models.bases.basis import SynthesisOutput
from basis_melgan.models.convnext import ConvNeXtGenerator
from basis_melgan.models.discriminators import Discriminators
from basis_melgan.models.tasnet import SPEECH, Separated, Separator
from basis_melgan.training import losses, schedule
from basis_melgan.training.muon import Muon
from basis_melgan.training.run import Run
from basis_melgan.training.spectra import Spectra
from basis_melgan.training.trainer import MAX_GRADIENT_NORM, fuse, require_finite
from basis_melgan.training.validation_scores import ValidationScores, clip_scores, mean_scores, scored_measures

EPSILON = 1e-10  # energy that every clip has
Tensors = tuple[Tensor, ...] | list[Tensor]


class VocoderTask:
    """What one step of stage 2 is."""

    def __init__(
        self,
        dataset: SpeechCrops,
        validation: Clips,
        teacher: Separator | None,
        generator: model_file.AnyGenerator,
        run: Run,
        fabric: Fabric,
        scores: ValidationScores | None = None,
    ) -> None:
        """Build the task.

        Args:
            dataset: crops to learn from.
            validation: clips to validate on.
            teacher: the separator whose weights are aimed at, where any are.
            generator: to be trained.
            run: its folder and configuration.
            fabric: devices and precision.
            scores: where validations are scored as `evaluate` does it; the best of them is released then, in place of
                the last.
        """
        config, training = run.config, run.config.vocoder_training
        self.run, self.engine, self.training, self.dataset = run, fabric, training, dataset
        self.steps, self.batch = training.steps, training.batch_size
        self.pace = schedule.pace(training.steps, training.warmup_steps, training.decay_steps)
        self.validate_every = training.validate_every
        self.validation = excerpts(validation, config.frames.sample_rate)
        self.scores, self.measures = scores, scored_measures() if scores else ()
        self.discriminators_have_learned = False  # before this training
        self.teacher = fabric.to_device(teacher) if teacher is not None else None
        generator.basis.requires_grad_(training.basis_learning_rate > 0)
        self.average = AveragedModel(generator, multi_avg_fn=_exponential_average(training.ema_decay))
        fabric.to_device(self.average)
        if config.trainer.compile and self.teacher is not None and training.needs_separator:
            fuse(self.teacher)
        self.generator, *self.optimizers = fabric.setup(generator, *_optimizers(generator, training))
        discriminators = Discriminators(config.discriminators)
        theirs = torch.optim.Adam(discriminators.parameters(), betas=(0.8, 0.99))
        self.discriminators, self.discriminators_optimizer = fabric.setup(discriminators, theirs)

    @property
    def path(self) -> Path:
        """Where the vocoder is released."""
        return self.run.folder / "vocoder.safetensors"

    @property
    def released(self) -> tuple[Path, ...]:
        """The vocoder, and its discriminators."""
        return self.path, model_file.discriminators_of(self.path)

    def released_step(self, step: int) -> int:
        """After which step the vocoder was released that stands in the run folder once `step` is done."""
        return step if self.scores is None else self.scores.best(step)

    def begin(self, step: int, board: SummaryWriter | None) -> None:
        """Score what the training begins with, or go on with the scores up to the step that it resumes from."""
        if self.scores is None or board is None:
            return
        self.scores.resume(step if step > 0 else -1)
        if step == 0:
            self.validate(step, board)
            self.release(step)

    def state(self) -> dict[str, Any]:
        """Everything that training changes."""
        return {
            "generator": self.generator,
            "average": self.average,
            "discriminators": self.discriminators,
            "discriminators_optimizer": self.discriminators_optimizer,
            **dict(zip(("optimizer", "muon"), self.optimizers, strict=False)),  # the second where there are matrices
        }

    def step(self, batch: Mapping[str, Any], step: int) -> dict[str, float]:
        """One step of the generator, and of the discriminators once the adversarial phase has begun."""
        training = self.training
        adversarial = step >= training.adversarial_from
        factor = schedule.trapezoid(step, self.steps, training.warmup_steps, training.decay_steps, self.pace)
        spoken: SynthesisOutput = self.generator(batch["mel"])
        target = self._target(batch)
        ours, theirs = Spectra(spoken.wave), Spectra(target)
        found = losses.stft_losses(ours, theirs, self.run.config.stft_loss.resolutions)
        if training.loss_weights["mel/l1"] > 0:
            found["mel/l1"] = losses.mel_loss(ours, theirs, self.run.config.frames.sample_rate)
        if training.needs_quadrature_atoms:
            found |= losses.pair_losses(spoken.weights, self._pair_targets(target))
        if adversarial:
            seen = math.ceil(training.discriminator_batch_fraction * len(target))
            real = self.discriminators(target[:seen])
            found |= self._adversarial_losses(spoken.wave[:seen], real)
        elif training.loss_weights["weights/l1"] > 0:
            found["weights/l1"] = F.l1_loss(spoken.weights, self._weight_targets(batch))
        require_finite(found, step, batch["id"])
        loss = losses.total(found, training.loss_weights)
        norm = self._descend(loss, self.generator, self.optimizers, factor * training.learning_rate, step, batch["id"])
        self.average.update_parameters(self.generator.module)
        if adversarial:
            made = self.discriminators(spoken.wave[:seen].detach())
            judged = torch.stack([losses.discriminator_loss(real[kind], made[kind]) for kind in real]).mean()
            require_finite({"loss/discriminators": judged}, step, batch["id"])
            rate = factor * training.discriminator_learning_rate
            self._descend(judged, self.discriminators, [self.discriminators_optimizer], rate, step, batch["id"])
            found["loss/discriminators"] = judged
        found["loss/total"] = loss
        rates = {"rate/learning": factor * training.learning_rate, "rate/gradient_norm": norm}
        return {name: float(value.detach()) for name, value in found.items()} | rates

    def _adversarial_losses(self, wave: Tensor, real: Mapping[str, losses.Judged]) -> dict[str, Tensor]:
        """How far the discriminators, held still, are from taking the wave (B, T) for the recording.

        `real`, what they see of it, keeps its graph: their own step goes back through it.
        """
        self.discriminators.requires_grad_(False)
        with self.engine.autocast():
            made = self.discriminators.module(wave)
        self.discriminators.requires_grad_(True)
        found = {f"adversarial/{kind}": losses.generator_adversarial_loss(maps) for kind, maps in made.items()}
        if self.training.loss_weights["features/l1"] > 0:
            matched = [losses.feature_loss(real[kind], maps) for kind, maps in made.items()]
            found["features/l1"] = torch.stack(matched).mean()
        return found

    def _descend(
        self,
        loss: Tensor,
        model: nn.Module,
        optimizers: Sequence[Optimizer],
        rate: float,
        step: int,
        ids: Sequence[str],
    ) -> float:
        """One step down the loss at a learning rate; returns the gradient's norm before clipping."""
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.engine.backward(loss)
        norm = nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
        require_finite({"gradient norm": norm}, step, ids)
        for optimizer in optimizers:
            schedule.set_rate(optimizer, rate)
            optimizer.step()
        return float(norm)

    def _target(self, batch: Mapping[str, Any]) -> Tensor:
        """The wave (B, T) to aim at: the recording, or the re-synthesis where the configuration says so."""
        wave: Tensor = batch["wave"]
        if self.training.target == "recording" or batch["weights"].numel():
            return wave
        return self._separated(wave).waves[:, SPEECH]

    def _weight_targets(self, batch: Mapping[str, Any]) -> Tensor:
        """Stored weights (B, N, K) of the crop, or the frozen separator's on the crop alone.

        The separator has learned on crops of about this length, so the crop's own gLN statistics are what it knows.
        """
        stored: Tensor = batch["weights"]
        if stored.numel():
            return stored
        return self._separated(batch["wave"]).weights[:, SPEECH, :, self.run.config.frames.lead :]

    @torch.no_grad()
    def _pair_targets(self, target: Tensor) -> Tensor:
        """Weights (B, 2P, K) of pairs that make the target wave (B, T)."""
        return cast(ConvNeXtGenerator, self.generator.module).targets(target)

    @torch.no_grad()
    def _separated(self, wave: Tensor) -> Separated:
        """A wave (B, T) taken apart by the separator, which is there wherever something is aimed at it."""
        separated: Separated = cast(Separator, self.teacher)(wave)
        return separated

    @torch.no_grad()
    def validate(self, step: int, board: SummaryWriter) -> dict[str, float]:
        """Multi-resolution STFT distance and level of the averaged generator on validation clips, one to hear and see.

        The level is that of all clips over their recordings', in dB. Where scores are kept, they are measured too.
        """
        config = self.run.config
        generator = self.average.module.eval()
        clips, scored, energy, target_energy = [], [], EPSILON, EPSILON
        for index, (path, samples) in enumerate(self.validation):
            recording, mel = self.dataset.mels.excerpt(path, 0, config.frames.mel_frames(samples))
            spoken = generator(torch.from_numpy(mel)[None].to(self.engine.device))
            recording = recording[: spoken.wave.shape[-1]]  # a predicted mel may be a frame short
            target = torch.from_numpy(recording)[None].to(self.engine.device)
            spectra, target_spectra = Spectra(spoken.wave), Spectra(target)
            clips.append(losses.stft_losses(spectra, target_spectra, config.stft_loss.resolutions))
            energy += float(spoken.wave.square().sum())
            target_energy += float(target.square().sum())
            if self.measures:
                estimate = files.rounded(spoken.wave[0].float().numpy(force=True))
                scored.append(clip_scores(self.measures, recording, estimate, config.frames.sample_rate))
            if index == 0:
                board.add_audio("audio/spoken", spoken.wave[0].clamp(-1, 1), step, config.frames.sample_rate)
                board.add_audio("audio/recording", target[0], step, config.frames.sample_rate)
                waves = {"spoken": spoken.wave[0].numpy(force=True), "recording": recording}
                board.add_figure("spectrograms", plotting.spectrograms(waves, config.frames), step)
        distances = {name: float(np.mean([float(clip[name]) for clip in clips])) for name in clips[0]}
        means = mean_scores(scored)
        if self.scores is not None:
            self.scores.add(step, means)
        return distances | {"level": 10.0 * math.log10(energy / target_energy)} | means

    def release(self, step: int) -> None:
        """Write the averaged generator as the run's vocoder, and beside it the discriminators that have learned.

        Where scores are kept, only if none before was better.
        """
        if self.scores is not None and step != self.scores.best(step) and self.path.is_file():
            return
        origin = self.run.origin(step)
        model_file.save(self.path, "vocoder", self.average.module.state_dict(), self.run.config, origin)
        if self.discriminators_have_learned or step > self.training.adversarial_from:
            beside = model_file.discriminators_of(self.path)
            model_file.save(beside, "discriminators", self.discriminators.module.state_dict(), self.run.config, origin)


def _optimizers(generator: model_file.AnyGenerator, training: VocoderTrainingConfig) -> list[Optimizer]:
    """Adam, and Muon for the generator's hidden matrices where it has any.

    The basis, where it is fine-tuned, learns at its own share of the learning rate.
    """
    basis = set(generator.basis.parameters())
    matrices = generator.muon_parameters()
    rest = [p for p in generator.parameters() if p not in basis.union(matrices)]
    groups: list[dict[str, Any]] = [{"params": rest}]
    if training.basis_learning_rate > 0:
        share = training.basis_learning_rate / training.learning_rate
        groups.append({"params": list(basis), "share": share})
    adam = torch.optim.Adam(groups, betas=(0.8, 0.99))
    return [adam, Muon(matrices)] if matrices else [adam]


def _exponential_average(limit: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """What moves an average of weights towards those of the next step, by `schedule.averaging_decay`."""

    def update(average: Tensors, weights: Tensors, updates: Tensor | int) -> None:
        torch._foreach_lerp_(average, weights, 1.0 - schedule.averaging_decay(int(updates), limit))

    return torch.no_grad()(update)
