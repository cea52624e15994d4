"""The normalisations of Conv-TasNet (arXiv 1809.07454, section II-D), over tensors (B, channels, K)."""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class GlobalNorm(nn.Module):
    """gLN: mean and variance over channels and time together, so they depend on the whole utterance."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, channels, K)."""
        return F.group_norm(x, 1, self.gain, self.bias, eps=1e-8 if x.dtype == torch.float32 else 1e-5)


class ChannelNorm(nn.Module):
    """cLN: mean and variance over the channels of each frame alone, which keeps a causal network causal."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (B, channels, K)."""
        normed = F.layer_norm(x.transpose(1, 2), self.gain.shape, self.gain, self.bias, eps=1e-8)
        return normed.transpose(1, 2)


def normalisation(kind: Literal["gLN", "cLN", "BN", "channel"], channels: int) -> nn.Module:
    """The normalisation layer that a configuration names."""
    match kind:
        case "gLN":
            return GlobalNorm(channels)
        case "BN":
            return nn.BatchNorm1d(channels)
        case "cLN" | "channel":
            return ChannelNorm(channels)
