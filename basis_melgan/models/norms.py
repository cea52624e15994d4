"""The normalizations of Conv-TasNet (arXiv 1809.07454, section II-D), over hidden frames (B, K, channels)."""

from typing import Literal

import torch
from torch import Tensor, nn


class GlobalNorm(nn.Module):
    """gLN: mean and variance over channels and time together, so that they depend on the whole utterance."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (B, K, channels), in float32."""
        full = x.float()
        mean = full.mean(dim=(1, 2), keepdim=True)
        # Mean of squares minus square of the mean: one pass, where the textbook's formula takes two.
        variance = full.square().mean(dim=(1, 2), keepdim=True) - mean.square()
        return ((full - mean) * torch.rsqrt(variance.clamp_min(0) + 1e-8) * self.gain + self.bias).to(x.dtype)


def normalization(kind: Literal["gLN", "cLN"], channels: int) -> nn.Module:
    """Build a normalization layer by name.

    cLN takes mean and variance over the channels of each frame alone, as the reference implementation and LayerNorm do;
    the paper's is cumulative over time.
    """
    match kind:
        case "gLN":
            return GlobalNorm(channels)
        case "cLN":
            return nn.LayerNorm(channels, eps=1e-8)
