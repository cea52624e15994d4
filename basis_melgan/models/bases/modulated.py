"""Linear quadrature atoms under one window: their weighted sum in small matrix products instead of a large one.

Such atoms are the real and imaginary parts of one window, modulated by equally spaced frequencies, so their sum is a
Fourier transform, which splits into shorter ones (Cooley and Tukey, 1965). With L = A · B samples and L/2 frequencies,
frequency p = q + A·r and sample n = B·m + o:

    e^(2πi (p + ½)(n − c) / L) = e^(2πi (p + ½)(o − c) / L) · e^(2πi (q + ½) m / A),  c = (L − 1) / 2,

so the sum over r comes first, by a matrix of its own for every q, then the sum over q, by one matrix for all o. That
takes 4 (A + B) / L of the multiply-adds of `basis.MirroredSynthesis`, a quarter at L = 1024, and stores no large
matrix.
"""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.errors import ConfigurationError
from basis_melgan.models.bases.basis import add_staggered
from basis_melgan.models.bases.pairs import QuadratureAtoms, atom_layout, quadrature_atoms, sample_times, windows
from basis_melgan.models.streaming import OverlapTail, StreamState

BLOCK_LENGTH = "basis.block_length"  # key of a generator's state dict, if its basis is modulated


def is_modulated(config: ConvNeXtConfig, frames: FrameGeometry) -> bool:
    """Whether a generator's atoms are equally spaced and all as long as L, and its stride is even."""
    return config.spacing == "linear" and 2 * config.atoms == frames.basis_length and frames.stride % 2 == 0


def default_block_length(frames: FrameGeometry) -> int:
    """B of a new generator: the even divisor of the stride that is nearest to √L, so that A divides L/2."""
    divisors = (divisor for divisor in range(2, frames.stride + 1, 2) if frames.stride % divisor == 0)
    return min(divisors, key=lambda divisor: abs(divisor - math.sqrt(frames.basis_length)))


def modulated_atoms(frames: FrameGeometry, block_length: int) -> QuadratureAtoms:
    """The L/2 linear atoms in the order in which `ModulatedSynthesis` takes their weights: by q, then by r.

    Raises:
        ConfigurationError: `block_length`, B, is no even divisor of the stride.
    """
    linear = quadrature_atoms(frames.basis_length // 2, "linear", frames)
    order = _frequency_order(frames, block_length)
    atoms = np.concatenate([half[order] for half in np.split(linear.atoms, 2)])
    return QuadratureAtoms(linear.frequencies[order], linear.widths[order], atoms)


class ModulatedSynthesis(nn.Module):
    """Synthesis over `modulated_atoms`."""

    real: Tensor
    imaginary: Tensor
    turn_real: Tensor
    turn_imaginary: Tensor
    window: Tensor

    def __init__(self, frames: FrameGeometry, block_length: int) -> None:
        """Prepare the matrices and the window, from the frames' L, stride and sample rate, and B.

        Raises:
            ConfigurationError: B is no even divisor of the stride.
        """
        super().__init__()
        order, length = _frequency_order(frames, block_length), frames.basis_length  # L
        groups = length // block_length  # A
        layout = atom_layout(length // 2, "linear", frames)
        lengths, powers = (torch.from_numpy(values[:1]) for values in (layout.lengths, layout.powers))
        window, time = windows(lengths, powers, frames)[0], sample_times(lengths, frames)
        steps = 2.0 * math.pi / length * torch.from_numpy(order + 0.5)  # rad / sample
        tones = _phasors(torch.outer(steps, time))
        cosine_norms, sine_norms = ((window * part).norm(dim=1, keepdim=True) for part in (tones.real, tones.imag))
        start = tones[:, :block_length]
        # A cosine is the real part of e^(iφ), a sine that of −i e^(iφ), and their wave the real part of the whole sum.
        halves = [torch.unflatten(half, 0, (groups, -1)) for half in (start / cosine_norms, -1j * start / sine_norms)]
        first = torch.cat(halves, dim=1)  # (A, 2P/A, B)
        group = torch.arange(groups, dtype=torch.float64)
        turn = _phasors(2.0 * math.pi / groups * torch.outer(group, group + 0.5))  # (A, A)
        tables = {
            "real": first.real,
            "imaginary": first.imag,
            "turn_real": turn.real,
            "turn_imaginary": -turn.imag,
            "window": window.view(groups, 1, 1, block_length),
        }
        for name, table in tables.items():
            self.register_buffer(name, table.float().contiguous(), persistent=False)
        self.blocks_per_stride = frames.stride // block_length

    def forward(self, weights: Tensor) -> Tensor:
        """Wave (N, (K − 1)·stride + L) of weights (N, 2P, K), those of the cosines first, as from `overlap_add`."""
        with torch.autocast(weights.device.type, enabled=False):
            groups, dtype = len(self.real), self.real.dtype
            frames = weights.to(dtype).transpose(1, 2)  # (N, K, 2P)
            halves = [torch.unflatten(half.flatten(0, 1), 1, (groups, -1)) for half in frames.chunk(2, dim=2)]
            grouped = torch.cat(halves, dim=2).transpose(0, 1)  # (A, N·K, 2P/A)
            real, imaginary = torch.bmm(grouped, self.real), torch.bmm(grouped, self.imaginary)  # (A, N·K, B)
            turned = self.turn_real @ real.flatten(1) + self.turn_imaginary @ imaginary.flatten(1)  # (A, N·K·B)
            blocks = turned.view(groups, *frames.shape[:2], -1) * self.window
            return add_staggered(torch.split(blocks, self.blocks_per_stride)).permute(1, 2, 0, 3).flatten(1)


class ModulatedBasis(nn.Module):
    """A `basis.Basis` of `modulated_atoms`: frozen, without parameters.

    Attributes:
        block_length: B, from which the order of the weights follows; it stands in model files.
    """

    block_length: Tensor

    def __init__(self, frames: FrameGeometry, left_pad: int, block_length: int) -> None:
        """Build the basis; its atoms begin `left_pad` samples before their weight frames."""
        super().__init__()
        self.register_buffer("block_length", torch.tensor(block_length))
        self.synthesis = ModulatedSynthesis(frames, block_length)
        self.length, self.stride, self.left_pad = frames.basis_length, frames.stride, left_pad
        self.overlap_tail = OverlapTail(self.length, self.stride, left_pad)

    @property
    def atoms(self) -> Tensor:
        """The basis (2P, L)."""
        window = self.synthesis.window
        atoms: Tensor = self.synthesis(torch.eye(self.length, dtype=window.dtype, device=window.device)[..., None])
        return atoms

    def prepare_streaming(self) -> None:
        """Do nothing: this synthesis is the fastest there is."""

    def forward(self, weights: Tensor, state: StreamState | None = None) -> Tensor:
        """Wave (B, K·stride) of weights (B, 2P, K); in a stream, delayed by its lookahead."""
        wave: Tensor = self.overlap_tail(self.synthesis(weights), state)
        return wave


def _phasors(angles: Tensor) -> Tensor:
    """e^(iφ) of angles in radians."""
    return torch.polar(torch.ones_like(angles), angles)


def _frequency_order(frames: FrameGeometry, block_length: int) -> npt.NDArray[np.int64]:
    """Indices p (L/2,) of the linear frequencies, ordered by q, then by r."""
    if block_length < 2 or block_length % 2 or frames.stride % block_length:
        raise ConfigurationError(f"block length {block_length} is no even divisor of frames.stride {frames.stride}")
    length = frames.basis_length
    return np.arange(length // 2).reshape(-1, length // block_length).T.flatten()
