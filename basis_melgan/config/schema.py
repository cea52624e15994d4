"""All settings of all stages, typed and frozen, each annotated with its help text.

A `Config` is read from a preset or a YAML file, changed by dotted options on the command line, and stored in every
model file. Defaults are the paper's (arXiv 2106.13419).
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import (
    RESOLUTIONS,
    DiscriminatorConfig,
    GeneratorConfig,
    MelGANConfig,
    Resolution,
    SeparatorConfig,
    require_resolutions,
)
from basis_melgan.config.validation import require, require_fraction, require_minimum, require_range

MelConfigName = Literal["paper", "hifigan", "bigvgan", "vocos"]
Noise = Literal["white", "pink", "brown", "babble", "recorded"]
Span = tuple[float, float]  # lowest and highest
Split = Literal["train", "validation", "test"]
BackendName = Literal["onnx", "openvino", "torch"]  # what runs a vocoder

LOSS_WEIGHTS = {
    "weights/l1": 1.0,
    "stft/convergence": 1.0,
    "stft/log_magnitude": 1.0,
    "mel/l1": 0.0,  # not the paper's
    "adversarial/wave": 2.0,
    "adversarial/stft": 2.0,
    "adversarial/period": 0.0,  # this one and the following are not the paper's
    "features/l1": 0.0,
    "pairs/log_amplitude": 0.0,
    "pairs/phase": 0.0,
}


@dataclass(frozen=True)
class CorpusConfig:
    """Which recordings become a prepared corpus, and its splits."""

    minimum_seconds: Annotated[float, "seconds; shorter recordings are skipped"] = 0.3
    max_unusable_fraction: Annotated[float, "more silent, clipped or broken recordings are an error"] = 0.05
    test_clips: Annotated[int, "test split: the last clips by file name"] = 20
    validation_clips: Annotated[int, "validation split: the clips before those of the test split"] = 20
    max_clips: Annotated[int | None, "size of a random sample; null for all, or as the recipe has it"] = None

    def __post_init__(self) -> None:
        require_minimum(0, "corpus", self, "minimum_seconds", "test_clips", "validation_clips")
        require(
            0.0 <= self.max_unusable_fraction < 1.0,
            f"corpus.max_unusable_fraction: {self.max_unusable_fraction}; use 0 or more, below 1",
        )
        require(
            self.max_clips is None or self.max_clips > 0, f"corpus.max_clips: {self.max_clips}; use 1 or more, or null"
        )


@dataclass(frozen=True)
class MixtureConfig:
    """How stage 1 mixes clean crops with noise as it reads them."""

    noises: Annotated[tuple[Noise, ...], "kinds of noise; each crop gets one at random"] = ("white",)
    clean_fraction: Annotated[float, "fraction of crops without noise, so that the basis fits clean speech too"] = 0.3
    noise_sigma: Annotated[float | None, "standard deviation, full scale 1; null draws the SNR instead"] = 0.03125
    snr: Annotated[Span, "dB over the whole clip, drawn if noise_sigma is null"] = (-6.0, 15.0)
    level: Annotated[Span | None, "dBFS RMS to scale clips to, drawn; null leaves them as recorded"] = None
    recorded: Annotated[str | None, "folder of sound files for noise of kind recorded"] = None

    def __post_init__(self) -> None:
        require(len(self.noises) > 0, "mixture.noises: empty; name at least one kind of noise")
        require_fraction("mixture", self, "clean_fraction")
        require_range("mixture", self, "snr", "level")
        require(
            self.noise_sigma is None or self.noise_sigma >= 0,
            f"mixture.noise_sigma: {self.noise_sigma}; use 0 or more, or null",
        )
        require(
            ("recorded" in self.noises) == (self.recorded is not None),
            "mixture.recorded: give a folder of sound files exactly when mixture.noises names `recorded`",
        )


@dataclass(frozen=True)
class SeparatorTrainingConfig:
    """Stage 1: RAdam with the Noam schedule, N^-0.5 · min(step^-0.5, step · warmup_steps^-1.5)."""

    steps: Annotated[int, "raise to continue a finished training"] = 300_000
    batch_size: Annotated[int, "crops over all processes"] = 8
    crop_samples: Annotated[int, "samples per crop; longer crops need more memory"] = 20_000
    loss: Annotated[Literal["si-snr", "pit-si-snr"], "of the speech, or of both sources in their best order"] = "si-snr"
    max_si_snr: Annotated[float | None, "dB, limit per crop; keeps clean crops from dominating the gradient"] = None
    warmup_steps: Annotated[int, "steps, over which the learning rate rises linearly"] = 4_000
    decay_steps: Annotated[int, "last steps, over which the learning rate falls linearly to 0"] = 0
    tightness_penalty: Annotated[float, "weight of a penalty on distance from a tight frame and on broad atoms"] = 0.0
    validate_every: Annotated[int, "steps between validations and checkpoints"] = 3_000

    def __post_init__(self) -> None:
        require_minimum(1, "separator_training", self, "steps", "batch_size", "crop_samples", "validate_every")
        require_minimum(0, "separator_training", self, "warmup_steps", "decay_steps", "tightness_penalty")


@dataclass(frozen=True)
class StftLossConfig:
    """The multi-resolution STFT loss of stage 2, which is also its validation score."""

    resolutions: Annotated[tuple[Resolution, ...], "samples of FFT, hop and window of each STFT"] = RESOLUTIONS

    def __post_init__(self) -> None:
        require_resolutions("stft_loss", self.resolutions)


@dataclass(frozen=True)
class AugmentationConfig:
    """How stage 2 alters some of its crops, to cover more voices and levels than the corpus has."""

    fraction: Annotated[float, "fraction of crops that are changed"] = 0.0
    rate: Annotated[Span, "playback speed; pitch and formants move with it"] = (1.0, 1.0)
    level: Annotated[Span, "gain in dB, limited by full scale"] = (0.0, 0.0)
    blur: Annotated[Span, "standard deviation of a blur of the mel, bands and frames"] = (0.0, 0.0)

    def __post_init__(self) -> None:
        require_fraction("augmentation", self, "fraction")
        require_range("augmentation", self, "rate", "level", "blur")
        require(self.rate[0] > 0, f"augmentation.rate: {self.rate}; use factors above 0")
        require(self.blur[0] >= 0, f"augmentation.blur: {self.blur}; use deviations from 0 upward")


@dataclass(frozen=True)
class VocoderTrainingConfig:
    """Stage 2: regression on weights and spectra, then least-squares adversarial training."""

    steps: Annotated[int, "raise to continue a finished training"] = 815_000
    adversarial_from: Annotated[int, "first step with discriminators, without weights/l1"] = 100_000
    batch_size: Annotated[int, "crops over all processes"] = 32
    discriminator_batch_fraction: Annotated[float, "of each batch that discriminators see; less is faster"] = 1.0
    crop_frames: Annotated[int, "mel frames per crop; longer crops need more memory"] = 140
    target: Annotated[Literal["recording", "resynthesis"], "target wave; the paper's code has the resynthesis"] = (
        "recording"
    )
    learning_rate: Annotated[float, "of the generator"] = 1e-4
    discriminator_learning_rate: Annotated[float, "of the discriminators; too high and they dominate"] = 5e-5
    basis_learning_rate: Annotated[float, "of the basis; 0 freezes it"] = 0.0
    warmup_steps: Annotated[int, "first steps, over which the learning rates rise linearly"] = 0
    decay_steps: Annotated[int, "last steps, over which the learning rates fall linearly to 0"] = 0
    ema_decay: Annotated[float, "per step, of the weight average that is saved; lower it for short trainings"] = 0.999
    loss_weights: Annotated[dict[str, float], "weight of each loss; 0 disables it"] = field(
        default_factory=lambda: dict(LOSS_WEIGHTS)
    )
    validate_every: Annotated[int, "steps between validations and checkpoints"] = 5_000

    def __post_init__(self) -> None:
        require_minimum(1, "vocoder_training", self, "steps", "batch_size", "crop_frames", "validate_every")
        rates = ("learning_rate", "discriminator_learning_rate", "basis_learning_rate")
        require_minimum(0, "vocoder_training", self, "adversarial_from", "warmup_steps", "decay_steps", *rates)
        require_fraction("vocoder_training", self, "discriminator_batch_fraction", "ema_decay")
        require(
            self.discriminator_batch_fraction > 0,
            f"vocoder_training.discriminator_batch_fraction: {self.discriminator_batch_fraction}; use above 0",
        )
        require(self.ema_decay < 1, f"vocoder_training.ema_decay: {self.ema_decay}; use 0 or more, below 1")
        require(
            self.basis_learning_rate == 0 or self.learning_rate > 0,
            f"vocoder_training.basis_learning_rate: {self.basis_learning_rate} is scaled with a learning_rate of 0; "
            "use a learning_rate above 0",
        )
        unknown = sorted(self.loss_weights.keys() - LOSS_WEIGHTS.keys())
        require(
            not unknown, f"vocoder_training.loss_weights: {', '.join(unknown)} unknown; use {', '.join(LOSS_WEIGHTS)}"
        )
        for name, weight in self.loss_weights.items():
            require(weight >= 0, f"vocoder_training.loss_weights.{name}: {weight}; use 0 or more")
        # A loss that the mapping leaves out has weight 0.
        object.__setattr__(self, "loss_weights", dict.fromkeys(LOSS_WEIGHTS, 0.0) | self.loss_weights)

    @property
    def adversarial(self) -> bool:
        """Whether discriminators join before the steps end."""
        return self.adversarial_from < self.steps

    @property
    def needs_separator(self) -> bool:
        """Whether a loss compares with a separator's weights or resynthesis."""
        return self.loss_weights["weights/l1"] > 0 or self.target == "resynthesis"

    @property
    def needs_quadrature_atoms(self) -> bool:
        """Whether a loss compares with the weights of quadrature atoms."""
        return self.loss_weights["pairs/phase"] > 0 or self.loss_weights["pairs/log_amplitude"] > 0


