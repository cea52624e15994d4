"""Every setting of every stage, typed and frozen.

A `Config` is read from a preset or a YAML file, changed by dotted overrides on the command line, and travels whole
inside every artifact. Units are in the comments; defaults are the paper's (arXiv 2106.13419).
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.validation import require, require_clip, require_counts, require_not_negative, require_rates

MelConfigName = Literal["paper", "hifigan", "bigvgan", "vocos"]
Noise = Literal["white", "pink", "brown", "babble", "recorded"]
Span = tuple[float, float]
Resolution = tuple[int, int, int]  # of an STFT, in samples: FFT, hop and window
Split = Literal["train", "validation", "test"]
# What is learned of a basis: `free`, the paper's, every tap of its signals and of a non-negative encoder beside them.
# The others are quadrature pairs, which analyze as they synthesize: of `pairs` center frequencies, window lengths,
# window shapes and levels are learned, of `taps` every tap of the cosines, whose Hilbert transforms are the sines.
Form = Literal["free", "pairs", "taps"]
Spacing = Literal["linear", "mixed", "fourier"]
BackendName = Literal["onnx", "openvino", "torch"]  # what runs a vocoder

LOSS_WEIGHTS = {
    "weights/l1": 1.0,
    "stft/convergence": 1.0,
    "stft/log_magnitude": 1.0,
    "mel/l1": 0.0,  # not the paper's
    "adversarial/wave": 2.0,
    "adversarial/stft": 2.0,
    "adversarial/period": 0.0,  # what follows is not the paper's
    "features/l1": 0.0,
    "pairs/log_amplitude": 0.0,
    "pairs/phase": 0.0,
}


@dataclass(frozen=True)
class CorpusConfig:
    """How a folder of recordings becomes a prepared corpus."""

    minimum_seconds: float = 0.3  # shorter clips are skipped
    max_unusable_fraction: float = 0.05  # share of clips that may be unusable before prepare refuses
    silence_dbfs: float = -60.0  # a clip whose peak stays below is silent
    clipped_share: float = 0.05  # a clip with more samples than this at full scale is clipped to death
    test_clips: int = 20  # the last clips by sorted name
    validation_clips: int = 20  # the clips before them
    max_clips: int | None = None  # use this many clips drawn at random (seeded); the reference drew 20 000 of AISHELL-3
    seed: int = 1

    def __post_init__(self) -> None:
        require_not_negative("corpus", self, "minimum_seconds", "test_clips", "validation_clips", "seed")
        require(
            0.0 <= self.max_unusable_fraction < 1.0,
            f"corpus.max_unusable_fraction: {self.max_unusable_fraction} is not in [0, 1)",
        )
        require(
            self.max_clips is None or self.max_clips > 0,
            f"corpus.max_clips: {self.max_clips} is not a positive number of clips",
        )


@dataclass(frozen=True)
class MixtureConfig:
    """How clean crops become noisy mixtures, on the fly."""

    noises: tuple[Noise, ...] = ("white",)
    clean_fraction: float = 0.3  # crops that get no noise
    noise_sigma: float | None = 0.03125  # standard deviation of the noise, full scale 1; null to draw the SNR instead
    snr: Span = (-6.0, 15.0)  # dB of the whole clip, drawn when sigma is null
    level: Span | None = None  # dBFS RMS that clips are brought to, drawn; null leaves them as recorded
    recorded: str | None = None  # folder of sound files for the noise kind `recorded`

    def __post_init__(self) -> None:
        require(len(self.noises) > 0, "mixture.noises: empty; name at least one kind of noise")
        require(0.0 <= self.clean_fraction <= 1.0, f"mixture.clean_fraction: {self.clean_fraction} is not in [0, 1]")
        for name in ("snr", "level"):
            span = getattr(self, name)
            rising = span is None or span[0] <= span[1]
            require(rising, f"mixture.{name}: {span} runs downwards; give (lowest, highest) in dB")
        require(
            self.noise_sigma is None or self.noise_sigma >= 0,
            f"mixture.noise_sigma: {self.noise_sigma}; use 0 or more, or null",
        )
        require(
            ("recorded" in self.noises) == (self.recorded is not None),
            "mixture.recorded: give a folder of sound files exactly when mixture.noises names `recorded`",
        )


@dataclass(frozen=True)
class SeparatorConfig:
    """Conv-TasNet (arXiv 1809.07454) or TasNet's BLSTM (arXiv 1711.00541) over an encoder and a basis."""

    kind: Literal["conv-tasnet", "tasnet"] = "conv-tasnet"
    basis: Form = "free"
    atoms: int = 256  # N; of the other forms, how many pairs
    spacing: Spacing = "mixed"  # of the pairs' frequencies, to begin with
    sources: int = 2  # C; speech is source 0, noise source 1
    mask: Literal["relu", "softmax"] = "relu"
    causal: bool = False
    channels: int = 256  # B, bottleneck of conv-tasnet
    hidden: int = 512  # H, inside a block of conv-tasnet; the LSTM's size per direction in tasnet
    kernel: int = 3  # P
    blocks: int = 8  # X, dilation 2^x
    repeats: int = 4  # R
    norm: Literal["gLN", "cLN", "BN"] = "gLN"
    layers: int = 4  # LSTM layers of tasnet

    def __post_init__(self) -> None:
        counts = ("atoms", "sources", "channels", "hidden", "kernel", "blocks", "repeats", "layers")
        require_counts("separator", self, *counts)
        require(
            not (self.causal and self.norm == "gLN" and self.kind == "conv-tasnet"),
            "separator.norm: gLN averages the whole utterance and cannot be causal; use cLN or BN with causal: true",
        )


