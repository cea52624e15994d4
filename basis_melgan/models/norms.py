"""The normalizations of Conv-TasNet (arXiv 1809.07454, section II-D), over hidden frames (B, K, channels)."""

from typing import Literal

import torch
from torch import Tensor, nn


class GlobalNorm(nn.Module):
    """gLN: mean and variance over channels and time together, so they depend on the whole utterance."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize (B, K, channels), in float32."""
        full = x.float()
        mean = full.mean(dim=(1, 2), keepdim=True)
        # The mean of squares less the square of the mean, which takes one pass where the textbook's form takes two.
        variance = full.square().mean(dim=(1, 2), keepdim=True) - mean.square()
        return ((full - mean) * torch.rsqrt(variance.clamp_min(0) + 1e-8) * self.gain + self.bias).to(x.dtype)


def normalization(kind: Literal["gLN", "cLN"], channels: int) -> nn.Module:
    """The normalization layer that a configuration names.

    cLN here takes mean and variance over the channels of each frame alone, as the reference does and as LayerNorm does
    with time in front; the paper's is cumulative over time.
    """
    match kind:
        case "gLN":
            return GlobalNorm(channels)
        case "cLN":
            return nn.LayerNorm(channels, eps=1e-8)
