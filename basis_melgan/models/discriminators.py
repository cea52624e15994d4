"""The discriminators of stage 2: on the wave at several rates, on its STFT at several resolutions, on its periods.

All take a wave (B, T) and return, for every rate, resolution or period, the feature maps in order, the last of which
are the logits.
"""

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from basis_melgan.config.networks import DiscriminatorConfig
from basis_melgan.models.stft import stft_magnitude

SLOPE = 0.2  # of LeakyReLU, as in MelGAN
STRIDED_LAYERS = 4  # of MelGAN's wave discriminator, each with stride 4
PERIOD_LAYERS = 4  # of the period discriminator, each with stride 3
CHANNELS_PER_GROUP = 4
MAX_GROWTH = 32  # channels of the widest layer over those of the first, as in MelGAN: 512 over 16


class _Chain(nn.Module):
    """A chain of convolutions that returns all outputs, the last of which are the logits."""

    def __init__(self, layers: list[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList([weight_norm(layer) for layer in layers])

    def forward(self, hidden: Tensor) -> list[Tensor]:
        """Return every layer's output, the last without activation."""
        features = []
        for layer in self.layers[:-1]:
            hidden = F.leaky_relu(layer(hidden), SLOPE)
            features.append(hidden)
        return [*features, self.layers[-1](hidden)]


class MultiScaleDiscriminator(nn.Module):
    """MelGAN's discriminators on the wave at the full rate, a half, a quarter, … (arXiv 1910.06711, section 2.2).

    At the default sizes 4.6 M parameters and 0.51 GMAC per second of audio at 24 kHz.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.chains = nn.ModuleList([_wave_chain(config) for _ in range(config.scales)])
        self.halve = nn.AvgPool1d(4, stride=2, padding=1, count_include_pad=False)

    def forward(self, wave: Tensor) -> list[list[Tensor]]:
        """Discriminate a wave (B, T).

        Returns:
            For every scale s the feature maps (B, channels, time); the last holds the logits (B, 1, ≈ T / 2^s / 256).
        """
        hidden = wave[:, None]
        features = []
        for scale, chain in enumerate(self.chains):
            if scale:
                hidden = self.halve(hidden)
            features.append(chain(hidden))
        return features


class MultiResolutionDiscriminator(nn.Module):
    """Discriminators on STFT magnitudes of several resolutions (UnivNet, arXiv 2106.07889, section 2.3).

    UnivNet strides over time alone. Here every layer but the last two also strides over frequency; without it, they
    would cost four times as much as the generator. At the default sizes 0.28 M parameters and 1.7 GMAC per second of
    audio at 24 kHz, without the STFT itself.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.resolutions = config.resolutions
        self.chains = nn.ModuleList([_stft_chain(config) for _ in config.resolutions])

    def forward(self, wave: Tensor) -> list[list[Tensor]]:
        """Discriminate a wave (B, T), T above half the longest window.

        Returns:
            For every resolution the feature maps (B, channels, frequency, time); the last, of one channel, holds the
            logits.
        """
        return [chain(self.magnitude(wave, index)) for index, chain in enumerate(self.chains)]

    def magnitude(self, wave: Tensor, index: int) -> Tensor:
        """STFT magnitude (B, 1, FFT/2 + 1, T // hop + 1) of a wave (B, T) at one resolution, in float32.

        Divided by the square root of the window's energy, so that white noise of standard deviation σ has root mean
        square σ at every resolution.
        """
        resolution = self.resolutions[index]
        norm = math.sqrt(3.0 / 8.0 * resolution[2])  # of a Hann window
        with torch.autocast(wave.device.type, enabled=False):
            magnitude = stft_magnitude(wave.float(), resolution, pad_mode="reflect")
            return magnitude.transpose(1, 2)[:, None] / norm


class MultiPeriodDiscriminator(nn.Module):
    """Discriminators on every p-th sample, for several periods p (HiFi-GAN, arXiv 2010.05646, section 2.3).

    HiFi-GAN's channels grow fourfold per layer, from 32 to 1 024. Here they double, from 16 to 128 by default: with
    HiFi-GAN's five periods 0.3 M parameters and 0.15 GMAC per second of audio at 24 kHz, less than a ConvNeXt
    generator.
    """

    def __init__(self, config: DiscriminatorConfig) -> None:
        super().__init__()
        self.periods = config.periods
        self.chains = nn.ModuleList([_period_chain(config.period_channels) for _ in config.periods])

    def forward(self, wave: Tensor) -> list[list[Tensor]]:
        """Discriminate a wave (B, T).

        Returns:
            For every period p the feature maps (B·p, channels, ≈ T / p / 3^layer), an item's p phases
            one after the other; the last, of one channel, holds the logits.
        """
        return [chain(self._phases(wave, period)) for period, chain in zip(self.periods, self.chains, strict=True)]

    def _phases(self, wave: Tensor, period: int) -> Tensor:
        """Every p-th sample from each of p starts (B·p, 1, ⌈T / p⌉), the ends padded by reflection.

        HiFi-GAN folds the wave into an image under kernels of one column: equivalent, and half as fast on a CPU.
        """
        padded = F.pad(wave[:, None], (0, -wave.shape[1] % period), mode="reflect")
        return padded.reshape(len(wave), -1, period).transpose(1, 2).reshape(len(wave) * period, 1, -1)


class Discriminators(nn.ModuleDict):
    """All discriminators of a configuration, by the names of their losses."""

    def __init__(self, config: DiscriminatorConfig) -> None:
        modules: dict[str, nn.Module] = {"stft": MultiResolutionDiscriminator(config)}
        if config.scales:
            modules["wave"] = MultiScaleDiscriminator(config)
        if config.periods:
            modules["period"] = MultiPeriodDiscriminator(config)
        super().__init__(modules)

    def forward(self, wave: Tensor) -> dict[str, list[list[Tensor]]]:
        """Feature maps of every discriminator on a wave (B, T)."""
        return {name: discriminator(wave) for name, discriminator in self.items()}


def _period_chain(channels: int) -> _Chain:
    sizes = [1, *(channels * 2**layer for layer in range(PERIOD_LAYERS))]
    layers: list[nn.Module] = [
        nn.Conv1d(before, after, 5, stride=3, padding=2) for before, after in itertools.pairwise(sizes)
    ]
    return _Chain([*layers, nn.Conv1d(sizes[-1], 1, 3, padding=1)])


def _wave_chain(config: DiscriminatorConfig) -> _Chain:
    channels = config.channels
    layers: list[nn.Module] = [nn.Conv1d(1, channels, 15, padding=7, padding_mode="reflect")]
    for _ in range(STRIDED_LAYERS):
        out = min(channels * 4, MAX_GROWTH * config.channels)
        groups = math.gcd(channels, out) // CHANNELS_PER_GROUP
        layers.append(nn.Conv1d(channels, out, 41, stride=4, padding=20, groups=groups))
        channels = out
    layers += [nn.Conv1d(channels, channels, 5, padding=2), nn.Conv1d(channels, 1, 3, padding=1)]
    return _Chain(layers)


def _stft_chain(config: DiscriminatorConfig) -> _Chain:
    """Build a chain on STFT magnitudes; kernels and strides are (frequency, time)."""
    channels = config.stft_channels
    return _Chain(
        [
            nn.Conv2d(1, channels, (9, 3), stride=(config.stft_stride, 1), padding=(4, 1)),
            nn.Conv2d(channels, channels, (9, 3), stride=(2, 2), padding=(4, 1)),
            nn.Conv2d(channels, channels, (9, 3), stride=(2, 2), padding=(4, 1)),
            nn.Conv2d(channels, channels, (9, 3), stride=(2, 2), padding=(4, 1)),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.Conv2d(channels, 1, 3, padding=1),
        ]
    )
