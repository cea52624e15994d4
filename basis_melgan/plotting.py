"""Plots of bases, weights and spectrograms with labeled axes, as matplotlib figures."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.audio.stft import stft_magnitude
from basis_melgan.config.frames import FrameGeometry

SPECTROGRAM_WINDOW = 1024  # samples
FFT = 512  # samples of the transform of atoms: bins of 47 Hz at 24 kHz give smooth curves
TICKS = 6  # labeled rows of a weight matrix
LEVEL_RANGE = 80.0  # dB


class BasisSpectra(NamedTuple):
    """Magnitude spectra of the atoms of a basis, sorted by peak frequency.

    Attributes:
        order: (N,), index of each sorted atom in the basis.
        peaks: (N,), peak frequency of each sorted atom in Hz.
        magnitudes: (N, bins), magnitude spectrum of each sorted atom, relative to its peak; 0 for a silent atom.
        hertz: (bins,), frequency of each bin in Hz.
    """

    order: npt.NDArray[np.int64]
    peaks: Float32Array
    magnitudes: Float32Array
    hertz: Float32Array


def basis_spectra(atoms: Float32Array, frames: FrameGeometry) -> BasisSpectra:
    """Magnitude spectra of atoms (N, L), sorted by peak frequency."""
    n_fft = max(FFT, frames.basis_length)
    magnitudes = np.abs(np.fft.rfft(atoms, n_fft))
    hertz = np.fft.rfftfreq(n_fft, 1 / frames.sample_rate).astype(np.float32)
    peaks = hertz[magnitudes.argmax(axis=1)]
    order = np.argsort(peaks, kind="stable")
    magnitudes /= np.maximum(magnitudes.max(axis=1, keepdims=True), 1e-12)
    return BasisSpectra(order, peaks[order], magnitudes[order].astype(np.float32), hertz)


def plot_basis(atoms: Float32Array, frames: FrameGeometry) -> Figure:
    """Spectra of atoms (N, L), sorted by peak frequency: one column per atom."""
    _, _, magnitudes, hertz = basis_spectra(atoms, frames)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    extent = (0, len(magnitudes), hertz[0], hertz[-1])
    image = axes.imshow(
        magnitudes.T, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="nearest"
    )
    axes.set(xlabel="atom, by peak frequency", ylabel="frequency (Hz)")
    figure.colorbar(image, label="magnitude, relative to the atom's peak")
    return figure


def plot_weights(matrices: dict[str, Float32Array], peaks: Float32Array, frames: FrameGeometry) -> Figure:
    """Weight matrices (N, K) one above the other, by title, each in dB relative to its own largest weight.

    Masks are unbounded, so levels of different matrices cannot be compared.

    Args:
        matrices: the matrices by title, rows sorted as `basis_spectra` does.
        peaks: (N,), peak frequency of each row's atom in Hz.
        frames: gives the rate of the columns.
    """
    figure, all_axes = _stacked_axes(len(matrices))
    rows = np.unique(np.linspace(0, len(peaks) - 1, TICKS).round().astype(int))
    for axes, (title, matrix) in zip(all_axes, matrices.items(), strict=True):
        magnitudes = np.abs(matrix)  # weights of quadrature atoms are signed
        levels = _levels(magnitudes, float(magnitudes.max()))
        extent = (0, matrix.shape[1] / frames.weight_rate, 0, len(matrix))
        image = _show_levels(axes, levels, extent)
        axes.set(title=title, ylabel="peak of atom (Hz)")
        axes.set_yticks(rows + 0.5, [f"{peaks[row]:.0f}" for row in rows])
        figure.colorbar(image, ax=axes, label="weight (dB of the largest)")
    return figure


def plot_spectrograms(waves: dict[str, Float32Array], frames: FrameGeometry) -> Figure:
    """Spectrograms of waves (T,) one above the other, by title, in dB relative to the loudest bin of all."""
    figure, all_axes = _stacked_axes(len(waves))
    window = np.hanning(SPECTROGRAM_WINDOW).astype(np.float32)
    magnitudes = {
        title: stft_magnitude(np.pad(wave, SPECTROGRAM_WINDOW // 2), window, frames.hop).T
        for title, wave in waves.items()
    }
    peak = max(float(magnitude.max()) for magnitude in magnitudes.values())
    for axes, (title, magnitude) in zip(all_axes, magnitudes.items(), strict=True):
        extent = (0, magnitude.shape[1] * frames.hop / frames.sample_rate, 0, frames.sample_rate / 2)
        image = _show_levels(axes, _levels(magnitude, peak), extent)
        axes.set(title=title, ylabel="frequency (Hz)")
        figure.colorbar(image, ax=axes, label="level (dB)")
    return figure


def _stacked_axes(count: int) -> tuple[Figure, list[Any]]:
    """A figure and its axes one above the other, over time in seconds."""
    figure = Figure(figsize=(9, 2.6 * count), layout="constrained")
    all_axes = list(figure.subplots(count, sharex=True, squeeze=False)[:, 0])
    all_axes[-1].set_xlabel("time (s)")
    return figure, all_axes


def _levels(magnitudes: Float32Array, peak: float) -> Float32Array:
    """Magnitudes in dB relative to a peak, clipped at the range of a plot."""
    return np.asarray(20 * np.log10(np.maximum(magnitudes / (peak or 1.0), 10.0 ** (-LEVEL_RANGE / 20))))


def _show_levels(axes: Any, levels: Float32Array, extent: tuple[float, float, float, float]) -> Any:
    """Draw levels (rows, columns) in dB, rows upward."""
    return axes.imshow(levels, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-LEVEL_RANGE, vmax=0)
