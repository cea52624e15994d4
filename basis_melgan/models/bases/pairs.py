"""Quadrature atoms: windowed cosine–sine pairs, longer where their frequencies lie closer together."""

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from basis_melgan.audio.arrays import Float64Array
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import Spacing
from basis_melgan.errors import ConfigurationError

MIN_STRIDES = 2.0  # strides of the shortest window; copies of a shorter one would not add up to a steady tone
SILENT_NORM = 1e-2  # norm of a tone below which it is only rounding
EDGE = 0.4999  # of a window, in its lengths from its middle; at a half the gradient of a power below 1 is infinite


class AtomLayout(NamedTuple):
    """Frequencies and windows of P quadrature atoms.

    Attributes:
        frequencies: (P,), Hz.
        widths: (P,), Hz that each cosine–sine pair covers.
        lengths: (P,), samples of each window.
        powers: (P,), exponent of the half cosine that each window is.
    """

    frequencies: Float64Array
    widths: Float64Array
    lengths: Float64Array
    powers: Float64Array


class QuadratureAtoms(NamedTuple):
    """A basis of P cosine–sine pairs.

    Attributes:
        frequencies: (P,), Hz.
        widths: (P,), Hz that each pair covers.
        atoms: (2P, L): the cosines, then the sines, each of which lags its cosine by a quarter period. The sine at 0 Hz
            and the cosine at half the sample rate are zero.
    """

    frequencies: Float64Array
    widths: Float64Array
    atoms: Float64Array


def atom_layout(count: int, spacing: Spacing, frames: FrameGeometry) -> AtomLayout:
    """Lay out cosine–sine pairs from 0 Hz to half the sample rate.

    A window's length is the inverse of the width that its pair covers, which is the length that resolves it, but at
    most L and at least two strides: copies of a shorter one would not add up to a steady tone. Atoms analyze and
    synthesize, so the squares of the windows must add up: from three strides on those of Hann windows do, at two
    strides those of half cosines; in between, the power grows from 1 to 2.

    Args:
        count: P.
        spacing: `linear`; `mixed`, half way between a linear and a mel scale, denser where hearing resolves more; or
            `fourier`, at the L/2 + 1 bins of a Fourier transform of L samples.
        frames: gives L and the stride in samples, and the sample rate in Hz.

    Raises:
        ConfigurationError: `fourier` with another number of pairs than bins.
    """
    top = frames.sample_rate / 2.0
    if spacing == "fourier":
        bins = frames.basis_length // 2 + 1
        if count != bins:
            raise ConfigurationError(f"atoms: {count}; spacing fourier has {bins}, frames.basis_length / 2 + 1")
        frequencies, lengths = np.linspace(0.0, top, bins), np.full(bins, float(frames.basis_length))
        return AtomLayout(frequencies, np.full(bins, frequencies[1]), lengths, np.full(bins, 2.0))
    fractions = np.arange(2 * count + 1) / (2 * count)  # of the edges and, between them, of the centers
    scale = _scale_frequencies(fractions, spacing, top)
    frequencies, widths = scale[1::2], np.diff(scale[::2])
    lengths = np.clip(frames.sample_rate / widths, MIN_STRIDES * frames.stride, frames.basis_length)
    return AtomLayout(frequencies, widths, lengths, np.clip(lengths / frames.stride - 1.0, 1.0, 2.0))


def quadrature_atoms(count: int, spacing: Spacing, frames: FrameGeometry) -> QuadratureAtoms:
    """Build the atoms of `atom_layout`, of unit norm and windowed about the middle of L samples."""
    layout = atom_layout(count, spacing, frames)
    frequencies, _, lengths, powers = (torch.from_numpy(values) for values in layout)
    atoms = windowed_tones(frequencies, lengths, powers, frames)
    return QuadratureAtoms(layout.frequencies, layout.widths, atoms.numpy())


def windowed_tones(frequencies: Tensor, lengths: Tensor, powers: Tensor, frames: FrameGeometry) -> Tensor:
    """Cosines, then sines (2P, L), of unit norm or zero, at frequencies (P,) in Hz; differentiable.

    Their `windows` are half cosines of `lengths` (P,) in samples, raised to `powers` (P,): 2 is Hann's window.
    """
    window, time = windows(lengths, powers, frames), sample_times(lengths, frames)
    phase = 2.0 * torch.pi / frames.sample_rate * frequencies[:, None] * time
    tones = torch.cat([window * phase.cos(), window * phase.sin()])
    norms = tones.norm(dim=1, keepdim=True)
    # At 0 Hz there is no sine, at half the sample rate no cosine.
    return torch.where(norms > SILENT_NORM, tones / norms.clamp(min=SILENT_NORM), 0.0)


def windows(lengths: Tensor, powers: Tensor, frames: FrameGeometry) -> Tensor:
    """Half cosines (P, L) about the middle of L samples, of lengths (P,) in samples, raised to powers (P,)."""
    position = (sample_times(lengths, frames) / lengths[:, None]).clamp(-EDGE, EDGE)
    return torch.where(position.abs() < EDGE, (torch.pi * position).cos() ** powers[:, None], 0.0)


def sample_times(like: Tensor, frames: FrameGeometry) -> Tensor:
    """Times (L,) in samples from the middle of L, with the type and on the device of another tensor."""
    samples = torch.arange(frames.basis_length, dtype=like.dtype, device=like.device)
    return samples - (frames.basis_length - 1) / 2.0


def hilbert_transform(signals: Tensor) -> Tensor:
    """Hilbert transforms (N, L) of signals (N, L), which lag by a quarter period at every frequency; differentiable."""
    spectrum = torch.fft.rfft(signals)
    spectrum[:, 0] = 0.0
    transform: Tensor = torch.fft.irfft(-1j * spectrum, n=signals.shape[1])
    return transform


def sort_atoms(cosines: Float64Array, sines: Float64Array, rate: int) -> QuadratureAtoms:
    """Sort learned cosines (P, L) and sines (P, L) by frequency.

    A pair covers the frequencies that are nearer to its own than to any other's.
    """
    frequencies = center_frequencies(np.concatenate([cosines, sines]), rate)
    order = np.argsort(frequencies)
    frequencies = frequencies[order]
    edges = np.concatenate([[0.0], (frequencies[1:] + frequencies[:-1]) / 2.0, [rate / 2.0]])
    return QuadratureAtoms(frequencies, np.diff(edges), np.concatenate([cosines[order], sines[order]]))


def center_frequencies(atoms: Float64Array, rate: int) -> Float64Array:
    """Frequencies (P,) in Hz of quadrature atoms (2P, L): the centers of mass of their pairs' power spectra."""
    power = np.square(np.abs(np.fft.rfft(atoms, 4 * atoms.shape[1]))).reshape(2, len(atoms) // 2, -1).sum(axis=0)
    return np.asarray(power @ np.linspace(0.0, rate / 2.0, power.shape[1]) / power.sum(axis=1))


def _scale_frequencies(fractions: Float64Array, spacing: str, top: float) -> Float64Array:
    """Frequencies in Hz at fractions from 0 to 1 of a scale up to `top` Hz."""
    linear = fractions * top
    if spacing == "linear":
        return linear
    mel = 700.0 * (np.exp(fractions * math.log1p(top / 700.0)) - 1.0)
    return np.asarray((linear + mel) / 2.0)
