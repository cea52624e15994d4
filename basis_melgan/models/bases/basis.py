"""The basis: N short atoms; the wave is their weighted sum, overlap-added."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.models.streaming import OverlapTail, StreamState

ATOMS = "basis.atoms"  # key of a generator's state dict, if the atoms are stored
MIRROR_TOLERANCE = 1e-6  # greatest difference between mirrored halves of atoms of unit norm


class SynthesisOutput(NamedTuple):
    """Output of a generator for a mel: the wave (B, F·hop) and its weights (B, N, K), both in float32."""

    wave: Tensor
    weights: Tensor


class Basis(nn.Module):
    """Synthesis over a basis: ``wave = overlap_add(weights · basis)`` (arXiv 2106.13419, equation 1).

    Attributes:
        atoms: the basis (N, L).
        length, stride, left_pad: L, samples from one weight frame to the next, and samples by which an atom begins
            before its weight frame.
    """

    def __init__(self, atom_count: int, frames: FrameGeometry, left_pad: int = 0) -> None:
        """Draw a basis of `atom_count` atoms, each beginning `left_pad` samples before its weight frame."""
        super().__init__()
        self.atoms = nn.Parameter(nn.init.xavier_normal_(torch.empty(atom_count, frames.basis_length)))
        self.length, self.stride, self.left_pad = frames.basis_length, frames.stride, left_pad
        self.overlap_tail = OverlapTail(self.length, self.stride, left_pad)
        self.mirrored: MirroredSynthesis | None = None

    @torch.no_grad()
    def scale(self, gain: float) -> None:
        """Multiply all waves that weights add up to by `gain`."""
        self.atoms.mul_(gain)

    def prepare_streaming(self) -> None:
        """Halve the multiply-adds from here on, if the atoms are mirrored; they must not change afterwards."""
        if is_mirrored(self):
            self.mirrored = MirroredSynthesis(self)

    def forward(self, weights: Tensor, state: StreamState | None = None) -> Tensor:
        """Wave (B, K·stride) of weights (B, N, K); in a stream, delayed by its lookahead."""
        wave: Tensor = self.overlap_tail(self._synthesize(weights), state)
        return wave

    def _synthesize(self, weights: Tensor) -> Tensor:
        if self.mirrored is None:
            return overlap_add(weights, self.atoms, self.stride)
        wave: Tensor = self.mirrored(weights)
        return wave


class MirroredSynthesis(nn.Module):
    """Synthesis over quadrature atoms with symmetric windows, from the first half of each: half the multiply-adds.

    About its middle every cosine is even and every sine odd, so both halves of a frame are their sum and difference.
    """

    even: Tensor
    odd: Tensor

    def __init__(self, basis: Basis) -> None:
        """Take the halves of a basis that `is_mirrored`."""
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
        second = add_staggered(second_half[::-1]).flip(2)
        return (F.pad(add_staggered(first_half), (0, 0, 0, half)) + F.pad(second, (0, 0, half, 0))).flatten(1)


def is_mirrored(basis: Basis) -> bool:
    """Whether the first N/2 atoms are even about their middle, the others odd, and L/2 a whole number of strides."""
    if len(basis.atoms) % 2 or basis.atoms.shape[1] % (2 * basis.stride):
        return False
    (even, odd), (even_mirrored, odd_mirrored) = (half.chunk(2) for half in _halves(basis))
    return torch.allclose(even, even_mirrored, atol=MIRROR_TOLERANCE) and torch.allclose(
        odd, -odd_mirrored, atol=MIRROR_TOLERANCE
    )


def _halves(basis: Basis) -> tuple[Tensor, Tensor]:
    """Atoms up to their middle (N, L / 2), and from their end back to it."""
    atoms = basis.atoms.detach()
    half = atoms.shape[1] // 2
    return atoms[:, :half], atoms[:, half:].flip(1)


def overlap_add(weights: Tensor, atoms: Tensor, stride: int) -> Tensor:
    """Add up weighted atoms by a matrix product and sums: on a CPU several times as fast as a transposed convolution.

    The precision is that of the atoms: rounding weights to 16 bits would put the noise floor near −50 dB.

    Args:
        weights: (B, N, K).
        atoms: (N, L).
        stride: samples from one weight frame to the next, a divisor of L.

    Returns:
        wave: (B, (K − 1)·stride + L).
    """
    with torch.autocast(weights.device.type, enabled=False):
        return _add_frames(weights.to(atoms.dtype).transpose(1, 2) @ atoms, stride)


def full_precision(values: Tensor) -> Tensor:
    """Convert 16-bit values to float32; leave others as they are."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _add_frames(products: Tensor, stride: int) -> Tensor:
    """Wave (B, (K − 1)·stride + L) of frames (B, K, L), each added `stride` samples after the previous one."""
    return add_staggered(torch.split(products, stride, dim=2)).flatten(1)


def add_staggered(parts: Sequence[Tensor]) -> Tensor:
    """Sum (…, K + n − 1, S) of n tensors (…, K, S), each shifted by one row more than the previous one."""
    last = len(parts) - 1
    shifted = [F.pad(part, (0, 0, shift, last - shift)) for shift, part in enumerate(parts)]
    return sum(shifted[1:], shifted[0])