@dataclass(frozen=True)
class FineTuningConfig:
    """Further training of a vocoder on one voice, with learning rates that fall to 0."""

    steps: Annotated[int, "fewer for small corpora"] = 3_000
    adversarial_fraction: Annotated[
        float, "fraction of steps, at the end, with the vocoder's discriminators if it has any"
    ] = 0.1
    batch_size: Annotated[int, "crops over all processes"] = 16
    learning_rate: Annotated[float, "lower keeps more of the original voice"] = 5e-4
    validate_every: Annotated[int, "steps between validations; the best vocoder is kept"] = 250

    def __post_init__(self) -> None:
        require_minimum(1, "fine_tuning", self, "steps", "batch_size", "validate_every")
        require_minimum(0, "fine_tuning", self, "learning_rate")
        require_fraction("fine_tuning", self, "adversarial_fraction")


@dataclass(frozen=True)
class TrainerConfig:
    """Devices, precision and data loading of a training."""

    accelerator: Annotated[Literal["auto", "cpu", "cuda", "mps"], "device; auto takes the best one"] = "auto"
    devices: Annotated[int, "processes on this machine, which share each batch"] = 1
    nodes: Annotated[int, "machines"] = 1
    precision: Annotated[Literal["auto", "fp32", "bf16"], "auto takes bf16 if the machine computes it natively"] = (
        "auto"
    )
    compile: Annotated[bool, "compile the separator: starts a minute later, runs 2 to 4 times as fast on a CPU"] = False
    workers: Annotated[int, "data-loading processes per training process"] = 1

    def __post_init__(self) -> None:
        require_minimum(1, "trainer", self, "devices", "nodes")
        require_minimum(0, "trainer", self, "workers")


