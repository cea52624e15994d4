"""What a basis is like, signal by signal and as a whole: bandwidths, time shapes, and how it covers the spectrum."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.plotting import basis_spectra

Array = npt.NDArray[np.float64]

FFT = 4096  # bins of 6 Hz at 24 kHz, to which half-power widths are exact
GRID = 64  # frequencies per stride of basis length at which frame bounds are looked for


class Measures(NamedTuple):
    """Measures of a basis, its signals sorted by peak frequency; NaN for a signal that is silent.

    Attributes:
        order: (N,), the place of each sorted signal in the basis.
        signals: (N, L), the sorted signals as they stand in the basis.
        peaks: (N,), frequency in Hz where each is strongest.
        bandwidths: (N,), width in Hz around the highest point of the spectrum, between 0 and the Nyquist frequency,
            over which the power stays above half of it (−3 dB).
        rms_bandwidths: (N,), standard deviation in Hz of the power spectrum over 0 to the Nyquist frequency.
        centers: (N,), mean of the squared signal's place, in samples from its first.
        durations: (N,), its standard deviation in samples (both as in Gabor, J. IEE 93, 1946, without his factor √2π).
        hertz: (bins,), frequencies of `coverage` in Hz.
        coverage: (bins,), power that all signals, at unit norm, have together at a frequency, in dB of its mean.
        unit_bounds: (2,), frame bounds of the signals at unit norm, in dB of the redundancy N / stride, which lies
            between them. Both are 0 in a tight frame, where no part of a wave costs more weight than another.
        bounds: (2,), frame bounds of the signals as they stand.
    """

    order: npt.NDArray[np.int64]
    signals: Array
    peaks: Array
    bandwidths: Array
    rms_bandwidths: Array
    centers: Array
    durations: Array
    hertz: Array
    coverage: Array
    unit_bounds: Array
    bounds: Array


def measure(basis: npt.NDArray[np.float32], frames: FrameGeometry) -> Measures:
    """Measure a basis (N, L) of which at least one signal sounds."""
    spectra = basis_spectra(basis, frames)
    signals = basis[spectra.order].astype(np.float64)
    unit = at_unit_norm(signals)
    redundancy = np.square(unit).sum() / frames.stride
    size = max(FFT, frames.basis_length)
    power = np.asarray(np.square(np.abs(np.fft.rfft(unit, size))), dtype=np.float64)
    hertz = np.asarray(np.fft.rfftfreq(size, 1.0 / frames.sample_rate), dtype=np.float64)
    centers, durations = _moments(np.arange(float(frames.basis_length)), np.square(unit))
    bounds = np.array(frame_bounds(signals, frames.stride))
    return Measures(
        spectra.order,
        signals,
        np.where(signals.any(axis=1), spectra.peaks, np.nan),
        _half_power_widths(power) * hertz[1],
        _moments(hertz, power)[1],
        centers,
        durations,
        hertz,
        _decibels(power.sum(axis=0) / frames.stride / redundancy),
        _decibels(np.array(frame_bounds(unit, frames.stride)) / redundancy),
        bounds,
    )


def at_unit_norm(signals: Array) -> Array:
    """Signals (N, L) at a norm of 1; silent ones stay silent."""
    norms = np.linalg.norm(signals, axis=1, keepdims=True)
    return signals / np.where(norms > 0.0, norms, 1.0)


def polyphase(signals: Array, stride: int, turns: Array) -> npt.NDArray[np.complex128]:
    """Polyphase matrices (F, N, S) of basis signals (N, L) laid every S = `stride` samples.

    With w(ω) the transform of the weights over frames, and y(ω) that of the blocks of S samples that they add up to,
    y = Eᵀ w at every frequency ω of F, in radians per frame (Bölcskei et al., IEEE Trans. Signal Processing 46, 1998).
    """
    blocks = signals.reshape(len(signals), -1, stride)
    shifts = np.exp(-1j * np.outer(turns, np.arange(blocks.shape[1])))
    return np.asarray(np.einsum("fm,nmr->fnr", shifts, blocks, optimize=True))


def frame_operator(matrices: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
    """Frame operator EᵀĒ (F, S, S) of polyphase matrices E (F, N, S)."""
    return np.asarray(matrices.transpose(0, 2, 1) @ matrices.conj())


def frame_bounds(signals: Array, stride: int) -> tuple[float, float]:
    """Frame bounds A and B of basis signals (N, L) and all their shifts by multiples of `stride` samples.

    A‖x‖² ≤ Σ ⟨x, shifted signal⟩² ≤ B‖x‖² for every wave x: the smallest and the largest eigenvalue of the frame
    operator over all frequencies (Bölcskei et al. 1998), here over a grid that misses them by less than 0.1 %. Where A
    is 0, some waves cannot be made.
    """
    turns = np.linspace(0.0, np.pi, GRID * signals.shape[1] // stride + 1)
    values = np.linalg.eigvalsh(frame_operator(polyphase(signals, stride, turns)))
    return max(0.0, float(values.min())), float(values.max())


def _half_power_widths(power: Array) -> Array:
    """Bins (N,) around the highest one that hold at least half its power (N, bins), in one piece; NaN for silence."""
    bins = np.arange(power.shape[1])
    peaks, highest = power.argmax(axis=1)[:, None], power.max(axis=1, keepdims=True)
    below = power < highest / 2.0
    left = np.where(below & (bins < peaks), bins, -1).max(axis=1)
    right = np.where(below & (bins > peaks), bins, len(bins)).min(axis=1)
    return np.where(highest[:, 0] > 0.0, right - left - 1.0, np.nan)


def _moments(places: Array, density: Array) -> tuple[Array, Array]:
    """Mean and standard deviation (N,) of places (P,) under densities (N, P); NaN where a density is 0 everywhere."""
    total = density.sum(axis=1)
    total = np.where(total > 0.0, total, np.nan)
    mean = density @ places / total
    variance = (density * np.square(places - mean[:, None])).sum(axis=1) / total
    return mean, np.sqrt(variance)


def _decibels(power: Array) -> Array:
    """Power in dB, no lower than −200 dB."""
    return np.asarray(10.0 * np.log10(np.maximum(power, 1e-20)))
