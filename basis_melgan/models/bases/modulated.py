"""Linear quadrature pairs under one window: what they add up to, in small matrix products instead of a large one.

Such pairs are the real and imaginary parts of a window that equally spaced frequencies modulate, so their sum is a
Fourier transform, which falls into shorter ones (Cooley and Tukey, 1965). Of L = A · B samples and L/2 pairs, pair
p = q + A·r and sample n = B·m + o:

    e^(2πi (p + ½)(n − c) / L) = e^(2πi (p + ½)(o − c) / L) · e^(2πi (q + ½) m / A),  c = (L − 1) / 2,

so that r is added up first, for every q by a matrix of its own, then q, by one matrix for all o. That takes
4 (A + B) / L of the multiply-adds of half the signals (`basis.Mirrored`), a quarter at L = 1024, and nothing that large
is stored.
"""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import GeneratorConfig
from basis_melgan.models.bases.basis import staggered
from basis_melgan.models.bases.pairs import Pairs, layout, quadrature_pairs, times, windows
from basis_melgan.models.streaming import OverlapTail, StreamState


def modulated(sizes: GeneratorConfig, frames: FrameGeometry) -> bool:
    """Whether a generator's pairs are equally spaced and all as long as L, and its stride is even."""
    return sizes.spacing == "linear" and 2 * sizes.pairs == frames.basis_length and frames.stride % 2 == 0


def modulated_pairs(frames: FrameGeometry) -> Pairs:
    """The L/2 linear pairs in the order in which `Modulated` adds them up: q from 0 to A − 1, and of each q every r."""
    pairs = quadrature_pairs(frames.basis_length // 2, "linear", frames)
    order = _order(frames)
    signals = np.concatenate([half[order] for half in np.split(pairs.signals, 2)])
    return Pairs(pairs.frequencies[order], pairs.widths[order], signals)


class Modulated(nn.Module):
    """Synthesis over `modulated_pairs`."""

    real: Tensor
    imaginary: Tensor
    turn_real: Tensor
    turn_imaginary: Tensor
    window: Tensor

    def __init__(self, frames: FrameGeometry) -> None:
        """Prepare the matrices and the window, from the frames' L, stride and sample rate."""
        super().__init__()
        length, row = frames.basis_length, _row(frames)  # L, B
        groups = length // row  # A
        where = layout(length // 2, "linear", frames)
        lengths, powers = (torch.from_numpy(values[:1]) for values in (where.lengths, where.powers))
        window, time = windows(lengths, powers, frames)[0], times(lengths, frames)
        steps = 2.0 * math.pi / length * torch.from_numpy(_order(frames) + 0.5)  # radians a sample
        spin = _turned(torch.outer(steps, time))
        even, odd = ((window * part).norm(dim=1, keepdim=True) for part in (spin.real, spin.imag))
        begun = spin[:, :row]
        # A cosine is the real part of e^(iφ), a sine that of −i e^(iφ), and their wave the real part of the whole sum.
        halves = [torch.unflatten(each, 0, (groups, -1)) for each in (begun / even, -1j * begun / odd)]
        first = torch.cat(halves, dim=1)  # (A, 2P/A, B)
        group = torch.arange(groups, dtype=torch.float64)
        turn = _turned(2.0 * math.pi / groups * torch.outer(group, group + 0.5))  # (A, A)
        tables = {
            "real": first.real,
            "imaginary": first.imag,
            "turn_real": turn.real,
            "turn_imaginary": -turn.imag,
            "window": window.view(groups, 1, 1, row),
        }
        for name, table in tables.items():
            self.register_buffer(name, table.float().contiguous(), persistent=False)
        self.rows = frames.stride // row  # of a stride, B samples each

    def forward(self, weights: Tensor) -> Tensor:
        """Wave (N, (K − 1)·stride + L) of weights (N, 2P, K), those of the cosines first: as `overlap_add` has it."""
        with torch.autocast(weights.device.type, enabled=False):
            groups, dtype = len(self.real), self.real.dtype
            frames = weights.to(dtype).transpose(1, 2)  # (N, K, 2P)
            halves = [torch.unflatten(half.flatten(0, 1), 1, (groups, -1)) for half in frames.chunk(2, dim=2)]
            grouped = torch.cat(halves, dim=2).transpose(0, 1)  # (A, N·K, 2P/A)
            real, imaginary = torch.bmm(grouped, self.real), torch.bmm(grouped, self.imaginary)  # (A, N·K, B)
            turned = self.turn_real @ real.flatten(1) + self.turn_imaginary @ imaginary.flatten(1)  # (A, N·K·B)
            rows = turned.view(groups, *frames.shape[:2], -1) * self.window
            return staggered(torch.split(rows, self.rows)).permute(1, 2, 0, 3).flatten(1)


class ModulatedBasis(nn.Module):
    """A `basis.Basis` of `modulated_pairs`: frozen, without parameters."""

    def __init__(self, frames: FrameGeometry, left_pad: int) -> None:
        """Build the basis, whose atoms begin `left_pad` samples before their weight frames."""
        super().__init__()
        self.synthesis = Modulated(frames)
        self.length, self.stride, self.left_pad = frames.basis_length, frames.stride, left_pad
        self.overlap_tail = OverlapTail(self.length, self.stride, left_pad)

    @property
    def signals(self) -> Tensor:
        """The basis (2P, L)."""
        window = self.synthesis.window
        signals: Tensor = self.synthesis(torch.eye(self.length, dtype=window.dtype, device=window.device)[..., None])
        return signals

    def prepare_streaming(self) -> None:
        """Do nothing: this synthesis is the fastest there is."""

    def forward(self, weights: Tensor, state: StreamState | None = None) -> Tensor:
        """Wave (B, K·stride) of weights (B, 2P, K); in a stream, delayed by its lookahead."""
        wave: Tensor = self.overlap_tail(self.synthesis(weights), state)
        return wave


def _turned(angles: Tensor) -> Tensor:
    """e^(iφ) of angles in radians."""
    return torch.polar(torch.ones_like(angles), angles)


def _row(frames: FrameGeometry) -> int:
    """B: of the even divisors of the stride, so that A divides L/2, the one that is nearest to √L.

    The order of a model file's weights follows from it, so it must stay as it is.
    """
    even = (each for each in range(2, frames.stride + 1, 2) if frames.stride % each == 0)
    return min(even, key=lambda each: abs(each - math.sqrt(frames.basis_length)))


def _order(frames: FrameGeometry) -> npt.NDArray[np.int64]:
    groups = frames.basis_length // _row(frames)
    return np.arange(frames.basis_length // 2).reshape(-1, groups).T.flatten()
