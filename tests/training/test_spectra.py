"""STFT magnitudes and their gradient, against NumPy's transform and PyTorch's own way back."""

import numpy as np
import pytest
import torch

from basis_melgan.training import spectra
from basis_melgan.training.spectra import Spectra, stft_magnitude

RESOLUTIONS = [
    (2048, 512, 2048),
    (128, 32, 128),
    (1024, 120, 600),  # a window shorter than the FFT, and of whole hops
    (512, 50, 240),  # of none
    (256, 40, 201),  # of an odd number of samples
    (64, 64, 64),
]


def test_magnitudes_are_those_of_numpys_transform() -> None:
    wave = np.random.default_rng(0).standard_normal(3_000)
    padded = np.pad(wave, 512)
    window = np.zeros(1_024)
    window[212:812] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(600) / 600)
    frames = np.stack([padded[start : start + 1_024] * window for start in range(0, 3_001, 120)])
    expected = np.hypot(np.abs(np.fft.rfft(frames)), spectra.MAGNITUDE_FLOOR)
    found = stft_magnitude(torch.from_numpy(wave)[None], (1_024, 120, 600))[0]
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize("samples", [5_000, 5_120, 1])
def test_magnitudes_and_gradients_are_those_of_pytorchs_stft(resolution: tuple[int, int, int], samples: int) -> None:
    torch.manual_seed(0)
    wave = torch.randn(2, samples, dtype=torch.float64, requires_grad=True)
    size, hop, length = resolution
    window = torch.hann_window(length, dtype=torch.float64)
    spectrum = torch.stft(wave, size, hop, length, window, pad_mode="constant", return_complex=True).transpose(1, 2)
    expected = (spectrum.abs().square() + spectra.MAGNITUDE_FLOOR**2).sqrt()
    found = stft_magnitude(wave, resolution)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-12)
    toward = torch.randn_like(found)
    (theirs,) = torch.autograd.grad(expected, wave, toward)
    (ours,) = torch.autograd.grad(found, wave, toward)
    torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("size", [32, 31])
def test_the_gradient_is_the_slope(size: int) -> None:
    torch.manual_seed(0)
    wave = torch.randn(1, 90, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda each: stft_magnitude(each, (size, 8, 24)), wave)


def test_a_wave_is_transformed_once_a_resolution() -> None:
    found = Spectra(torch.randn(1, 1_000).half())
    assert found.at((64, 16, 64)) is found.at((64, 16, 64))
    assert found.at((64, 16, 64)).dtype == torch.float32
    assert found.at((64, 16, 64)).shape == (1, 63, 33)