@dataclass(frozen=True)
class SeparatorTrainingConfig:
    """Stage 1: RAdam with the Noam schedule, scale · N^-0.5 · min(step^-0.5, step · warmup^-1.5)."""

    steps: int = 300_000
    batch_size: int = 8  # crops over all processes
    crop_samples: int = 20_000  # samples
    loss: Literal["si-snr", "pit-si-snr"] = "si-snr"
    max_si_snr: float | None = (
        None  # dB that a crop's SI-SNR counts at most; keeps clean crops from drowning noisy ones
    )
    warmup_steps: int = 4_000  # steps
    scale: float = 1.0
    decay_steps: int = 0  # last steps over which the learning rate falls linearly to 0
    clip: float = 1.0  # gradient norm
    tightness_penalty: float = (
        0.0  # weight of a penalty on a basis that covers the spectrum unevenly or whose signals are broad
    )
    validate_every: int = 3_000  # steps
    save_every: int = 3_000  # steps
    seed: int = 1

    def __post_init__(self) -> None:
        require_counts(
            "separator_training", self, "steps", "batch_size", "crop_samples", "validate_every", "save_every"
        )
        require_not_negative(
            "separator_training", self, "warmup_steps", "scale", "decay_steps", "tightness_penalty", "seed"
        )
        require_clip("separator_training", self)


@dataclass(frozen=True)
class GeneratorConfig:
    """From mel to weights: by two ×4 upsamplings, as the paper does (FastVocoder's Basis-MelGAN), or at once."""

    kind: Literal["melgan", "convnext"] = "melgan"  # the paper's, or one that gives all weights of a mel frame at once
    channels: int = 256
    kernel: int = 3
    upsampling: tuple[int, ...] = (4, 4)  # of melgan; their product is the weight frames per mel frame
    stacks: int = 3  # of melgan, residual ones after each upsampling, dilation 3^i
    slope: float = 0.2  # of melgan's LeakyReLU
    blocks: int = 8  # of convnext
    hidden: int = 768  # inside a block of convnext
    activation: Literal["gelu", "relu"] = "gelu"  # of convnext, inside a block; relu is a little faster, and worse
    atoms: int = 256  # of convnext, quadrature pairs of basis signals
    spacing: Spacing = "mixed"  # of the pairs' frequencies; mixed is half linear, half mel; fourier an inverse STFT
    head: Literal["polar", "signed", "linear"] = "polar"  # of convnext, how it says the weights of a pair
    lookahead: int | None = None  # of convnext, mel frames; 0 is causal, null as many as back
    prior: bool = True  # of convnext: its gains start from the mel's own spectrum; a linear head has none

    def __post_init__(self) -> None:
        require_not_negative("generator", self, "stacks")
        odd = self.kernel >= 1 and self.kernel % 2 == 1
        require(odd, f"generator.kernel: {self.kernel}; use an odd size from 1 upward")


