"""Quadrature pairs: norms, quarter turns, a cover of the spectrum, and windows as long as their widths ask."""

import numpy as np
import pytest

from basis_melgan.config import Frames
from basis_melgan.models.pairs import quadrature_pairs

FRAMES = Frames(basis_length=960, stride=240)


@pytest.mark.parametrize("spacing", ["linear", "mixed"])
def test_pairs_have_unit_norm_and_lie_a_quarter_turn_apart(spacing):
    pairs = quadrature_pairs(64, spacing, FRAMES)
    assert pairs.signals.shape == (128, 960)
    np.testing.assert_allclose(np.linalg.norm(pairs.signals, axis=1), 1.0)
    cosines, sines = np.split(pairs.signals, 2)
    np.testing.assert_allclose((cosines * sines).sum(axis=1), 0.0, atol=1e-12)
    spectra = np.abs(np.fft.rfft(cosines, 24_000))  # bins of 1 Hz
    np.testing.assert_allclose(spectra.argmax(axis=1), pairs.frequencies, atol=12.0)


@pytest.mark.parametrize("spacing", ["linear", "mixed"])
def test_widths_cover_the_spectrum_once(spacing):
    pairs = quadrature_pairs(100, spacing, FRAMES)
    assert pairs.widths.sum() == pytest.approx(12_000.0)
    ends = np.cumsum(pairs.widths)
    assert np.all((ends - pairs.widths < pairs.frequencies) & (pairs.frequencies < ends))
    assert np.all(np.diff(pairs.widths) >= -1e-9)


def test_windows_are_as_long_as_widths_ask_within_two_strides_and_the_basis():
    pairs = quadrature_pairs(256, "mixed", FRAMES)
    lengths = (pairs.signals[:256] ** 2 > 0).sum(axis=1)
    assert lengths[0] == pytest.approx(24_000 / pairs.widths[0], abs=4)
    assert 800 < lengths[0] <= 960
    assert lengths[-1] == pytest.approx(480, abs=4)
    assert np.all(np.diff(lengths) <= 8)


def test_steady_weights_make_a_steady_tone():
    pairs = quadrature_pairs(256, "mixed", FRAMES)
    for index in (20, 128, 250):
        turn = 2 * np.pi * pairs.frequencies[index] * 240 / 24_000 * np.arange(40)
        cosine, sine = pairs.signals[index], pairs.signals[256 + index]
        wave = np.zeros(40 * 240 + 720)
        for frame in range(40):
            wave[frame * 240 :][:960] += np.cos(turn[frame]) * cosine - np.sin(turn[frame]) * sine
        inside = wave[2_400:-2_400]
        power = np.square(inside).reshape(-1, 240).mean(axis=1)
        assert power.std() / power.mean() < 0.1
