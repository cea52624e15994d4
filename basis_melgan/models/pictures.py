"""Pictures of a basis and of weights, with labelled axes, as matplotlib figures."""

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from basis_melgan.config import Frames

FFT = 512  # bins of 47 Hz at 24 kHz: smooth curves even for short signals


def basis_spectra(signals: npt.NDArray[np.float32], frames: Frames) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Magnitude spectra (N, bins) of basis signals (N, L), sorted by peak frequency, each to a peak of 1; and bins in Hz."""
    n_fft = max(FFT, frames.basis_length)
    spectra = np.abs(np.fft.rfft(signals, n_fft))
    spectra = spectra[np.argsort(spectra.argmax(axis=1), kind="stable")]
    spectra /= np.maximum(spectra.max(axis=1, keepdims=True), 1e-12)
    return spectra.astype(np.float32), np.fft.rfftfreq(n_fft, 1 / frames.sample_rate).astype(np.float32)


def basis(signals: npt.NDArray[np.float32], frames: Frames) -> Figure:
    """The basis picture: spectra of the basis signals sorted by peak frequency, signals rightwards, frequency upwards."""
    spectra, hertz = basis_spectra(signals, frames)
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    extent = (0, len(spectra), hertz[0], hertz[-1])
    image = axes.imshow(spectra.T, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="nearest")
    axes.set(xlabel="basis signal, by peak frequency", ylabel="frequency (Hz)")
    figure.colorbar(image, label="magnitude, relative to the signal's peak")
    return figure


def weights(sources: dict[str, npt.NDArray[np.float32]], frames: Frames) -> Figure:
    """Weight matrices (N, K) one over another, each under its title, in dB below the largest weight of all."""
    figure = Figure(figsize=(9, 2.6 * len(sources)), layout="constrained")
    all_axes = figure.subplots(len(sources), sharex=True, squeeze=False)[:, 0]
    peak = max(float(matrix.max()) for matrix in sources.values()) or 1.0
    for axes, (title, matrix) in zip(all_axes, sources.items(), strict=True):
        levels = 20 * np.log10(np.maximum(matrix / peak, 1e-4))
        extent = (0, matrix.shape[1] / frames.weight_rate, 0, len(matrix))
        image = axes.imshow(levels, origin="lower", aspect="auto", extent=extent, cmap="magma", vmin=-80, vmax=0)
        axes.set(title=title, ylabel="basis signal, by peak frequency")
        figure.colorbar(image, ax=axes, label="weight (dB)")
    all_axes[-1].set_xlabel("time (s)")
    return figure
