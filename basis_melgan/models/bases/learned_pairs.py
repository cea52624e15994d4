"""Quadrature atoms learned in stage 1: by frequency, window and level, or tap by tap."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import Spacing
from basis_melgan.models.bases.basis import overlap_add
from basis_melgan.models.bases.pairs import MIN_STRIDES, atom_layout, hilbert_transform, windowed_tones


class LearnedAtoms(nn.Module):
    """P cosine–sine pairs that analyze and synthesize (cf. analytic filterbanks, arXiv 1910.10400).

    They are initialized as `quadrature_atoms`. The form `pairs` learns four numbers per pair, as LEAF
    (arXiv 2101.08596) learns its Gabor filters: the center frequency, in widths that the pair covers; and the
    logarithms of its window's length, which stays between two strides and L, of its window's power, and of its level.
    The form `taps` learns every tap of the cosines; the sines are their Hilbert transforms.
    """

    def __init__(self, count: int, form: Literal["pairs", "taps"], spacing: Spacing, frames: FrameGeometry) -> None:
        super().__init__()
        self.frames, self.form = frames, form
        layout = atom_layout(count, spacing, frames)
        for name, values in layout._asdict().items():
            self.register_buffer(name, torch.from_numpy(values).float(), persistent=False)
        if form == "pairs":
            for name in ("shift", "stretch", "sharpen", "level"):
                self.register_parameter(name, nn.Parameter(torch.zeros(count)))
        else:
            self.taps = nn.Parameter(self._tones()[:count])

    @property
    def atoms(self) -> Tensor:
        """The basis (2P, L): cosines, then sines."""
        if self.form == "taps":
            return torch.cat([self.taps, hilbert_transform(self.taps)])
        return self._tones() * self.get_parameter("level").exp().repeat(2)[:, None]

    def _tones(self) -> Tensor:
        frequencies, lengths, powers = (self.get_buffer(name) for name in ("frequencies", "lengths", "powers"))
        if self.form == "pairs":
            frequencies = frequencies + self.get_parameter("shift") * self.get_buffer("widths")
            lengths = lengths * self.get_parameter("stretch").exp()
            powers = powers * self.get_parameter("sharpen").exp()
        clamped = lengths.clamp(MIN_STRIDES * self.frames.stride, float(self.frames.basis_length))
        # Initial lengths lie on these bounds. The gradient ignores the clamp, so that a length beyond one can return.
        return windowed_tones(frequencies, lengths + (clamped - lengths).detach(), powers, self.frames)

    @torch.no_grad()
    def scale(self, gain: float) -> None:
        """Multiply a wave that is analyzed and synthesized by `gain`: either operation by its square root."""
        if self.form == "taps":
            self.taps.mul_(gain**0.5)
        else:
            self.get_parameter("level").add_(0.5 * math.log(gain))

    def analyze(self, padded: Tensor) -> Tensor:
        """Coefficients (B, 2P, K) of a wave (B, (K − 1)·stride + L): its products with every atom at every frame."""
        windows = padded.unfold(1, self.frames.basis_length, self.frames.stride)
        return (windows @ self.atoms.T).transpose(1, 2)

    def forward(self, weights: Tensor) -> Tensor:
        """Wave (B, K·stride) of weights (B, 2P, K); samples outside the frames are cut."""
        return overlap_add(weights, self.atoms, self.frames.stride)[:, : weights.shape[-1] * self.frames.stride]


def magnitudes(coefficients: Tensor) -> Tensor:
    """Magnitudes (B, P, K) of pairs from coefficients (B, 2P, K), with a gradient that is finite at 0."""
    cosines, sines = coefficients.chunk(2, dim=1)
    return (cosines.square() + sines.square() + 1e-8).sqrt()
