"""The basis: N short signals that weights add up to a wave."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.models.streaming import OverlapTail, StreamState

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
        length, stride, left_pad: L, samples from one weight frame to the next, and samples by which an atom begins
            before its weight frame.
    """

    def __init__(self, signals: int, frames: FrameGeometry, left_pad: int = 0) -> None:
        """Draw a basis of `signals` atoms, each beginning `left_pad` samples before its weight frame."""
        super().__init__()
        self.signals = nn.Parameter(nn.init.xavier_normal_(torch.empty(signals, frames.basis_length)))
        self.length, self.stride, self.left_pad = frames.basis_length, frames.stride, left_pad
        self.overlap_tail = OverlapTail(self.length, self.stride, left_pad)
        self.mirrored: MirroredSynthesis | None = None

    @torch.no_grad()
    def scale(self, gain: float) -> None:
        """Multiply all waves that weights add up to by `gain`."""
        self.signals.mul_(gain)

    def prepare_streaming(self) -> None:
        """Halve the multiply-adds from here on, if the atoms are mirrored; they must not change afterwards."""
        if mirrored(self):
            self.mirrored = MirroredSynthesis(self)

    def forward(self, weights: Tensor, state: StreamState | None = None) -> Tensor:
        """Wave (B, K·stride) of weights (B, N, K); in a stream, delayed by its lookahead."""
        wave: Tensor = self.overlap_tail(self._synthesize(weights), state)
        return wave

    def _synthesize(self, weights: Tensor) -> Tensor:
        if self.mirrored is None:
            return overlap_add(weights, self.signals, self.stride)
        wave: Tensor = self.mirrored(weights)
        return wave


class MirroredSynthesis(nn.Module):
    """Synthesis over quadrature atoms with symmetric windows, from the first half of each: half the multiply-adds.

    About its middle every cosine is even and every sine odd, so both halves of a frame are their sum and difference.
    """

    even: Tensor
    odd: Tensor

    def __init__(self, basis: Basis) -> None:
        """Take the halves of a basis that is `mirrored`."""
        super().__init__()
        even, odd = _halves(basis)[0].chunk(2)
        self.register_buffer("even", even.clone(), persistent=False)
        self.register_buffer("odd", odd.clone(), persistent=False)
        self.stride = basis.stride

    def forward(self, weights: Tensor) -> Tensor:
        """Wave (B, (K − 1)·stride + L) of weights (B, 2P, K), those of the cosines first: as `overlap_add` has it."""
        cosines, sines = weights.transpose(1, 2).chunk(2, dim=2)
        even, odd = cosines @ self.even, sines @ self.odd
        first_half = torch.split(even + odd, self.stride, dim=2)
        second_half = torch.split(even - odd, self.stride, dim=2)  # from the end of a frame back to its middle
        half = len(first_half)  # strides
        second = staggered(second_half[::-1]).flip(2)
        return (F.pad(staggered(first_half), (0, 0, 0, half)) + F.pad(second, (0, 0, half, 0))).flatten(1)


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
