"""Pictures of a basis and of weights, with labeled axes, as matplotlib figures."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from basis_melgan.config.frames import FrameGeometry

SPECTROGRAM_WINDOW = 1024  # samples
FFT = 512  # bins of 47 Hz at 24 kHz: smooth curves even for short signals
TICKS = 6  # rows of a weight matrix that are labeled


class BasisSpectra(NamedTuple):
    """What basis signals sound like, sorted by peak frequency.

    Attributes:
        order: (N,), the place of each sorted signal in the basis.
        peaks: (N,), frequency in Hz where each sorted signal is strongest.
        magnitudes: (N, bins), magnitude spectrum of each sorted signal, to a peak of 1; a silent signal's is 0.
        hertz: (bins,), frequency of each bin in Hz.
    """

    order: npt.NDArray[np.int64]
    peaks: npt.NDArray[np.float32]
    magnitudes: npt.NDArray[np.float32]
    hertz: npt.NDArray[np.float32]


def basis_spectra(signals: npt.NDArray[np.float32], frames: FrameGeometry) -> BasisSpectra:
    """Magnitude spectra of basis signals (N, L), sorted by peak frequency."""
    n_fft = max(FFT, frames.basis_length)
    magnitudes = np.abs(np.fft.rfft(signals, n_fft))
    hertz = np.fft.rfftfreq(n_fft, 1 / frames.sample_rate).astype(np.float32)
    peaks = hertz[magnitudes.argmax(axis=1)]
    order = np.argsort(peaks, kind="stable")
    magnitudes /= np.maximum(magnitudes.max(axis=1, keepdims=True), 1e-12)
    return BasisSpectra(order, peaks[order], magnitudes[order].astype(np.float32), hertz)


def plot_basis(signals: npt.NDArray[np.float32], frames: FrameGeometry) -> Figure:
    """The basis picture: spectra of basis signals sorted by peak frequency, signals rightwards, frequency upwards."""
    _, _, magnitudes, hertz = basis_spectra(signals, frames)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    extent = (0, len(magnitudes), hertz[0], hertz[-1])
    image = axes.imshow(
        magnitudes.T, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="nearest"
    )
    axes.set(xlabel="basis signal, by peak frequency", ylabel="frequency (Hz)")
    figure.colorbar(image, label="magnitude, relative to the signal's peak")
    return figure


def plot_weights(
    sources: dict[str, npt.NDArray[np.float32]], peaks: npt.NDArray[np.float32], frames: FrameGeometry
) -> Figure:
    """Weight matrices (N, K) one over another, each under its title, in dB below its own largest weight.

    Masks are unbounded, so that levels of different matrices are no measure of one another.

    Args:
        sources: the matrices by title, rows sorted as `basis_spectra` says.
        peaks: (N,), peak frequency in Hz of each row's basis signal.
        frames: gives the rate of the columns.
    """
    figure = Figure(figsize=(9, 2.6 * len(sources)), layout="constrained")
    all_axes = figure.subplots(len(sources), sharex=True, squeeze=False)[:, 0]
    rows = np.unique(np.linspace(0, len(peaks) - 1, TICKS).round().astype(int))
    for axes, (title, matrix) in zip(all_axes, sources.items(), strict=True):
        sizes = np.abs(matrix)  # those of pairs are signed
        levels = 20 * np.log10(np.maximum(sizes / (sizes.max() or 1.0), 1e-4))
        extent = (0, matrix.shape[1] / frames.weight_rate, 0, len(matrix))
        image = axes.imshow(levels, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-80, vmax=0)
        axes.set(title=title, ylabel="peak of basis signal (Hz)")
        axes.set_yticks(rows + 0.5, [f"{peaks[row]:.0f}" for row in rows])
        figure.colorbar(image, ax=axes, label="weight (dB of the largest)")
    all_axes[-1].set_xlabel("time (s)")
    return figure


def plot_spectrograms(waves: dict[str, npt.NDArray[np.float32]], frames: FrameGeometry) -> Figure:
    """Spectrograms of waves (T,), each under its title, in dB below the loudest bin of all."""
    figure = Figure(figsize=(9, 2.6 * len(waves)), layout="constrained")
    all_axes = figure.subplots(len(waves), sharex=True, squeeze=False)[:, 0]
    window = np.hanning(SPECTROGRAM_WINDOW).astype(np.float32)
    magnitudes = {}
    for title, wave in waves.items():
        padded = np.pad(wave, SPECTROGRAM_WINDOW // 2)
        segments = np.lib.stride_tricks.sliding_window_view(padded, SPECTROGRAM_WINDOW)[:: frames.hop]
        magnitudes[title] = np.abs(np.fft.rfft(segments * window)).T
    peak = max(float(magnitude.max()) for magnitude in magnitudes.values()) or 1.0
    for axes, (title, magnitude) in zip(all_axes, magnitudes.items(), strict=True):
        levels = 20 * np.log10(np.maximum(magnitude / peak, 1e-4))
        extent = (0, levels.shape[1] * frames.hop / frames.sample_rate, 0, frames.sample_rate / 2)
        image = axes.imshow(levels, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-80, vmax=0)
        axes.set(title=title, ylabel="frequency (Hz)")
        figure.colorbar(image, ax=axes, label="level (dB)")
    all_axes[-1].set_xlabel("time (s)")
    return figure
