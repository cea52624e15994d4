"""The basis: N short signals that weights add up to a wave."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from basis_melgan.config.frames import FrameGeometry

SIGNALS = "basis.signals"  # of a generator's state: the basis, where it is kept tap by tap
ALIKE = 1e-6  # what mirrored halves of signals of unit norm may differ by


class SynthesisOutput(NamedTuple):
    """What a generator makes of a mel: wave (B, F·hop) and the weights behind it (B, N, K), both in float32."""

    wave: Tensor
    weights: Tensor


class Basis(nn.Module):
    """Synthesis over a basis: ``wave = overlap_add(weights · basis)`` (arXiv 2106.13419, equation 1).

    Attributes:
        signals: the basis (N, L).
        length, stride, lead: L, samples from one weight frame to the next, and samples before its own.
    """

    def __init__(self, signals: int, frames: FrameGeometry, lead: int = 0) -> None:
        """Build a basis of so many signals, each beginning `lead` samples before its weight frame does."""
        super().__init__()
        self.signals = nn.Parameter(nn.init.xavier_normal_(torch.empty(signals, frames.basis_length)))
        self.length, self.stride, self.lead = frames.basis_length, frames.stride, lead

    @torch.no_grad()
    def scale(self, gain: float) -> None:
        """Make everything that weights add up to `gain` times as large."""
        self.signals.mul_(gain)

    def forward(self, weights: Tensor) -> Tensor:
        """Wave (B, K·stride) of weights (B, N, K); what the first and last frames ring beyond it is cut."""
        wave = overlap_add(weights, self.signals, self.stride)
        return wave[:, self.lead : self.lead + weights.shape[-1] * self.stride]


class Mirrored(nn.Module):
    """Synthesis over pairs whose windows are symmetric, from the first half of each signal: half the multiply-adds.

    About its middle every cosine is even and every sine odd, so both halves of a frame are their sum and difference.
    """

    even: Tensor
    odd: Tensor

    def __init__(self, basis: Basis) -> None:
        """Take the halves of a basis that is `mirrored`."""
        super().__init__()
        even, odd = _halves(basis)[0].chunk(2)
        self.register_buffer("even", even.clone())
        self.register_buffer("odd", odd.clone())
        self.stride = basis.stride

    def forward(self, cosines: Tensor, sines: Tensor) -> Tensor:
        """What `overlap_add` makes of weights of cosines and of sines (B, K, P) each: (B, (K − 1)·stride + L)."""
        one, other = cosines @ self.even, sines @ self.odd
        first = torch.split(one + other, self.stride, dim=2)
        last = torch.split(one - other, self.stride, dim=2)  # runs from the end of a frame back to its middle
        halfway = len(first)  # strides
        late = staggered(last[::-1]).flip(2)
        return (F.pad(staggered(first), (0, 0, 0, halfway)) + F.pad(late, (0, 0, halfway, 0))).flatten(1)


def mirrored(basis: Basis) -> bool:
    """Whether the first half of a basis's signals mirror themselves about their middle, and the others negated.

    Their halves must be whole strides.
    """
    if len(basis.signals) % 2 or basis.signals.shape[1] % (2 * basis.stride):
        return False
    (even, odd), (even_again, odd_again) = (half.chunk(2) for half in _halves(basis))
    return torch.allclose(even, even_again, atol=ALIKE) and torch.allclose(odd, -odd_again, atol=ALIKE)


def _halves(basis: Basis) -> tuple[Tensor, Tensor]:
    """Signals up to their middle (N, L / 2), and from their end back to it."""
    signals = basis.signals.detach()
    half = signals.shape[1] // 2
    return signals[:, :half], signals[:, half:].flip(1)


def overlap_add(weights: Tensor, signals: Tensor, stride: int) -> Tensor:
    """Add up basis signals, as a matrix product and sums: on a CPU several times as fast as a transposed convolution.

    In the precision of the signals, since rounding weights to 16 bits would put the noise floor near −50 dB.

    Args:
        weights: (B, N, K).
        signals: (N, L).
        stride: samples from one weight frame to the next, a divisor of L.

    Returns:
        wave: (B, (K − 1)·stride + L).
    """
    with torch.autocast(weights.device.type, enabled=False):
        return _add_frames(weights.to(signals.dtype).transpose(1, 2) @ signals, stride)


def full_precision(values: Tensor) -> Tensor:
    """Values in float32 where they come in 16 bits, and otherwise as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _add_frames(products: Tensor, stride: int) -> Tensor:
    """Wave (B, (K − 1)·stride + L) of frames (B, K, L), each laid `stride` samples after the one before."""
    return staggered(torch.split(products, stride, dim=2)).flatten(1)


def staggered(pieces: Sequence[Tensor]) -> Tensor:
    """Sum (…, K + n − 1, S) of n pieces (…, K, S), each a row later than the one before."""
    last = len(pieces) - 1
    shifted = [F.pad(piece, (0, 0, place, last - place)) for place, piece in enumerate(pieces)]
    return sum(shifted[1:], shifted[0])
