"""Settings of the networks: the separator, the two kinds of generator, and the discriminators."""

from dataclasses import dataclass
from typing import Annotated, Literal

from basis_melgan.config.validation import require, require_minimum

BasisForm = Literal["free", "pairs", "taps"]  # see `SeparatorConfig`
Spacing = Literal["linear", "mixed", "fourier"]  # of frequencies; mixed: half linear, half mel
Resolution = tuple[int, int, int]  # samples of FFT, hop and window of an STFT
RESOLUTIONS: tuple[Resolution, ...] = ((2048, 240, 1200), (1024, 120, 600), (512, 50, 240))  # Parallel WaveGAN's


@dataclass(frozen=True)
class SeparatorConfig:
    """Stage 1's network, whose decoder is the basis: Conv-TasNet (arXiv 1809.07454) or TasNet (arXiv 1711.00541).

    `basis: free` trains every tap of N atoms beside an encoder of its own, as the paper does. The other forms train
    quadrature atoms, cosine–sine pairs that also encode: `pairs` their frequencies, window lengths, window shapes and
    levels; `taps` every tap of the cosines, with the sines as their Hilbert transforms.
    """

    kind: Annotated[Literal["conv-tasnet", "tasnet"], "mask estimation by convolutions or LSTMs"] = "conv-tasnet"
    basis: Annotated[BasisForm, "parametrization: free for a melgan generator, pairs or taps for convnext"] = "free"
    atoms: Annotated[int, "atoms of a free basis (N), else cosine–sine pairs; must match the generator"] = 256
    spacing: Annotated[Spacing, "initial frequencies of pairs and taps"] = "mixed"
    causal: Annotated[bool, "no lookahead, and norms per frame instead of per utterance"] = False
    channels: Annotated[int, "bottleneck of conv-tasnet (B); fewer train faster and separate worse"] = 256
    hidden: Annotated[int, "channels inside a block of conv-tasnet (H), or per direction of tasnet's LSTM"] = 512
    blocks: Annotated[int, "blocks per repeat of conv-tasnet (X), with dilations 1 to 2^(X − 1)"] = 8
    repeats: Annotated[int, "repeats of conv-tasnet (R); fewer train faster and separate worse"] = 4

    def __post_init__(self) -> None:
        require_minimum(1, "separator", self, "atoms", "channels", "hidden", "blocks", "repeats")


@dataclass(frozen=True)
class MelGANConfig:
    """The paper's generator: transposed convolutions upsample mel frames to weight frames (FastVocoder's sizes)."""

    kind: Annotated[Literal["melgan"], "the paper's network (melgan), or a faster and better one (convnext)"] = "melgan"
    channels: Annotated[int, "channels of every layer, and weights per frame; must equal separator.atoms"] = 256
    upsampling: Annotated[tuple[int, ...], "factors from 2; their product is frames.hop / frames.stride"] = (4, 4)
    stacks: Annotated[int, "residual stacks after each upsampling, with dilations 1, 3, 9, …"] = 3

    def __post_init__(self) -> None:
        require_minimum(1, "generator", self, "channels")
        require_minimum(0, "generator", self, "stacks")
        require(
            min(self.upsampling, default=1) >= 2,
            f"generator.upsampling: {self.upsampling} has a factor below 2; use whole factors from 2",
        )


@dataclass(frozen=True)
class ConvNeXtConfig:
    """A ConvNeXt at the mel frame rate that predicts amplitude and phase of quadrature atoms (cf. Vocos)."""

    kind: Annotated[Literal["convnext"], "the paper's network (melgan), or a faster and better one (convnext)"] = (
        "convnext"
    )
    channels: Annotated[int, "channels of the trunk; fewer are faster"] = 256
    kernel: Annotated[int, "mel frames per convolution, odd; fewer need less lookahead"] = 7
    blocks: Annotated[int, "blocks of the trunk; fewer are faster and need less lookahead"] = 8
    hidden: Annotated[int, "channels inside a block; --init-from can reduce them"] = 288
    atoms: Annotated[int, "cosine–sine pairs per weight frame"] = 512
    spacing: Annotated[Spacing, "frequencies of the atoms; linear with basis_length / 2 atoms is fastest"] = "linear"
    lookahead: Annotated[int | None, "mel frames; 0 is causal, null symmetric; less lowers latency"] = None

    def __post_init__(self) -> None:
        require_minimum(1, "generator", self, "channels", "blocks", "hidden", "atoms")
        odd = self.kernel >= 1 and self.kernel % 2 == 1
        require(odd, f"generator.kernel: {self.kernel}; use an odd size from 1 upward")
        require(
            self.lookahead is None or self.lookahead >= 0,
            f"generator.lookahead: {self.lookahead}; use 0 (causal) or more mel frames, or null",
        )


GeneratorConfig = MelGANConfig | ConvNeXtConfig


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Discriminators of waves (MelGAN's), of STFT magnitudes (UnivNet's) and of periods (HiFi-GAN's)."""

    scales: Annotated[int, "discriminators of waves, each at half the previous sample rate; 0 disables them"] = 3
    channels: Annotated[int, "channels of each scale's first layer, a multiple of 4; its last has 32 times as many"] = (
        16
    )
    stft_channels: Annotated[int, "channels of every layer; fewer train faster"] = 32
    stft_stride: Annotated[int, "stride of the first layer in frequency bins; 4 halves the cost"] = 2
    periods: Annotated[tuple[int, ...], "samples, such as [2, 3, 5, 7, 11]; [] disables them, as in the paper"] = ()
    period_channels: Annotated[int, "channels of the first layer of each period; each further layer doubles them"] = 16
    resolutions: Annotated[tuple[Resolution, ...], "samples of FFT, hop and window of each STFT"] = RESOLUTIONS

    def __post_init__(self) -> None:
        require_minimum(1, "discriminators", self, "stft_channels", "stft_stride", "period_channels")
        require_minimum(0, "discriminators", self, "scales")
        require(
            self.channels > 0 and self.channels % 4 == 0,
            f"discriminators.channels: {self.channels}; use a multiple of 4",
        )
        require(all(period >= 1 for period in self.periods), f"discriminators.periods: {self.periods}; use 1 or more")
        require_resolutions("discriminators", self.resolutions)

    @property
    def min_samples(self) -> int:
        """Fewest samples of a crop: more than half the longest FFT."""
        return max(fft for fft, _, _ in self.resolutions) // 2 + 1


def require_resolutions(section: str, resolutions: tuple[Resolution, ...]) -> None:
    """Require at least one STFT resolution, each with FFT ≥ window ≥ hop ≥ 1."""
    require(bool(resolutions), f"{section}.resolutions: there is none; give at least one")
    for fft, hop, window in resolutions:
        require(
            fft >= window >= hop >= 1,
            f"{section}.resolutions: FFT {fft}, hop {hop}, window {window}; give an FFT that holds the window and a "
            "window that holds the hop",
        )
