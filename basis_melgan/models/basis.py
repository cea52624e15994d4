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

    def forward(self, weights: Tensor) -> Tensor:
        """Add up the basis signals, as one transposed convolution in float32.

        Rounding weights to 16 bits would put the noise floor near −50 dB, hence the full precision.

        Args:
            weights: (B, N, K).

        Returns:
            wave: (B, K·stride); what the first and last frames ring beyond it is cut.
        """
        with torch.autocast(weights.device.type, enabled=False):
            wave = F.conv_transpose1d(weights.float(), self.signals[:, None], stride=self.stride)
        return wave[:, 0, self.lead : self.lead + weights.shape[-1] * self.stride]
