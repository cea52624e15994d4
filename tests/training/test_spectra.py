"""Magnitudes that losses share: computed once, in float32, over the floor."""

import torch

from basis_melgan.models.stft import stft_magnitude
from basis_melgan.training.spectra import MAGNITUDE_FLOOR, Spectra


def test_wave_is_transformed_once_per_resolution() -> None:
    wave = torch.randn(1, 1_000).half()
    spectra = Spectra(wave)
    magnitude = spectra.magnitude((64, 16, 64))
    assert spectra.magnitude((64, 16, 64)) is magnitude
    assert magnitude.dtype == torch.float32
    assert magnitude.shape == (1, 63, 33)
    assert torch.equal(magnitude, stft_magnitude(wave.float(), (64, 16, 64), MAGNITUDE_FLOOR))


def test_magnitudes_of_silence_are_the_floor() -> None:
    magnitude = Spectra(torch.zeros(1, 200)).magnitude((64, 16, 64))
    torch.testing.assert_close(magnitude, torch.full_like(magnitude, MAGNITUDE_FLOOR))
