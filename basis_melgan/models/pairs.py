"""Quadrature pairs: a basis of windowed cosines and sines, longer where their frequencies lie closer together."""

import math
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from basis_melgan.config import Frames

Array = npt.NDArray[np.float64]


class Pairs(NamedTuple):
    """A basis of P pairs.

    Attributes:
        frequencies: (P,), Hz.
        widths: (P,), Hz that each pair has to cover.
        signals: (2P, L) of unit norm: the cosines, then the sines, of which each lags its cosine by a quarter turn.
    """

    frequencies: Array
    widths: Array
    signals: Array


def quadrature_pairs(count: int, spacing: Literal["linear", "mixed"], frames: Frames) -> Pairs:
    """Pairs of tones from 0 Hz to half the sample rate under Hann windows, about the middle of L samples.

    A window is as long as the inverse of the width that its pair covers, which is the length that resolves it; but not
    longer than L, nor shorter than two strides, below which its copies would not add up to a steady tone.

    Args:
        count: P.
        spacing: `linear`, or `mixed`: half way between a linear and a mel scale, closer where the ear resolves more.
        frames: gives L and the stride in samples, and the sample rate in Hz.
    """
    places = np.arange(2 * count + 1) / (2 * count)  # of edges and, between them, of pairs
    scale = _frequencies(places, spacing, frames.sample_rate / 2.0)
    frequencies, widths = scale[1::2], np.diff(scale[::2])
    lengths = np.clip(frames.sample_rate / widths, 2 * frames.stride, frames.basis_length)[:, None]
    time = np.arange(frames.basis_length) - (frames.basis_length - 1) / 2.0
    window = np.where(np.abs(time) < lengths / 2.0, np.cos(np.pi * time / lengths) ** 2, 0.0)
    phase = 2.0 * np.pi * frequencies[:, None] * time / frames.sample_rate
    signals = np.concatenate([window * np.cos(phase), window * np.sin(phase)])
    return Pairs(frequencies, widths, signals / np.linalg.norm(signals, axis=1, keepdims=True))


def _frequencies(place: Array, spacing: str, top: float) -> Array:
    """Frequencies in Hz at places from 0 to 1 along a scale up to `top` Hz."""
    linear = place * top
    if spacing == "linear":
        return linear
    mel = 700.0 * (np.exp(place * math.log1p(top / 700.0)) - 1.0)
    return np.asarray((linear + mel) / 2.0)
