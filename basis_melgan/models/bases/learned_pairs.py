"""A basis of quadrature pairs that stage 1 learns: where they lie and how long they ring, or every tap of them."""

import math
from typing import Literal

import torch
from torch import Tensor, nn

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import Spacing
from basis_melgan.models.bases.basis import overlap_add
from basis_melgan.models.bases.pairs import SHORTEST, layout, quarter_turn, windowed_tones


class LearnedPairs(nn.Module):
    """P quadrature pairs that analyze and synthesize (cf. analytic filterbanks, arXiv 1910.10400).

    They begin as `quadrature_pairs`. Of the form `pairs` four numbers each are learned, as a LEAF
    (arXiv 2101.08596) learns its Gabor filters: the center frequency, in widths that the pair covers; the logarithm of
    its window's length, which stays between two strides and L; of its window's power; and of its level. Of the form
    `taps` every tap of the cosines is learned and their Hilbert transforms are the sines.
    """

    def __init__(self, count: int, form: Literal["pairs", "taps"], spacing: Spacing, frames: FrameGeometry) -> None:
        super().__init__()
        self.frames, self.form = frames, form
        where = layout(count, spacing, frames)
        for name, values in where._asdict().items():
            self.register_buffer(name, torch.from_numpy(values).float(), persistent=False)
        if form == "pairs":
            for name in ("shift", "stretch", "sharpen", "level"):
                self.register_parameter(name, nn.Parameter(torch.zeros(count)))
        else:
            self.taps = nn.Parameter(self._tones()[:count])

    @property
    def signals(self) -> Tensor:
        """The basis (2P, L): cosines, then sines."""
        if self.form == "taps":
            return torch.cat([self.taps, quarter_turn(self.taps)])
        return self._tones() * self.get_parameter("level").exp().repeat(2)[:, None]

    def _tones(self) -> Tensor:
        frequencies, lengths, powers = (self.get_buffer(name) for name in ("frequencies", "lengths", "powers"))
        if self.form == "pairs":
            frequencies = frequencies + self.get_parameter("shift") * self.get_buffer("widths")
            lengths = lengths * self.get_parameter("stretch").exp()
            powers = powers * self.get_parameter("sharpen").exp()
        within = lengths.clamp(SHORTEST * self.frames.stride, float(self.frames.basis_length))
        # Windows begin on these bounds. The gradient goes past them: one that has left them could not come back else.
        return windowed_tones(frequencies, lengths + (within - lengths).detach(), powers, self.frames)

    @torch.no_grad()
    def scale(self, gain: float) -> None:
        """Make what is analyzed and synthesized again `gain` times as large; each of the two has its root."""
        if self.form == "taps":
            self.taps.mul_(gain**0.5)
        else:
            self.get_parameter("level").add_(0.5 * math.log(gain))

    def analyze(self, padded: Tensor) -> Tensor:
        """Coefficients (B, 2P, K) of a wave (B, (K − 1)·stride + L): its products with every signal at every frame."""
        pieces = padded.unfold(1, self.frames.basis_length, self.frames.stride)
        return (pieces @ self.signals.T).transpose(1, 2)

    def forward(self, weights: Tensor) -> Tensor:
        """Wave (B, K·stride) of weights (B, 2P, K); what the first and last frames ring beyond it is cut."""
        return overlap_add(weights, self.signals, self.frames.stride)[:, : weights.shape[-1] * self.frames.stride]


def magnitudes(coefficients: Tensor) -> Tensor:
    """Magnitudes (B, P, K) of pairs from coefficients (B, 2P, K), with a gradient that is finite at 0."""
    cosines, sines = coefficients.chunk(2, dim=1)
    return (cosines.square() + sines.square() + 1e-8).sqrt()
