"""The basis: N short signals that weights add up to a wave."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from basis_melgan.config import Frames


class Basis(nn.Module):
    """Synthesis over a basis: ``wave = overlap_add(weights · basis)`` (arXiv 2106.13419, equation 1).

    Attributes:
        signals: the basis (N, L).
    """

    def __init__(self, signals: int, frames: Frames, lead: int = 0) -> None:
        """Build a basis of so many signals, each beginning `lead` samples before its weight frame does."""
        super().__init__()
        self.signals = nn.Parameter(nn.init.xavier_normal_(torch.empty(signals, frames.basis_length)))
        self.stride, self.lead = frames.stride, lead

    @torch.no_grad()
    def scale(self, gain: float) -> None:
        """Make everything that weights add up to `gain` times as large."""
        self.signals.mul_(gain)

    def forward(self, weights: Tensor) -> Tensor:
        """Wave (B, K·stride) of weights (B, N, K); what the first and last frames ring beyond it is cut."""
        wave = overlap_add(weights, self.signals, self.stride)
        return wave[:, self.lead : self.lead + weights.shape[-1] * self.stride]


def overlap_add(weights: Tensor, signals: Tensor, stride: int) -> Tensor:
    """Add up basis signals, as a matrix product and sums: on a CPU several times as fast as a transposed convolution.

    In float32, since rounding weights to 16 bits would put the noise floor near −50 dB.

    Args:
        weights: (B, N, K).
        signals: (N, L).
        stride: samples from one weight frame to the next, a divisor of L.

    Returns:
        wave: (B, (K − 1)·stride + L).
    """
    with torch.autocast(weights.device.type, enabled=False):
        products = weights.float().transpose(1, 2) @ signals  # (B, K, L)
    pieces = torch.split(products, stride, dim=2)
    last = len(pieces) - 1
    shifted = [F.pad(piece, (0, 0, place, last - place)) for place, piece in enumerate(pieces)]
    wave: Tensor = sum(shifted[1:], shifted[0])
    return wave.flatten(1)
