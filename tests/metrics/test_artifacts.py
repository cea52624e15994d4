"""Tonal artifacts and noise-floor rise: closed forms for tones, combs and noise added to a pause."""

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.errors import AudioError
from basis_melgan.metrics import artifacts
from basis_melgan.metrics.artifacts import high_band_artifacts

RATE = 24_000
TIME = np.arange(48_000) / RATE
NOISE = 1e-3  # standard deviation of the noise in the pause
GEOMETRIC = np.exp(-np.euler_gamma)  # of an exponential variable, over its mean


def white(sigma: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=sigma, size=TIME.size)


def tones(power: float, *frequencies: float) -> np.ndarray:
    """Tones of `power` each."""
    phases = np.arange(len(frequencies))
    return np.sqrt(2 * power) * sum(np.sin(2 * np.pi * f * TIME + p) for f, p in zip(frequencies, phases, strict=True))


def recording(noise: float) -> np.ndarray:
    """Half a second of voice, and 1.5 seconds of noise or digital silence."""
    return white(noise, 0) + np.where(TIME < 0.5, voice(), 0.0)


def voice() -> np.ndarray:
    """Pulses at 120 Hz whose spectrum falls by 6 dB an octave, as a voice's does at the least."""
    pulses = np.zeros(TIME.size)
    pulses[200::200] = 0.8
    return np.convolve(pulses, 0.9 ** np.arange(100))[: TIME.size]


def single(wave: np.ndarray) -> files.Wave:
    return wave.astype(np.float32)


def masking_noise(wave: np.ndarray) -> float:
    """Power per Hz of the noise that masks inaudible differences."""
    return float(np.mean(wave**2)) * 1e-7 / (RATE / 2)


def power_per_hz(sigma: float) -> float:
    return sigma**2 / (RATE / 2)


@pytest.mark.parametrize("noise", [0.0, NOISE], ids=["gated", "noisy"])
def test_an_identical_estimate_has_no_artifacts(noise):
    wave = single(recording(noise))
    assert high_band_artifacts(wave, wave.copy(), RATE) == (0.0, 0.0)


@pytest.mark.parametrize("frequency", [4_730.0, 8_000.0, 9_607.0])
@pytest.mark.parametrize("noise", [0.0, NOISE], ids=["gated", "noisy"])
def test_a_tone_scores_its_power_over_the_floor_in_a_kilohertz(noise, frequency):
    wave = recording(noise)
    floor = power_per_hz(noise) * GEOMETRIC + masking_noise(wave)
    for decibels in (3.0, 20.0):
        added = high_band_artifacts(
            single(wave), single(wave + tones(floor * 1_000 * 10 ** (decibels / 10), frequency)), RATE
        )
        assert added.tonal_artifacts == pytest.approx(10 * np.log10(1 + 10 ** (decibels / 10)), abs=0.5)
        assert added.noise_floor_rise == pytest.approx(0.0, abs=0.2)


def test_the_tones_of_a_comb_add_up():
    wave = recording(NOISE)
    floor = power_per_hz(NOISE) * GEOMETRIC
    comb = tones(floor * 1_000 * 10, 4_800, 6_400, 8_000, 9_600, 11_200)
    added = high_band_artifacts(single(wave), single(wave + comb), RATE)
    assert added.tonal_artifacts == pytest.approx(10 * np.log10(1 + 5 * 10), abs=0.5)
    assert added.noise_floor_rise == pytest.approx(0.0, abs=0.3)
    removed = high_band_artifacts(single(wave + comb), single(wave), RATE)
    assert removed.tonal_artifacts == pytest.approx(-added.tonal_artifacts, abs=0.1)


def test_a_comb_too_narrow_for_tones_raises_the_floor():
    wave = recording(NOISE)
    comb = tones(power_per_hz(NOISE) * 60 * 10, *range(4_080, 12_000, 60))  # ten times the noise
    added = high_band_artifacts(single(wave), single(wave + comb), RATE)
    assert added.tonal_artifacts == pytest.approx(0.0, abs=0.5)
    assert added.noise_floor_rise == pytest.approx(10 * np.log10(1 + 10), abs=1.0)


