"""STFT magnitudes and their gradient against NumPy's transform and PyTorch's own gradient."""

import numpy as np
import pytest
import torch

from basis_melgan.models.stft import stft_magnitude

FLOOR = 5e-3
RESOLUTIONS = [
    (2048, 512, 2048),
    (128, 32, 128),
    (1024, 120, 600),  # window shorter than the FFT, a multiple of the hop
    (512, 50, 240),  # window no multiple of the hop
    (256, 40, 201),  # odd window length
    (64, 64, 64),
]


def test_magnitudes_equal_numpys_fft() -> None:
    wave = np.random.default_rng(0).standard_normal(3_000)
    padded = np.pad(wave, 512)
    window = np.zeros(1_024)
    window[212:812] = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(600) / 600)
    frames = np.stack([padded[start : start + 1_024] * window for start in range(0, 3_001, 120)])
    expected = np.hypot(np.abs(np.fft.rfft(frames)), FLOOR)
    magnitude = stft_magnitude(torch.from_numpy(wave)[None], (1_024, 120, 600), FLOOR)[0]
    np.testing.assert_allclose(magnitude.numpy(), expected, rtol=1e-9)


@pytest.mark.parametrize("resolution", RESOLUTIONS)
@pytest.mark.parametrize(
    ("samples", "floor", "pad_mode"),
    [
        (5_000, FLOOR, "constant"),
        (5_120, FLOOR, "constant"),
        (1, FLOOR, "constant"),
        (5_000, 0.0, "reflect"),
        (5_120, FLOOR, "reflect"),
    ],
)
def test_magnitudes_and_gradients_equal_pytorchs_stft(
    resolution: tuple[int, int, int], samples: int, floor: float, pad_mode: str
) -> None:
    torch.manual_seed(0)
    wave = torch.randn(2, samples, dtype=torch.float64, requires_grad=True)
    size, hop, length = resolution
    window = torch.hann_window(length, dtype=torch.float64)
    spectrum = torch.stft(wave, size, hop, length, window, pad_mode=pad_mode, return_complex=True).transpose(1, 2)
    expected = (spectrum.abs().square() + floor**2).sqrt()
    magnitude = stft_magnitude(wave, resolution, floor, pad_mode)
    torch.testing.assert_close(magnitude, expected, rtol=1e-9, atol=1e-12)
    output_gradient = torch.randn_like(magnitude)
    (expected_gradient,) = torch.autograd.grad(expected, wave, output_gradient)
    (gradient,) = torch.autograd.grad(magnitude, wave, output_gradient)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("size", [32, 31])
@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
def test_gradient_equals_finite_differences(size: int, pad_mode: str) -> None:
    torch.manual_seed(0)
    wave = torch.randn(1, 90, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda wave: stft_magnitude(wave, (size, 8, 24), FLOOR, pad_mode), wave)


def test_gradient_of_digital_silence_without_floor_is_zero() -> None:
    wave = torch.zeros(1, 500, requires_grad=True)
    stft_magnitude(wave, (64, 16, 64)).sum().backward()
    assert torch.equal(wave.grad, torch.zeros_like(wave))
