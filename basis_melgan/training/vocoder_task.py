"""Training steps of stage 2: the generator's, and the discriminators' in the adversarial phase."""

import math
from collections.abc import Mapping, Sequence
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
from basis_melgan.corpus.datasets import Clips, SpeechCrops, validation_excerpts
from basis_melgan.models import model_file
from basis_melgan.models.bases.basis import SynthesisOutput
from basis_melgan.models.convnext import ConvNeXtGenerator
from basis_melgan.models.discriminators import Discriminators
from basis_melgan.models.tasnet import SPEECH, SeparationOutput, Separator
from basis_melgan.training import losses, schedule
from basis_melgan.training.optimizers import discriminator_optimizer, exponential_average, generator_optimizers
from basis_melgan.training.run import Run
from basis_melgan.training.spectra import Spectra
from basis_melgan.training.trainer import MAX_GRADIENT_NORM, compile_forward, require_finite
from basis_melgan.training.validation_scores import ValidationScores, clip_scores, mean_scores, validation_metrics

MODEL_NAME = "vocoder.safetensors"  # in the run folder
MIN_ENERGY = 1e-10  # added to energies before their ratio


class VocoderTask:
    """Training steps and validation of stage 2."""

    def __init__(
        self,
        dataset: SpeechCrops,
        validation_clips: Clips,
        teacher: Separator | None,
        generator: model_file.AnyGenerator,
        run: Run,
        fabric: Fabric,
        validation_scores: ValidationScores | None = None,
    ) -> None:
        """Set up models and optimizers.

        Args:
            dataset: training crops.
            validation_clips: clips to validate on.
            teacher: separator that computes weight targets and resynthesized waves, if the losses use any.
            generator: model to train.
            run: run folder and configuration.
            fabric: devices and precision.
            validation_scores: if given, validations compute metrics, and the model files are those of the best
                validation instead of the last step.
        """
        config, training = run.config, run.config.vocoder_training
        self.run, self.fabric, self.training, self.dataset = run, fabric, training, dataset
        self.steps, self.batch_size = training.steps, training.batch_size
        self.ramp_speed = schedule.ramp_speed(training.steps, training.warmup_steps, training.decay_steps)
        self.validate_every = training.validate_every
        self.validation = validation_excerpts(validation_clips, config.frames.sample_rate)
        self.validation_scores = validation_scores
        self.metrics = validation_metrics() if validation_scores else ()
        self.has_trained_discriminators = False  # before this training's first step
        self.teacher = fabric.to_device(teacher) if teacher is not None else None
        generator.basis.requires_grad_(training.basis_learning_rate > 0)
        self.average = AveragedModel(generator, multi_avg_fn=exponential_average(training.ema_decay))
        fabric.to_device(self.average)
        if config.trainer.compile and self.teacher is not None and training.needs_separator:
            compile_forward(self.teacher)
        self.generator, *self.optimizers = fabric.setup(generator, *generator_optimizers(generator, training))
        discriminators = Discriminators(config.discriminators)
        optimizer = discriminator_optimizer(discriminators.parameters())
        self.discriminators, self.discriminators_optimizer = fabric.setup(discriminators, optimizer)

    @property
    def path(self) -> Path:
        """Path of the vocoder's model file."""
        return self.run.folder / MODEL_NAME

    @property
    def model_paths(self) -> tuple[Path, ...]:
        """Model files of the vocoder and its discriminators."""
        return self.path, model_file.discriminators_of(self.path)

    def model_step(self, step: int) -> int:
        """Step of the model that the run folder should contain after `step` steps."""
        return step if self.validation_scores is None else self.validation_scores.best_step(step)

    def load_discriminators(self, state: Mapping[str, Tensor], path: Path) -> None:
        """Start from trained discriminators.

        Raises:
            ModelFileError: the weights from `path` do not fit.
        """
        with model_file.parameter_errors(path):
            self.discriminators.module.load_state_dict(state)
        self.has_trained_discriminators = True

    def start(self, step: int, board: SummaryWriter | None) -> None:
        """Score the initial model, or resume with the scores up to `step`."""
        if self.validation_scores is None or board is None:
            return
        self.validation_scores.truncate(step if step > 0 else -1)
        if step == 0:
            self.validate(step, board)
            self.save_model(step)

    def state(self) -> dict[str, Any]:
        """Everything that training changes."""
        optimizers = dict(zip(("optimizer", "muon"), self.optimizers, strict=False))  # some generators have no matrices
        return {
            "generator": self.generator,
            "average": self.average,
            "discriminators": self.discriminators,
            "discriminators_optimizer": self.discriminators_optimizer,
            **optimizers,
        }

    def step(self, batch: Mapping[str, Any], step: int) -> dict[str, float]:
        """Take one step of the generator and, in the adversarial phase, one of the discriminators."""
        training, ids = self.training, batch["id"]
        factor = schedule.trapezoid_factor(
            step, self.steps, training.warmup_steps, training.decay_steps, self.ramp_speed
        )
        is_adversarial = step >= training.adversarial_from
        output: SynthesisOutput = self.generator(batch["mel"])
        target = self._target(batch)
        step_losses = self._regression_losses(output, target)
        count = math.ceil(training.discriminator_batch_fraction * len(target))  # crops that the discriminators see
        if is_adversarial:
            real = self.discriminators(target[:count])
            step_losses |= self._adversarial_losses(output.wave[:count], real)
        elif training.loss_weights["weights/l1"] > 0:
            step_losses["weights/l1"] = F.l1_loss(output.weights, self._weight_targets(batch))
        require_finite(step_losses, step, ids)
        loss = losses.weighted_sum(step_losses, training.loss_weights)
        norm = self._update(loss, self.generator, self.optimizers, factor * training.learning_rate, step, ids)
        self.average.update_parameters(self.generator.module)
        if is_adversarial:
            fake = self.discriminators(output.wave[:count].detach())
            rate = factor * training.discriminator_learning_rate
            step_losses["loss/discriminators"] = self._update_discriminators(real, fake, rate, step, ids)
        step_losses["loss/total"] = loss
        rates = {"rate/learning": factor * training.learning_rate, "rate/gradient_norm": norm}
        return {name: float(value.detach()) for name, value in step_losses.items()} | rates

    def _regression_losses(self, output: SynthesisOutput, target: Tensor) -> dict[str, Tensor]:
        """Losses between the output and the target wave (B, T), by spectra and by weights of quadrature atoms."""
        config, training = self.run.config, self.training
        spectra, target_spectra = Spectra(output.wave), Spectra(target)
        step_losses = losses.stft_losses(spectra, target_spectra, config.stft_loss.resolutions)
        if training.loss_weights["mel/l1"] > 0:
            step_losses["mel/l1"] = losses.mel_loss(spectra, target_spectra, config.frames.sample_rate)
        if training.needs_quadrature_atoms:
            step_losses |= losses.quadrature_losses(output.weights, self._quadrature_targets(target))
        return step_losses

    def _adversarial_losses(self, wave: Tensor, real: Mapping[str, losses.FeatureMaps]) -> dict[str, Tensor]:
        """The generator's adversarial and feature losses on its wave (B, T); the discriminators get no gradient.

        `real`, their feature maps of the recordings, keeps its graph for the discriminators' own step.
        """
        self.discriminators.requires_grad_(False)
        with self.fabric.autocast():
            fake = self.discriminators.module(wave)
        self.discriminators.requires_grad_(True)
        step_losses = {f"adversarial/{kind}": losses.generator_adversarial_loss(maps) for kind, maps in fake.items()}
        if self.training.loss_weights["features/l1"] > 0:
            distances = [losses.feature_loss(real[kind], maps) for kind, maps in fake.items()]
            step_losses["features/l1"] = torch.stack(distances).mean()
        return step_losses

    def _update_discriminators(
        self,
        real: Mapping[str, losses.FeatureMaps],
        fake: Mapping[str, losses.FeatureMaps],
        rate: float,
        step: int,
        ids: Sequence[str],
    ) -> Tensor:
        """Take one step of the discriminators; returns their loss."""
        loss = torch.stack([losses.discriminator_loss(real[kind], fake[kind]) for kind in real]).mean()
        require_finite({"loss/discriminators": loss}, step, ids)
        self._update(loss, self.discriminators, [self.discriminators_optimizer], rate, step, ids)
        return loss

    def _update(
        self,
        loss: Tensor,
        model: nn.Module,
        optimizers: Sequence[Optimizer],
        rate: float,
        step: int,
        ids: Sequence[str],
    ) -> float:
        """Take one optimizer step at a learning rate; returns the gradient norm before clipping."""
        for optimizer in optimizers:
            optimizer.zero_grad()
        self.fabric.backward(loss)
        norm = nn.utils.clip_grad_norm_(model.parameters(), MAX_GRADIENT_NORM)
        require_finite({"gradient norm": norm}, step, ids)
        for optimizer in optimizers:
            schedule.set_learning_rate(optimizer, rate)
            optimizer.step()
        return float(norm)

    def _target(self, batch: Mapping[str, Any]) -> Tensor:
        """Target wave (B, T): the recording, or the separator's resynthesis if so configured."""
        wave: Tensor = batch["wave"]  # with stored weights, the dataset provides the configured target
        if self.training.target == "recording" or batch["weights"].numel():
            return wave
        return self._separate(wave).waves[:, SPEECH]

    def _weight_targets(self, batch: Mapping[str, Any]) -> Tensor:
        """Weight targets (B, N, K): stored ones, or the separator's on the crop alone.

        The separator was trained on crops of about this length, so it is accurate with the crop's own gLN statistics.
        """
        stored: Tensor = batch["weights"]
        if stored.numel():
            return stored
        return self._separate(batch["wave"]).weights[:, SPEECH, :, self.run.config.frames.leading_frames :]

    @torch.no_grad()
    def _quadrature_targets(self, target: Tensor) -> Tensor:
        """Weights (B, 2P, K) of the quadrature atoms that synthesize the target wave (B, T)."""
        return cast(ConvNeXtGenerator, self.generator.module).targets(target)

    @torch.no_grad()
    def _separate(self, wave: Tensor) -> SeparationOutput:
        """Output of the teacher for a wave (B, T)."""
        separated: SeparationOutput = cast(Separator, self.teacher)(wave)  # present whenever a loss uses it
        return separated

    @torch.no_grad()
    def validate(self, step: int, board: SummaryWriter) -> dict[str, float]:
        """Evaluate the averaged generator on the validation clips; logs audio and spectrograms of one of them.

        Returns:
            Means of the STFT losses; ``level``: energy of all outputs over that of the recordings, in dB; metric scores
            if the task has `validation_scores`.
        """
        config = self.run.config
        generator = self.average.module.eval()
        clip_losses, metric_scores, energy, target_energy = [], [], MIN_ENERGY, MIN_ENERGY
        for index, (path, samples) in enumerate(self.validation):
            recording, mel = self.dataset.mels.excerpt(path, 0, config.frames.mel_frames(samples))
            wave = generator(torch.from_numpy(mel)[None].to(self.fabric.device)).wave
            recording = recording[: wave.shape[-1]]  # a predicted mel may be one frame short
            target = torch.from_numpy(recording)[None].to(self.fabric.device)
            clip_losses.append(losses.stft_losses(Spectra(wave), Spectra(target), config.stft_loss.resolutions))
            energy += float(wave.square().sum())
            target_energy += float(target.square().sum())
            if self.metrics:
                estimate = files.quantize_pcm16(wave[0].float().numpy(force=True))
                metric_scores.append(clip_scores(self.metrics, recording, estimate, config.frames.sample_rate))
            if index == 0:
                self._log_clip(board, step, wave[0], target[0])
        means = mean_scores(metric_scores)
        if self.validation_scores is not None:
            self.validation_scores.add(step, means)
        distances = {name: float(np.mean([float(clip[name]) for clip in clip_losses])) for name in clip_losses[0]}
        return distances | {"level": 10.0 * math.log10(energy / target_energy)} | means

    def _log_clip(self, board: SummaryWriter, step: int, wave: Tensor, target: Tensor) -> None:
        """Log an output (T,) and its recording (T,) as audio and spectrograms."""
        frames = self.run.config.frames
        board.add_audio("audio/output", wave.clamp(-1, 1), step, frames.sample_rate)
        board.add_audio("audio/recording", target, step, frames.sample_rate)
        waves = {"output": wave.numpy(force=True), "recording": target.numpy(force=True)}
        board.add_figure("spectrograms", plotting.plot_spectrograms(waves, frames), step)

    def save_model(self, step: int) -> None:
        """Write the averaged generator, and the discriminators if they are trained, to the run folder.

        With `validation_scores`, only if this step is the best so far.
        """
        scores = self.validation_scores
        if scores is not None and step != scores.best_step(step) and self.path.is_file():
            return
        config, origin = self.run.config, self.run.origin(step)
        model_file.save(self.path, "vocoder", self.average.module.state_dict(), config, origin)
        if self.has_trained_discriminators or step > self.training.adversarial_from:
            path = model_file.discriminators_of(self.path)
            model_file.save(path, "discriminators", self.discriminators.module.state_dict(), config, origin)
