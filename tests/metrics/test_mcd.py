"""The mel-cepstrum and its distortion against closed forms."""

import numpy as np
import pytest

from basis_melgan.metrics import mcd

RATE = 24_000


@pytest.mark.parametrize(("rate", "alpha"), [(8_000, 0.312), (16_000, 0.41), (24_000, 0.466), (48_000, 0.554)])
def test_the_warping_equals_pysptk_tables(rate, alpha):
    assert mcd.warping(rate) == pytest.approx(alpha, abs=1e-9)


def test_the_mel_cepstrum_of_a_warped_cosine_is_one_coefficient():
    alpha, omega = mcd.warping(RATE), np.linspace(0, np.pi, 1025)
    # The phase of the all-pass filter, as such.
    z = np.exp(-1j * omega)
    warped = -np.unwrap(np.angle((z - alpha) / (1 - alpha * z)))
    expected = np.zeros((1, 25))
    expected[0, [0, 3, 24]] = 0.5, 1.0, -0.25
    logarithm = 0.5 + np.cos(3 * warped) - 0.25 * np.cos(24 * warped)
    np.testing.assert_allclose(mcd.mel_cepstrum(np.exp(2 * logarithm)[None], RATE), expected, atol=1e-9)


def frequency_transform(coefficients: list[float], order: int, alpha: float) -> np.ndarray:
    """Oppenheim and Johnson's recursion: cepstrum on the linear scale to cepstrum on the warped one."""
    warped = np.zeros(order + 1)
    for coefficient in reversed(coefficients):
        before = warped.copy()
        warped[0] = coefficient + alpha * before[0]
        warped[1] = (1 - alpha**2) * before[0] + alpha * before[1]
        for m in range(2, order + 1):
            warped[m] = before[m - 1] + alpha * (before[m] - warped[m - 1])
    return warped


def test_the_mcd_of_a_filtered_wave_is_that_of_the_filter(noise):
    # ln(1 + 0.5 z⁻¹) has the cepstrum −(−0.5)^n / n.
    coefficients = [0.0, *(-((-0.5) ** n) / n for n in range(1, 60))]
    differences = frequency_transform(coefficients, 24, mcd.warping(RATE))[1:]
    expected = 10 / np.log(10) * np.sqrt(2 * np.sum(differences**2))
    filtered = noise.copy()
    filtered[1:] += 0.5 * noise[:-1]
    assert mcd.mel_cepstral_distortion(noise, filtered, RATE) == pytest.approx(expected, rel=0.05)


def test_the_mcd_ignores_level(speech):
    assert mcd.mel_cepstral_distortion(speech, 0.25 * speech, RATE) == pytest.approx(0.0, abs=1e-3)


def test_an_empty_band_does_not_decide_the_mcd(speech):
    rounded = np.round(speech * 2**15 + 0.3).astype(np.float32) / 2**15
    assert mcd.mel_cepstral_distortion(speech, rounded, RATE) < 0.1