@dataclass(frozen=True)
class Config:
    """All settings of all stages."""

    frames: FrameGeometry = field(default_factory=FrameGeometry)
    mel: Annotated[MelConfigName, "mel config of the vocoder's input"] = "paper"
    seed: Annotated[int, "of initial weights, crops and noise"] = 1
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    mixture: MixtureConfig = field(default_factory=MixtureConfig)
    separator: SeparatorConfig = field(default_factory=SeparatorConfig)
    separator_training: SeparatorTrainingConfig = field(default_factory=SeparatorTrainingConfig)
    generator: GeneratorConfig = field(default_factory=MelGANConfig)
    discriminators: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    stft_loss: StftLossConfig = field(default_factory=StftLossConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    vocoder_training: VocoderTrainingConfig = field(default_factory=VocoderTrainingConfig)
    fine_tuning: FineTuningConfig = field(default_factory=FineTuningConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)

    def __post_init__(self) -> None:
        require(self.seed >= 0, f"seed: {self.seed}; use 0 or more")
        if self.vocoder_training.adversarial:
            self._require_discriminators()

    def _require_discriminators(self) -> None:
        """Require crops that the discriminators can read, and a discriminator for every adversarial loss."""
        training = self.vocoder_training
        crop_samples, min_samples = self.frames.samples(training.crop_frames), self.discriminators.min_samples
        require(
            crop_samples >= min_samples,
            f"vocoder_training.crop_frames: {training.crop_frames} mel frames are {crop_samples} samples; the "
            f"discriminators need {min_samples}",
        )
        for name, setting in (("adversarial/wave", "scales"), ("adversarial/period", "periods")):
            weight = training.loss_weights[name]
            require(
                weight == 0 or bool(getattr(self.discriminators, setting)),
                f"vocoder_training.loss_weights.{name}: {weight}, but there is no such discriminator; set the weight "
                f"to 0, or set discriminators.{setting}",
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionaries, as model files store them."""
        return dataclasses.asdict(self)