def test_noise_raises_the_floor_by_its_own_power():
    wave = recording(NOISE)
    for sigma in (NOISE, 10 * NOISE):
        added = high_band_artifacts(single(wave), single(wave + white(sigma, 1)), RATE)
        assert added.noise_floor_rise == pytest.approx(10 * np.log10(1 + (sigma / NOISE) ** 2), abs=0.5)
        assert added.tonal_artifacts == pytest.approx(0.0, abs=0.5)


def test_a_band_of_noise_raises_the_floor_by_its_fraction_of_the_band():
    wave = recording(NOISE)
    spectrum = np.fft.rfft(white(10 * NOISE, 1))
    frequencies = np.fft.rfftfreq(TIME.size, 1 / RATE)
    band = np.fft.irfft(np.where((frequencies > 6_000) & (frequencies < 8_000), spectrum, 0.0), TIME.size)
    added = high_band_artifacts(single(wave), single(wave + band), RATE)
    assert added.noise_floor_rise == pytest.approx(2_000 / 8_000 * 10 * np.log10(1 + 100), abs=0.5)
    assert added.tonal_artifacts == pytest.approx(0.0, abs=0.5)


def test_a_quieter_estimate_lowers_the_noise_floor():
    wave = recording(NOISE)
    halved = high_band_artifacts(single(wave), single(0.5 * wave), RATE)
    assert halved == (pytest.approx(0.0, abs=1e-6), pytest.approx(-20 * np.log10(2), abs=0.1))


def test_inaudible_noise_and_tones_below_4_khz_or_in_voice_do_not_count():
    wave = recording(0.0)
    inaudible = np.sqrt(masking_noise(wave) * RATE / 2) / 10
    low = tones(1e-4, 440.0, 3_000.0)
    voiced = np.where(TIME < 0.45, tones(1e-4, 6_000.0), 0.0)
    for added in (white(inaudible, 1), low, voiced):
        assert high_band_artifacts(single(wave), single(wave + added), RATE) == pytest.approx((0.0, 0.0), abs=0.1)


def test_the_band_is_that_of_the_recording():
    """A 16 kHz recording at 24 kHz has no band above 8 kHz, so its noise there is no reference."""
    wave = files.resample(single(recording(NOISE)), RATE, 16_000)
    wave = files.resample(wave, 16_000, RATE)[: TIME.size].astype(np.float64)
    above = high_band_artifacts(single(wave), single(wave + tones(1e-5, 9_600.0)), RATE)
    assert above == pytest.approx((0.0, 0.0), abs=0.1)
    within = high_band_artifacts(single(wave), single(wave + tones(1e-5, 6_400.0)), RATE)
    assert within.tonal_artifacts == pytest.approx(
        10 * np.log10(1 + 1e-5 / (power_per_hz(NOISE) * GEOMETRIC * 1_000)), abs=0.5
    )


def test_an_unvoiced_sound_between_voiced_ones_is_measured():
    burst = (TIME > 0.9) & (TIME < 1.05)
    wave = np.where(burst, white(0.05, 0), voice())
    estimate = np.where(burst, wave + tones(0.05**2, 6_000.0), wave)
    assert high_band_artifacts(single(wave), single(estimate), RATE).tonal_artifacts > 5.0


def test_invalid_waves_raise_one_line():
    wave = single(recording(NOISE))
    for reference, estimate, message in (
        (wave, wave[:-1], r"shapes: \(47999,\) against \(48000,\)"),
        (wave, np.zeros_like(wave), "estimate: silent"),
        (wave[:11_000], wave[:11_000], r"\d of 82 frames of the recording are silent or unvoiced, 10 are needed"),
        (wave[:300], wave[:300], "0 of 0 frames"),
        (files.resample(files.resample(wave, RATE, 8_000), 8_000, RATE), wave, r"band ends at (3\d|40)\d\d Hz"),
    ):
        with pytest.raises(AudioError, match=message) as caught:
            high_band_artifacts(reference, estimate, RATE)
        assert "\n" not in str(caught.value)


def test_the_power_of_a_tone_is_the_area_under_its_line():
    wave = tones(0.02, 6_007.0)
    frames = artifacts._power_frames(wave, RATE)
    assert frames.shape == (1 + (TIME.size - 1_200) // 120, 601)
    np.testing.assert_allclose(frames.sum(axis=1) * RATE / 1_200, 0.02, rtol=1e-3)
