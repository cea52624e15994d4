"""All settings of all stages, typed and frozen.

A `Config` is read from a preset or a YAML file, changed by dotted options on the command line, and stored in every
model file. Defaults are the paper's (arXiv 2106.13419).
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import (
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

    minimum_seconds: float = 0.3  # shorter recordings are skipped
    max_unusable_fraction: float = 0.05  # prepare refuses more silent, clipped or broken recordings; raise to accept
    test_clips: int = 20  # the last by sorted file name
    validation_clips: int = 20  # the ones before them
    max_clips: int | None = None  # a random sample of so many; null for all, or as many as the recipe has

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

    noises: tuple[Noise, ...] = ("white",)  # one is drawn per crop: white, pink, brown, babble, recorded
    clean_fraction: float = 0.3  # of the crops get no noise, so that the basis also carries clean speech
    noise_sigma: float | None = 0.03125  # standard deviation, full scale 1; null draws the SNR instead
    snr: Span = (-6.0, 15.0)  # dB over the whole clip, drawn where noise_sigma is null
    level: Span | None = None  # dBFS RMS that clips are brought to, drawn; null leaves them as recorded
    recorded: str | None = None  # folder of sound files for the noise `recorded`

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

    steps: int = 300_000  # raise to continue a finished training
    batch_size: int = 8  # crops over all processes
    crop_samples: int = 20_000  # per crop; longer ones need more memory
    loss: Literal["si-snr", "pit-si-snr"] = "si-snr"  # of the speech, or of both sources in their best order
    max_si_snr: float | None = None  # dB a crop counts at most; keeps clean crops from dominating the gradient
    warmup_steps: int = 4_000  # of the Noam schedule
    decay_steps: int = 0  # last steps, over which the learning rate falls linearly to 0
    tightness_penalty: float = 0.0  # weight of a penalty on a basis far from a tight frame or with broad atoms
    validate_every: int = 3_000  # steps between validations, each followed by a checkpoint

    def __post_init__(self) -> None:
        require_minimum(1, "separator_training", self, "steps", "batch_size", "crop_samples", "validate_every")
        require_minimum(0, "separator_training", self, "warmup_steps", "decay_steps", "tightness_penalty")


@dataclass(frozen=True)
class StftLossConfig:
    """The multi-resolution STFT loss of stage 2, which is also its validation score."""

    resolutions: tuple[Resolution, ...] = ((2048, 240, 1200), (1024, 120, 600), (512, 50, 240))  # FFT, hop, window

    def __post_init__(self) -> None:
        require_resolutions("stft_loss", self.resolutions)


@dataclass(frozen=True)
class AugmentationConfig:
    """How stage 2 alters some of its crops, to cover more voices and levels than the corpus has."""

    fraction: float = 0.0  # of the crops that are altered
    rate: Span = (1.0, 1.0)  # playback speed; pitch and formants move with it
    level: Span = (0.0, 0.0)  # dB gain, limited by full scale
    blur: Span = (0.0, 0.0)  # standard deviation in bands and frames of a blur of the mel, as predicted mels have it

    def __post_init__(self) -> None:
        require_fraction("augmentation", self, "fraction")
        require_range("augmentation", self, "rate", "level", "blur")
        require(self.rate[0] > 0, f"augmentation.rate: {self.rate}; use factors above 0")
        require(self.blur[0] >= 0, f"augmentation.blur: {self.blur}; use deviations from 0 upward")


@dataclass(frozen=True)
class VocoderTrainingConfig:
    """Stage 2: regression on weights and spectra, then least-squares adversarial training."""

    steps: int = 815_000  # raise to continue a finished training
    adversarial_from: int = 100_000  # first step with discriminators and without the L1 of weights; steps for never
    batch_size: int = 32  # crops over all processes
    discriminator_batch_fraction: float = 1.0  # of the crops that discriminators see, rounded up; less is faster
    crop_frames: int = 140  # mel frames per crop; longer ones need more memory
    target: Literal["recording", "resynthesis"] = "recording"  # the reference uses stage 1's resynthesis
    learning_rate: float = 1e-4  # of the generator
    discriminator_learning_rate: float = 5e-5  # higher makes the discriminators dominate
    basis_learning_rate: float = 0.0  # above 0 fine-tunes the basis
    warmup_steps: int = 0  # first steps, over which the learning rates rise linearly
    decay_steps: int = 0  # last steps, over which the learning rates fall linearly to 0
    ema_decay: float = 0.999  # per step of the weight average that is saved; shorten for short trainings
    loss_weights: dict[str, float] = field(default_factory=lambda: dict(LOSS_WEIGHTS))  # 0 disables a loss
    validate_every: int = 5_000  # steps between validations, each followed by a checkpoint

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

    steps: int = 3_000  # fewer for little material
    adversarial_fraction: float = 0.1  # of the steps, the last ones, with the vocoder's discriminators if it has any
    batch_size: int = 16  # crops over all processes
    learning_rate: float = 5e-4  # lower keeps more of the vocoder as it was
    validate_every: int = 250  # steps between validations, each followed by a checkpoint; the best vocoder is kept

    def __post_init__(self) -> None:
        require_minimum(1, "fine_tuning", self, "steps", "batch_size", "validate_every")
        require_minimum(0, "fine_tuning", self, "learning_rate")
        require_fraction("fine_tuning", self, "adversarial_fraction")


@dataclass(frozen=True)
class TrainerConfig:
    """Devices, precision and data loading of a training."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"  # name one to override the best that is there
    devices: int = 1  # processes on this machine; batches are divided among them
    nodes: int = 1  # machines
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: bf16 where the machine computes it natively
    compile: bool = False  # compile the separator: a minute to start, then 2 to 4 times as fast on a CPU
    workers: int = 1  # data-loading processes per training process

    def __post_init__(self) -> None:
        require_minimum(1, "trainer", self, "devices", "nodes")
        require_minimum(0, "trainer", self, "workers")


@dataclass(frozen=True)
class Config:
    """All settings of all stages."""

    frames: FrameGeometry = field(default_factory=FrameGeometry)
    mel: MelConfigName = "paper"  # mel config of the vocoder's input
    seed: int = 1  # of weights, crops and noise; change it to repeat a training with other random numbers
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
