"""Stage 1: Conv-TasNet (arXiv 1809.07454) and TasNet (arXiv 1711.00541), which learn the basis by denoising."""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import SeparatorConfig
from basis_melgan.models.bases.basis import Basis
from basis_melgan.models.bases.learned_pairs import LearnedAtoms, magnitudes
from basis_melgan.models.norms import normalization

SOURCES = 2
SPEECH, NOISE = range(SOURCES)
KERNEL = 3  # frames of a depthwise convolution, P in Conv-TasNet's paper
LSTM_LAYERS = 4  # as in TasNet's paper


class SeparationOutput(NamedTuple):
    """Output of a separator for a mixture (B, T).

    Attributes:
        waves: (B, C, T), the estimate of each source.
        weights: (B, C, N, K), its weights, non-negative where the basis is free; frame ``k`` begins at sample
            ``(k - frames.leading_frames)·stride``.
    """

    waves: Tensor
    weights: Tensor


class Separator(nn.Module):
    """Encoder, mask network and basis: separates a mixture into one wave and one set of weights per source.

    A free basis has a separate encoder and non-negative weights, as in the papers. Quadrature atoms are their own
    encoder; masks are computed from the magnitudes of cosine–sine pairs and multiply both atoms of each.
    """

    def __init__(self, config: SeparatorConfig, frames: FrameGeometry) -> None:
        super().__init__()
        self.frames = frames
        if config.basis == "free":
            self.encoder = nn.Conv1d(1, config.atoms, frames.basis_length, stride=frames.stride, bias=False)
        self.masker: nn.Module = (
            ConvolutionalMasker(config) if config.kind == "conv-tasnet" else RecurrentMasker(config)
        )
        if config.basis == "free":
            self.basis: Basis | LearnedAtoms = Basis(config.atoms, frames)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_normal_(parameter)
        if config.basis != "free":
            self.basis = LearnedAtoms(config.atoms, config.basis, config.spacing, frames)

    def encode(self, mixture: Tensor) -> Tensor:
        """Weights (B, N, K) of a mixture (B, T), in float32; every sample is covered by L / stride frames."""
        frames = self.frames
        margin = frames.basis_length - frames.stride
        alignment_pad = -mixture.shape[-1] % frames.stride
        padded = F.pad(mixture, (margin, margin + alignment_pad))
        with torch.autocast(mixture.device.type, enabled=False):
            if isinstance(self.basis, LearnedAtoms):
                return self.basis.analyze(padded.float())
            encoded: Tensor = self.encoder(padded[:, None].float())
            return encoded.relu()

    def decode(self, weights: Tensor, samples: int) -> Tensor:
        """Wave (…, samples) of weights (…, N, K) aligned as those of `encode`."""
        margin = self.frames.basis_length - self.frames.stride
        wave: Tensor = self.basis(weights.flatten(0, -3))
        return wave[:, margin : margin + samples].reshape(*weights.shape[:-2], samples)

    def forward(self, mixture: Tensor) -> SeparationOutput:
        """Separate a mixture (B, T) of any length into sources of that same length."""
        encoded = self.encode(mixture)
        paired = isinstance(self.basis, LearnedAtoms)
        masks = self.masker(magnitudes(encoded) if paired else encoded).float().unflatten(1, (SOURCES, -1))
        weights = (torch.cat([masks, masks], dim=2) if paired else masks) * encoded[:, None]
        return SeparationOutput(self.decode(weights, mixture.shape[-1]), weights)


class ConvolutionalMasker(nn.Module):
    """Conv-TasNet's mask network: R repeats of X blocks with dilations 1, 2, …, 2^(X-1).

    Inside, channels stand last, (B, K, channels): the 1×1 convolutions then are matrix products as they lie in memory.
    """

    def __init__(self, config: SeparatorConfig) -> None:
        super().__init__()
        self.norm = normalization("cLN", config.atoms)
        self.bottleneck = nn.Linear(config.atoms, config.channels, bias=False)
        dilations = [2**x for x in range(config.blocks)] * config.repeats
        self.blocks = nn.Sequential(*(MaskerBlock(config, dilation) for dilation in dilations))
        self.masks = nn.Linear(config.channels, SOURCES * config.atoms, bias=False)

    def forward(self, encoded: Tensor) -> Tensor:
        """Masks (B, C·N, K) from encoded mixture (B, N, K)."""
        hidden = self.blocks(self.bottleneck(self.norm(encoded.transpose(1, 2))))
        return F.relu(self.masks(hidden).transpose(1, 2))


class MaskerBlock(nn.Module):
    """1×1 up, depthwise convolution, 1×1 down, residual (arXiv 1809.07454, figure 1C)."""

    def __init__(self, config: SeparatorConfig, dilation: int) -> None:
        super().__init__()
        self.up = nn.Linear(config.channels, config.hidden, bias=False)
        self.up_activation = nn.PReLU()
        self.up_norm = normalization("cLN" if config.causal else "gLN", config.hidden)
        self.depthwise = Depthwise(config.hidden, KERNEL, dilation, config.causal)
        self.depthwise_activation = nn.PReLU()
        self.depthwise_norm = normalization("cLN" if config.causal else "gLN", config.hidden)
        self.down = nn.Linear(config.hidden, config.channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, K, channels) to the same shape."""
        y = self.up_norm(self.up_activation(self.up(x)))
        y = self.depthwise_norm(self.depthwise_activation(self.depthwise(y)))
        out: Tensor = x + self.down(y)
        return out


class Depthwise(nn.Module):
    """One dilated filter per channel, as a sum of shifted products.

    A compiler fuses these, and the gradient of a depthwise convolution on a CPU takes several times as long.

    Attributes:
        weight: (P, channels).
    """

    def __init__(self, channels: int, kernel: int, dilation: int, causal: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(kernel, channels))
        reach = (kernel - 1) * dilation
        self.padding = (0, 0, reach, 0) if causal else (0, 0, reach // 2, reach - reach // 2)
        self.shifts = [tap * dilation for tap in range(kernel)]

    def forward(self, x: Tensor) -> Tensor:
        """Filter (B, K, channels), padded with zeros so that K stays."""
        frames = x.shape[1]
        padded = F.pad(x, self.padding)
        taps = self.weight.to(x.dtype)
        products = [tap * padded[:, shift : shift + frames] for tap, shift in zip(taps, self.shifts, strict=True)]
        filtered: Tensor = sum(products[1:], products[0])
        return filtered


class RecurrentMasker(nn.Module):
    """TasNet's mask network: a deep (B)LSTM over the normalized weights; unidirectional when causal."""

    def __init__(self, config: SeparatorConfig) -> None:
        super().__init__()
        self.norm = normalization("cLN", config.atoms)
        self.recurrent = nn.LSTM(
            config.atoms, config.hidden, LSTM_LAYERS, batch_first=True, bidirectional=not config.causal
        )
        width = config.hidden * (1 if config.causal else 2)
        self.masks = nn.Linear(width, SOURCES * config.atoms)

    def forward(self, encoded: Tensor) -> Tensor:
        """Masks (B, C·N, K) from encoded mixture (B, N, K)."""
        hidden, _ = self.recurrent(self.norm(encoded.transpose(1, 2)))
        return F.relu(self.masks(hidden).transpose(1, 2))