@dataclass(frozen=True)
class DiscriminatorConfig:
    """MelGAN's multi-scale discriminator on the wave, a multi-resolution one on STFT magnitudes, a multi-period one."""

    scales: int = 3  # 0 leaves MelGAN's out
    channels: int = 16  # first layer of each scale
    maximum_channels: int = 512
    stft_channels: int = 32
    stft_stride: int = 2  # bins, of the first layer
    periods: tuple[int, ...] = ()  # samples; none in the paper
    period_channels: int = 16  # first layer of each period; doubled from layer to layer
    resolutions: tuple[Resolution, ...] = ((2048, 240, 1200), (1024, 120, 600), (512, 50, 240))  # FFT, hop, window

    def __post_init__(self) -> None:
        require_counts("discriminators", self, "stft_channels", "stft_stride", "period_channels")
        require_not_negative("discriminators", self, "scales")
        for name in ("channels", "maximum_channels"):
            size = getattr(self, name)
            require(size > 0 and size % 4 == 0, f"discriminators.{name}: {size}; use a multiple of 4")
        require(all(period >= 1 for period in self.periods), f"discriminators.periods: {self.periods}; use 1 or more")
        require(bool(self.resolutions), "discriminators.resolutions: there is none; give at least one")
        for fft, hop, window in self.resolutions:
            require(
                fft >= window >= hop >= 1,
                f"discriminators.resolutions: FFT {fft}, hop {hop}, window {window}; give an FFT that holds the window "
                "and a window that holds the hop",
            )

    @property
    def shortest_wave(self) -> int:
        """Samples that a wave must have for its longest Fourier transform to be padded by reflection."""
        return max(fft for fft, _, _ in self.resolutions) // 2 + 1


@dataclass(frozen=True)
class AugmentationConfig:
    """How stage 2 changes some of its crops, so that a vocoder knows more voices and levels than its corpus has."""

    fraction: float = 0.0  # of crops that are changed
    rate: Span = (1.0, 1.0)  # how many times faster they are played; pitch and formants go along
    level: Span = (0.0, 0.0)  # dB they are made louder by, as far as full scale allows
    blur: Span = (0.0, 0.0)  # standard deviation, bands and frames, of what smooths their mels as predicted ones are

    def __post_init__(self) -> None:
        require(0 <= self.fraction <= 1, f"augmentation.fraction: {self.fraction} is no share; use 0 to 1")
        require(
            0 < self.rate[0] <= self.rate[1],
            f"augmentation.rate: {self.rate} is no span; give two factors above 0, the smaller first",
        )
        require(self.level[0] <= self.level[1], f"augmentation.level: {self.level}; give the smaller level first")
        require(
            0 <= self.blur[0] <= self.blur[1],
            f"augmentation.blur: {self.blur} is no span; give two deviations from 0 on, the smaller first",
        )


@dataclass(frozen=True)
class VocoderTrainingConfig:
    """Stage 2: regression on weights and spectra, then least-squares adversarial training."""

    steps: int = 815_000
    adversarial_from: int = 100_000  # first step with discriminators; the L1 on weights ends there
    batch_size: int = 32  # crops over all processes
    discriminator_batch_fraction: float = (
        1.0  # share of the crops that the discriminators see, rounded up in each process
    )
    crop_frames: int = 140  # mel frames
    target: Literal["recording", "resynthesis"] = "recording"  # the reference aims at stage 1's re-synthesis
    learning_rate: float = 1e-4
    discriminator_learning_rate: float = 5e-5
    basis_learning_rate: float = 0.0  # above 0 fine-tunes the basis
    warmup_steps: int = 0  # steps
    decay_steps: int = 0  # last steps over which the learning rates fall linearly to 0
    clip: float = 1.0  # gradient norm
    ema_decay: float = 0.999  # decay per step of the averaged generator that is released; lower over the first steps
    loss_weights: dict[str, float] = field(default_factory=lambda: dict(LOSS_WEIGHTS))  # 0 or none leaves it out
    validate_every: int = 5_000  # steps
    save_every: int = 5_000  # steps
    seed: int = 1

    def __post_init__(self) -> None:
        require_counts("vocoder_training", self, "steps", "batch_size", "crop_frames", "validate_every", "save_every")
        require_rates("vocoder_training", self)
        require_not_negative("vocoder_training", self, "adversarial_from", "basis_learning_rate", "decay_steps", "seed")
        require_clip("vocoder_training", self)
        require(
            self.basis_learning_rate == 0 or self.learning_rate > 0,
            f"vocoder_training.basis_learning_rate: {self.basis_learning_rate} beside a learning_rate of 0, of which "
            "it is a share; use one above 0",
        )
        odd = sorted(self.loss_weights.keys() - LOSS_WEIGHTS.keys())
        require(not odd, f"vocoder_training.loss_weights: {', '.join(odd)} unknown; use {', '.join(LOSS_WEIGHTS)}")
        for name, weight in self.loss_weights.items():
            require(weight >= 0, f"vocoder_training.loss_weights.{name}: {weight}; use 0 or more")
        # One that is left out weighs nothing, as in the files of versions that did not know it.
        object.__setattr__(self, "loss_weights", dict.fromkeys(LOSS_WEIGHTS, 0.0) | self.loss_weights)

    @property
    def adversarial(self) -> bool:
        """Whether discriminators join before the steps end."""
        return self.adversarial_from < self.steps

    @property
    def aims_at_separator(self) -> bool:
        """Whether a loss compares with what a separator makes of the recording."""
        return self.loss_weights["weights/l1"] > 0 or self.target == "resynthesis"

    @property
    def aims_at_pairs(self) -> bool:
        """Whether a loss compares with the weights that quadrature pairs have of the recording."""
        return self.loss_weights["pairs/phase"] > 0 or self.loss_weights["pairs/log_amplitude"] > 0


