"""Properties of a basis: bandwidth and time shape of each atom, and how well all atoms cover the spectrum."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.arrays import Float32Array, Float64Array
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.plotting import basis_spectra

FFT = 4096  # bins of 6 Hz at 24 kHz, the resolution of the half-power bandwidths
GRID = 64  # frequencies per stride of basis length at which frame bounds are evaluated


class BasisProperties(NamedTuple):
    """Properties of a basis with its atoms sorted by peak frequency; NaN for a silent atom.

    Attributes:
        order: (N,), index of each sorted atom in the basis.
        atoms: (N, L), the sorted atoms.
        peaks: (N,), frequency in Hz where each atom's spectrum is largest.
        bandwidths: (N,), −3 dB bandwidth in Hz: the width around the spectrum's maximum, between 0 and the Nyquist
            frequency, over which the power exceeds half of it.
        rms_bandwidths: (N,), standard deviation in Hz of the power spectrum from 0 to the Nyquist frequency.
        centers: (N,), mean time of the squared atom, in samples from its first.
        durations: (N,), its standard deviation in samples (both as in Gabor, J. IEE 93, 1946, without his factor √2π).
        frequencies: (bins,), frequencies of `coverage` in Hz.
        coverage: (bins,), total power of all atoms at unit norm per frequency, in dB of its mean.
        unit_bounds: (2,), frame bounds of the atoms at unit norm, in dB of the redundancy N / stride, which is between
            them. Both are 0 for a tight frame.
        bounds: (2,), frame bounds of the atoms without normalization.
    """

    order: npt.NDArray[np.int64]
    atoms: Float64Array
    peaks: Float64Array
    bandwidths: Float64Array
    rms_bandwidths: Float64Array
    centers: Float64Array
    durations: Float64Array
    frequencies: Float64Array
    coverage: Float64Array
    unit_bounds: Float64Array
    bounds: Float64Array


def basis_properties(basis: Float32Array, frames: FrameGeometry) -> BasisProperties:
    """Compute the properties of a basis (N, L) with at least one atom that is not silent."""
    spectra = basis_spectra(basis, frames)
    atoms = basis[spectra.order].astype(np.float64)
    unit = normalize_atoms(atoms)
    redundancy = np.square(unit).sum() / frames.stride
    size = max(FFT, frames.basis_length)
    power = np.asarray(np.square(np.abs(np.fft.rfft(unit, size))), dtype=np.float64)
    frequencies = np.asarray(np.fft.rfftfreq(size, 1.0 / frames.sample_rate), dtype=np.float64)
    centers, durations = _moments(np.arange(float(frames.basis_length)), np.square(unit))
    return BasisProperties(
        order=spectra.order,
        atoms=atoms,
        peaks=np.where(atoms.any(axis=1), spectra.peaks, np.nan),
        bandwidths=_half_power_widths(power) * frequencies[1],
        rms_bandwidths=_moments(frequencies, power)[1],
        centers=centers,
        durations=durations,
        frequencies=frequencies,
        coverage=_decibels(power.sum(axis=0) / frames.stride / redundancy),
        unit_bounds=_decibels(np.array(frame_bounds(unit, frames.stride)) / redundancy),
        bounds=np.array(frame_bounds(atoms, frames.stride)),
    )


def normalize_atoms(atoms: Float64Array) -> Float64Array:
    """Scale atoms (N, L) to a norm of 1; silent ones stay silent."""
    norms = np.linalg.norm(atoms, axis=1, keepdims=True)
    return atoms / np.where(norms > 0.0, norms, 1.0)


def polyphase_matrices(atoms: Float64Array, stride: int, frequencies: Float64Array) -> npt.NDArray[np.complex128]:
    """Polyphase matrices (F, N, S) of atoms (N, L) with a stride of S samples.

    With w(ω) the transform of the weights over frames, and y(ω) that of the resulting blocks of S samples, y = Eᵀ w at
    every frequency ω of F, in radians per frame (Bölcskei et al., IEEE Trans. Signal Processing 46, 1998).
    """
    blocks = atoms.reshape(len(atoms), -1, stride)
    shifts = np.exp(-1j * np.outer(frequencies, np.arange(blocks.shape[1])))
    return np.asarray(np.einsum("fm,nmr->fnr", shifts, blocks, optimize=True))


def frame_operator(matrices: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
    """Frame operator EᵀĒ (F, S, S) of polyphase matrices E (F, N, S)."""
    return np.asarray(matrices.transpose(0, 2, 1) @ matrices.conj())


def frame_bounds(atoms: Float64Array, stride: int) -> tuple[float, float]:
    """Frame bounds A and B of atoms (N, L) and their shifts by multiples of `stride` samples.

    A‖x‖² ≤ Σ ⟨x, shifted atom⟩² ≤ B‖x‖² for every wave x: the smallest and the largest eigenvalue of the frame operator
    over all frequencies (Bölcskei et al. 1998), here over a grid with an error below 0.1 %. If A is 0, the atoms cannot
    represent every wave.
    """
    frequencies = np.linspace(0.0, np.pi, GRID * atoms.shape[1] // stride + 1)
    eigenvalues = np.linalg.eigvalsh(frame_operator(polyphase_matrices(atoms, stride, frequencies)))
    return max(0.0, float(eigenvalues.min())), float(eigenvalues.max())


def _half_power_widths(power: Float64Array) -> Float64Array:
    """Number (N,) of adjacent bins of power (N, bins) around the maximum with at least half of it; NaN for silence."""
    bins = np.arange(power.shape[1])
    peaks, maxima = power.argmax(axis=1)[:, None], power.max(axis=1, keepdims=True)
    below = power < maxima / 2.0
    lower = np.where(below & (bins < peaks), bins, -1).max(axis=1)
    upper = np.where(below & (bins > peaks), bins, len(bins)).min(axis=1)
    return np.where(maxima[:, 0] > 0.0, upper - lower - 1.0, np.nan)


def _moments(positions: Float64Array, density: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Mean and standard deviation (N,) of positions (P,) under densities (N, P); NaN for a density of 0."""
    total = density.sum(axis=1)
    total = np.where(total > 0.0, total, np.nan)
    mean = density @ positions / total
    variance = (density * np.square(positions - mean[:, None])).sum(axis=1) / total
    return mean, np.sqrt(variance)


def _decibels(power: Float64Array) -> Float64Array:
    """Power in dB, at least −200 dB."""
    return np.asarray(10.0 * np.log10(np.maximum(power, 1e-20)))
