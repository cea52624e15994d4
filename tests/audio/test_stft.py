"""The short-time Fourier transform against librosa's and PyTorch's, and its windows against SciPy's."""

import librosa
import numpy as np
import pytest
import scipy.signal
import torch

from basis_melgan.audio.stft import center_frames, hann_window, stft, stft_magnitude

WAVE = np.random.default_rng(0).standard_normal(5_000)


@pytest.mark.parametrize("samples", [2, 24, 1024, 1200])
def test_window_equals_scipy(samples: int) -> None:
    for precision, tolerance in ((np.float32, 1e-7), (np.float64, 1e-15)):
        window = hann_window(samples, precision)
        assert window.dtype == precision
        np.testing.assert_allclose(window, scipy.signal.get_window("hann", samples), atol=tolerance)


def test_cached_windows_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        hann_window(1_200)[0] = 1.0


@pytest.mark.parametrize(("n_fft", "hop", "length"), [(2048, 240, 1200), (512, 50, 240), (1024, 256, 1024)])
def test_centered_magnitudes_equal_librosa(n_fft: int, hop: int, length: int) -> None:
    expected = np.abs(librosa.stft(WAVE, n_fft=n_fft, hop_length=hop, win_length=length, pad_mode="reflect")).T
    magnitudes = stft_magnitude(center_frames(WAVE, length), hann_window(length, np.float64), hop, n_fft)
    np.testing.assert_allclose(magnitudes, expected, atol=1e-10)


@pytest.mark.parametrize(("precision", "tolerance"), [(np.float32, 1e-3), (np.float64, 1e-10)])
def test_spectra_equal_torch_in_the_precision_of_the_wave(precision: type, tolerance: float) -> None:
    window = torch.hann_window(600, dtype=torch.float64)
    expected = torch.stft(torch.from_numpy(WAVE), 600, 130, window=window, center=False, return_complex=True).T
    spectra = stft(WAVE.astype(precision), hann_window(600, precision), 130)
    assert spectra.dtype == np.result_type(precision, np.complex64)
    assert spectra.shape == (1 + (5_000 - 600) // 130, 301)
    np.testing.assert_allclose(spectra, expected.numpy(), atol=tolerance)
