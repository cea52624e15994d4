"""Quadrature pairs: a basis of windowed cosines and sines, longer where their frequencies lie closer together."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import Spacing
from basis_melgan.errors import ConfigurationError

Array = npt.NDArray[np.float64]

SHORTEST = 2.0  # strides that a window spans at least, below which its copies would not add up to a steady tone
SILENT = 1e-2  # norm of a tone below which it is rounding alone
EDGE = 0.4999  # of a window, in its lengths from its middle; at a half the gradient of a power below 1 is infinite


class Layout(NamedTuple):
    """Where P pairs lie.

    Attributes:
        frequencies: (P,), Hz.
        widths: (P,), Hz that each pair has to cover.
        lengths: (P,), samples of each pair's window.
        powers: (P,), of the half cosine that each window is.
    """

    frequencies: Array
    widths: Array
    lengths: Array
    powers: Array


class Pairs(NamedTuple):
    """A basis of P pairs.

    Attributes:
        frequencies: (P,), Hz.
        widths: (P,), Hz that each pair has to cover.
        signals: (2P, L): the cosines, then the sines, of which each lags its cosine by a quarter turn; zero are the
            sine at 0 Hz and the cosine at half the sample rate.
    """

    frequencies: Array
    widths: Array
    signals: Array


def layout(count: int, spacing: Spacing, frames: FrameGeometry) -> Layout:
    """Lay out pairs from 0 Hz to half the sample rate.

    A window is as long as the inverse of the width that its pair covers, which is the length that resolves it; but not
    longer than L, nor shorter than two strides, below which its copies would not add up to a steady tone. For a pair
    analyses and synthesizes, it is the windows' squares that must add up: from three strides on Hann's do, of two
    strides those of a half cosine; between them the power goes from 1 to 2.

    Args:
        count: P.
        spacing: `linear`; `mixed`, half way between a linear and a mel scale, closer where the ear resolves more; or
            `fourier`, at the L/2 + 1 bins of a Fourier transform of L samples.
        frames: gives L and the stride in samples, and the sample rate in Hz.

    Raises:
        ConfigurationError: `fourier` with another number of pairs than bins.
    """
    top = frames.sample_rate / 2.0
    if spacing == "fourier":
        bins = frames.basis_length // 2 + 1
        if count != bins:
            raise ConfigurationError(f"pairs: {count}; spacing fourier has {bins}, frames.basis_length / 2 + 1")
        frequencies, lengths = np.linspace(0.0, top, bins), np.full(bins, float(frames.basis_length))
        return Layout(frequencies, np.full(bins, frequencies[1]), lengths, np.full(bins, 2.0))
    places = np.arange(2 * count + 1) / (2 * count)  # of edges and, between them, of pairs
    scale = _frequencies(places, spacing, top)
    frequencies, widths = scale[1::2], np.diff(scale[::2])
    lengths = np.clip(frames.sample_rate / widths, SHORTEST * frames.stride, frames.basis_length)
    return Layout(frequencies, widths, lengths, np.clip(lengths / frames.stride - 1.0, 1.0, 2.0))


def quadrature_pairs(count: int, spacing: Spacing, frames: FrameGeometry) -> Pairs:
    """Pairs of unit norm, windowed about the middle of L samples, laid out by `layout`, which says more."""
    where = layout(count, spacing, frames)
    frequencies, _, lengths, powers = (torch.from_numpy(values) for values in where)
    signals = windowed_tones(frequencies, lengths, powers, frames)
    return Pairs(where.frequencies, where.widths, signals.numpy())


def windowed_tones(frequencies: Tensor, lengths: Tensor, powers: Tensor, frames: FrameGeometry) -> Tensor:
    """Cosines, then sines (2P, L) of unit norm or zero, of frequencies (P,) in Hz, with gradients.

    Their `windows` are a half cosine as long as `lengths` (P,) in samples, raised to `powers` (P,): 2 is Hann's.
    """
    window, time = windows(lengths, powers, frames), times(lengths, frames)
    phase = 2.0 * torch.pi / frames.sample_rate * frequencies[:, None] * time
    tones = torch.cat([window * phase.cos(), window * phase.sin()])
    norms = tones.norm(dim=1, keepdim=True)
    # At 0 Hz there is no sine, at half the sample rate no cosine.
    return torch.where(norms > SILENT, tones / norms.clamp(min=SILENT), 0.0)


def windows(lengths: Tensor, powers: Tensor, frames: FrameGeometry) -> Tensor:
    """Half cosines (P, L) about the middle of L samples, of lengths (P,) in samples, raised to powers (P,)."""
    place = (times(lengths, frames) / lengths[:, None]).clamp(-EDGE, EDGE)
    return torch.where(place.abs() < EDGE, (torch.pi * place).cos() ** powers[:, None], 0.0)


def times(like: Tensor, frames: FrameGeometry) -> Tensor:
    """Samples (L,) from the middle of L, of the type and on the device of another tensor."""
    samples = torch.arange(frames.basis_length, dtype=like.dtype, device=like.device)
    return samples - (frames.basis_length - 1) / 2.0


def quarter_turn(signals: Tensor) -> Tensor:
    """Hilbert transforms (N, L) of signals (N, L), with gradients: every frequency lags by a quarter turn."""
    spectrum = torch.fft.rfft(signals)
    spectrum[:, 0] = 0.0
    turned: Tensor = torch.fft.irfft(-1j * spectrum, n=signals.shape[1])
    return turned


def pairs_of(cosines: Array, sines: Array, rate: int) -> Pairs:
    """Pairs in the order of their frequencies, of cosines (P, L) and sines (P, L) that were learned.

    A pair covers what is nearer to its frequency than to others.
    """
    found = centers(np.concatenate([cosines, sines]), rate)
    order = np.argsort(found)
    found = found[order]
    edges = np.concatenate([[0.0], (found[1:] + found[:-1]) / 2.0, [rate / 2.0]])
    return Pairs(found, np.diff(edges), np.concatenate([cosines[order], sines[order]]))


def centers(signals: Array, rate: int) -> Array:
    """Frequencies (P,) in Hz of pairs, by their signals (2P, L): centers of mass of the power spectra."""
    power = np.square(np.abs(np.fft.rfft(signals, 4 * signals.shape[1]))).reshape(2, len(signals) // 2, -1).sum(axis=0)
    return np.asarray(power @ np.linspace(0.0, rate / 2.0, power.shape[1]) / power.sum(axis=1))


def _frequencies(place: Array, spacing: str, top: float) -> Array:
    """Frequencies in Hz at places from 0 to 1 along a scale up to `top` Hz."""
    linear = place * top
    if spacing == "linear":
        return linear
    mel = 700.0 * (np.exp(place * math.log1p(top / 700.0)) - 1.0)
    return np.asarray((linear + mel) / 2.0)
