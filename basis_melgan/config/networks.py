"""Settings of the networks: the separator, the two kinds of generator, and the discriminators."""

from dataclasses import dataclass
from typing import Literal

from basis_melgan.config.validation import require, require_minimum

Form = Literal["free", "pairs", "taps"]
Spacing = Literal["linear", "mixed", "fourier"]
Resolution = tuple[int, int, int]  # FFT, hop and window of an STFT, in samples


@dataclass(frozen=True)
class SeparatorConfig:
    """Stage 1's network, whose decoder is the basis: Conv-TasNet (arXiv 1809.07454) or TasNet (arXiv 1711.00541).

    `basis: free` trains every tap of N atoms beside an encoder of its own, as the paper does. The other forms train
    quadrature atoms, cosine–sine pairs that also encode: `pairs` their frequencies, window lengths, window shapes and
    levels; `taps` every tap of the cosines, with the sines as their Hilbert transforms.
    """

    kind: Literal["conv-tasnet", "tasnet"] = "conv-tasnet"  # convolutions, or LSTMs as in TasNet
    basis: Form = "free"  # what is trained: free for a melgan generator, pairs or taps for a convnext one
    atoms: int = 256  # N of a free basis, else cosine–sine pairs; the generator needs the same number
    spacing: Spacing = "mixed"  # initial frequencies of pairs and taps: linear, half linear and half mel, or fourier
    causal: bool = False  # true looks back only, with norms per frame in place of the whole utterance's
    channels: int = 256  # B, the bottleneck of conv-tasnet; fewer train faster and separate worse
    hidden: int = 512  # H, inside a block of conv-tasnet, or per direction of tasnet's LSTM
    blocks: int = 8  # X of conv-tasnet, with dilations 1 to 2^(X − 1); more see further
    repeats: int = 4  # R of conv-tasnet; fewer train faster and separate worse

    def __post_init__(self) -> None:
        require_minimum(1, "separator", self, "atoms", "channels", "hidden", "blocks", "repeats")


@dataclass(frozen=True)
class MelGANConfig:
    """The paper's generator: transposed convolutions upsample mel frames to weight frames (FastVocoder's sizes)."""

    kind: Literal["melgan"] = "melgan"  # the paper's; convnext is faster and sounds better
    channels: int = 256  # of every layer, so also the weights per frame; must equal separator.atoms
    upsampling: tuple[int, ...] = (4, 4)  # factors from 2 upward; their product is frames.hop / frames.stride
    stacks: int = 3  # residual stacks after each upsampling, with dilations 1, 3, 9, …; fewer are faster

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

    kind: Literal["convnext"] = "convnext"  # at the mel frame rate; melgan is the paper's
    channels: int = 256  # of the trunk; fewer are faster
    kernel: int = 7  # mel frames of every convolution, an odd number; fewer need less lookahead
    blocks: int = 8  # of the trunk; fewer are faster and need less lookahead
    hidden: int = 288  # channels inside a block; --start can narrow them
    atoms: int = 512  # cosine–sine pairs per weight frame
    spacing: Spacing = "linear"  # frequencies of the atoms; linear ones of half basis_length need the least computation
    lookahead: int | None = None  # mel frames: 0 is causal, null as far ahead as back; less lowers a stream's latency

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

    scales: int = 3  # sample rates of MelGAN's: full, half, a quarter; 0 disables them
    channels: int = 16  # first layer of each scale, a multiple of 4; later ones grow to 32 times as many
    stft_channels: int = 32  # every layer; fewer train faster
    stft_stride: int = 2  # bins, first layer; 4 halves the cost
    periods: tuple[int, ...] = ()  # samples, such as [2, 3, 5, 7, 11]; none disables them, as in the paper
    period_channels: int = 16  # first layer of each period; each later layer doubles them
    resolutions: tuple[Resolution, ...] = ((2048, 240, 1200), (1024, 120, 600), (512, 50, 240))  # FFT, hop, window

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
        """Shortest wave whose longest Fourier transform can be padded by reflection."""
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
