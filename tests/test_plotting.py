"""Plots: basis spectra, axes and levels."""

import numpy as np
import pytest

from basis_melgan import plotting
from basis_melgan.config.frames import FrameGeometry

FRAMES = FrameGeometry()
HERTZ = (9000.0, 1500.0, 6000.0, 3000.0)  # whole bins of 512 at 24 kHz


def tones() -> np.ndarray:
    """A basis (4, 30) of windowed tones of different loudness, out of order."""
    time = np.arange(FRAMES.basis_length) / FRAMES.sample_rate
    waves = [np.cos(2 * np.pi * hertz * time) for hertz in HERTZ]
    return (np.array([[0.1], [3.0], [1.0], [0.5]]) * waves * np.hanning(FRAMES.basis_length)).astype(np.float32)


def test_spectra_are_sorted_by_peak_frequency() -> None:
    spectra = plotting.basis_spectra(tones(), FRAMES)
    assert spectra.order.tolist() == [1, 3, 2, 0]
    bin_width = FRAMES.sample_rate / plotting.FFT
    np.testing.assert_allclose(
        spectra.peaks, sorted(HERTZ), atol=3 * bin_width
    )  # the window shifts the peak of a short tone
    np.testing.assert_allclose(spectra.hertz, np.arange(plotting.FFT // 2 + 1) * bin_width)
    np.testing.assert_array_equal(spectra.hertz[spectra.magnitudes.argmax(axis=1)], spectra.peaks)
    np.testing.assert_allclose(spectra.magnitudes.max(axis=1), 1.0)


def test_spectra_equal_the_fourier_transform_of_the_atoms() -> None:
    atoms = np.random.default_rng(0).standard_normal((5, FRAMES.basis_length)).astype(np.float32)
    spectra = plotting.basis_spectra(atoms, FRAMES)
    cycles = np.outer(spectra.hertz, np.arange(FRAMES.basis_length)) / FRAMES.sample_rate
    expected = np.abs(atoms[spectra.order] @ np.exp(-2j * np.pi * cycles).T)
    expected /= expected.max(axis=1, keepdims=True)
    np.testing.assert_allclose(spectra.magnitudes, expected, atol=1e-4)


def test_equal_peaks_keep_their_order_and_zero_atoms_have_zero_magnitude() -> None:
    atoms = np.stack([tones()[1], 2 * tones()[1], np.zeros(FRAMES.basis_length, np.float32)])
    spectra = plotting.basis_spectra(atoms, FRAMES)
    assert spectra.order.tolist() == [2, 0, 1]
    assert spectra.magnitudes[0].max() == 0.0


def test_basis_longer_than_the_fft() -> None:
    frames = FrameGeometry(hop=600, basis_length=1200, stride=600)
    time = np.arange(frames.basis_length) / frames.sample_rate
    spectra = plotting.basis_spectra(np.cos(2 * np.pi * 1000 * time)[None].astype(np.float32), frames)
    assert spectra.peaks.tolist() == [1000.0]
    assert spectra.magnitudes.shape == (1, 601)


def test_axes_of_the_basis_plot() -> None:
    axes, bar = plotting.plot_basis(tones(), FRAMES).axes
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("atom, by peak frequency", "frequency (Hz)")
    (image,) = axes.images
    assert tuple(image.get_extent()) == (0, 4, 0, 12_000)
    assert image.origin == "lower"
    np.testing.assert_array_equal(image.get_array(), plotting.basis_spectra(tones(), FRAMES).magnitudes.T)
    assert "magnitude" in bar.get_ylabel()


def test_weight_plots_have_separate_scales_and_rows_in_hertz() -> None:
    speech = np.zeros((4, 1600), np.float32)
    speech[0, 0], speech[3, 1] = 2.0, 0.2
    weights = {"speech": speech, "noise": speech / 2}
    peaks = np.array([100.0, 200.0, 3000.0, 11_000.0], np.float32)
    figure = plotting.plot_weights(weights, peaks, FRAMES)
    upper, lower = figure.axes[:2]
    assert [axes.get_title() for axes in (upper, lower)] == ["speech", "noise"]
    assert lower.get_xlabel() == "time (s)"
    assert {axes.get_ylabel() for axes in (upper, lower)} == {"peak of atom (Hz)"}
    assert [label.get_text() for label in upper.get_yticklabels()] == ["100", "200", "3000", "11000"]
    assert upper.get_yticks().tolist() == [0.5, 1.5, 2.5, 3.5]
    assert tuple(upper.images[0].get_extent()) == (0, 1.0, 0, 4)
    for axes in (upper, lower):
        levels = axes.images[0].get_array()
        assert levels[0, 0] == 0.0
        assert levels[3, 1] == pytest.approx(-20.0, abs=1e-4)
        assert levels[2, 5] == pytest.approx(-80.0)


def test_zero_weights_can_be_plotted() -> None:
    figure = plotting.plot_weights({"speech": np.zeros((2, 10), np.float32)}, np.array([1.0, 2.0], np.float32), FRAMES)
    assert np.unique(figure.axes[0].images[0].get_array()).tolist() == [-80.0]


def test_many_rows_have_a_limited_number_of_labels() -> None:
    peaks = np.linspace(0, 12_000, 256, dtype=np.float32)
    axes = plotting.plot_weights({"speech": np.ones((256, 8), np.float32)}, peaks, FRAMES).axes[0]
    labels = [float(label.get_text()) for label in axes.get_yticklabels()]
    assert len(labels) == plotting.TICKS
    assert labels == sorted(labels)
    assert (labels[0], labels[-1]) == (0.0, 12_000.0)


def test_spectrogram_of_a_tone_has_its_frequency_and_level() -> None:
    time = np.arange(24_000) / FRAMES.sample_rate
    wave = np.sin(2 * np.pi * 3000 * time).astype(np.float32)
    axes = plotting.plot_spectrograms({"tone": wave, "half": wave / 2}, FRAMES).axes
    loud, soft = (axes[index].images[0].get_array() for index in (0, 1))
    row = 3000 * plotting.SPECTROGRAM_WINDOW // FRAMES.sample_rate
    assert set(loud[:, 5:-5].argmax(axis=0)) == {row}
    np.testing.assert_allclose(loud[row, 5:-5], 0.0, atol=0.1)
    np.testing.assert_allclose(soft[row, 5:-5], -6.02, atol=0.1)
    assert axes[0].get_ylabel() == "frequency (Hz)"
    assert tuple(axes[0].images[0].get_extent())[2:] == (0, 12_000)