@dataclass(frozen=True)
class FineTuningConfig:
    """From a trained vocoder to a voice: its own training gone on with, at rates that fall to 0."""

    steps: int = 3_000
    adversarial_fraction: float = (
        0.1  # of the steps, the last ones, with the discriminators that lie beside the vocoder
    )
    batch_size: int = 16  # crops over all processes
    discriminator_batch_fraction: float = (
        0.5  # share of the crops that the discriminators see, rounded up in each process
    )
    learning_rate: float = 5e-4
    discriminator_learning_rate: float = 1e-4
    warmup_steps: int = 100  # steps
    ema_decay: float = 0.99  # decay per step of the averaged generator that is released
    validate_every: int = 250  # steps, after which it is scored on held-out clips, kept if it is the best, and saved
    save_every: int = 250  # steps, besides
    seed: int = 1

    def __post_init__(self) -> None:
        require_counts("fine_tuning", self, "steps", "batch_size", "validate_every", "save_every")
        require_not_negative("fine_tuning", self, "seed")
        require_rates("fine_tuning", self)
        share = self.adversarial_fraction
        require(0 <= share <= 1, f"fine_tuning.adversarial_fraction: {share} is no share; use 0 to 1")


@dataclass(frozen=True)
class TrainerConfig:
    """Where and how precisely a training runs."""

    accelerator: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    devices: int = 1  # processes on this machine
    nodes: int = 1
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: bf16 where the machine computes it natively
    compile: bool = False  # fuse the separator: a minute to start, then 2 to 4 times as fast on a CPU
    workers: int = 1  # data-loading processes per training process
    log_every: int = 50  # steps

    def __post_init__(self) -> None:
        require_counts("trainer", self, "devices", "nodes", "log_every")
        require_not_negative("trainer", self, "workers")


@dataclass(frozen=True)
class Config:
    """All settings of all stages."""

    frames: FrameGeometry = field(default_factory=FrameGeometry)
    mel: MelConfigName = "paper"
    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    mixture: MixtureConfig = field(default_factory=MixtureConfig)
    separator: SeparatorConfig = field(default_factory=SeparatorConfig)
    separator_training: SeparatorTrainingConfig = field(default_factory=SeparatorTrainingConfig)
    generator: GeneratorConfig = field(default_factory=GeneratorConfig)
    discriminators: DiscriminatorConfig = field(default_factory=DiscriminatorConfig)
    augmentation: AugmentationConfig = field(default_factory=AugmentationConfig)
    vocoder_training: VocoderTrainingConfig = field(default_factory=VocoderTrainingConfig)
    fine_tuning: FineTuningConfig = field(default_factory=FineTuningConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)

    def __post_init__(self) -> None:
        require(
            self.separator_training.loss != "pit-si-snr" or self.separator.sources == 2,
            f"separator.sources: {self.separator.sources}; pit-si-snr needs 2, since a mixture is speech and noise",
        )
        training, needed = self.vocoder_training, self.discriminators.shortest_wave
        crop = self.frames.samples(training.crop_frames)
        require(
            not training.adversarial or crop >= needed,
            f"vocoder_training.crop_frames: {training.crop_frames} mel frames are {crop} samples; "
            f"the discriminators need {needed}",
        )
        for name, setting in (("adversarial/wave", "scales"), ("adversarial/period", "periods")):
            weight = training.loss_weights[name]
            require(
                weight == 0 or not training.adversarial or bool(getattr(self.discriminators, setting)),
                f"vocoder_training.loss_weights.{name}: {weight}, but no discriminator says it; set it to 0, or "
                f"discriminators.{setting}",
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionary, as it stands in an artifact's metadata."""
        return dataclasses.asdict(self)
