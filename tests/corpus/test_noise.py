"""Noise for mixtures: spectrum and level, and that it depends on the random generator alone."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from basis_melgan.audio import files
from basis_melgan.corpus import noise
from basis_melgan.errors import CorpusError

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
RATE = 24_000


def rms(wave: files.Wave) -> float:
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64))))


def spectrum(wave: files.Wave, size: int = 24_000) -> np.ndarray:
    """Mean power of segments of one second: bin k is k Hz."""
    return np.mean(np.abs(np.fft.rfft(wave.reshape(-1, size) * np.hanning(size))) ** 2, axis=0)


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_power_falls_by_the_slope(slope: float) -> None:
    power = spectrum(noise.colored_noise(np.random.default_rng(1), 60 * RATE, slope))
    edges = np.geomspace(60, 11_000, 25).astype(int)
    bands = [power[low:high].mean() for low, high in pairwise(edges)]
    middles = np.sqrt(edges[:-1] * edges[1:])
    fitted, _ = np.polyfit(np.log(middles), np.log(bands), 1)
    assert fitted == pytest.approx(-slope, abs=0.04)


def test_the_spectrum_is_flat_below_20_hz() -> None:
    powers = [
        np.abs(np.fft.rfft(noise.colored_noise(np.random.default_rng(seed), 10 * RATE, 2.0))) ** 2 for seed in range(40)
    ]
    power = np.mean(powers, axis=0)  # bins of 0.1 Hz
    assert power[1:100].mean() == pytest.approx(power[100:200].mean(), rel=0.1)
    assert power[200:220].mean() > 3 * power[400:440].mean()


@pytest.mark.parametrize("slope", [1.0, 2.0])
@pytest.mark.parametrize("samples", [1, 2, 999, 24_000])
def test_colored_noise_has_unit_rms(slope: float, samples: int) -> None:
    wave = noise.colored_noise(np.random.default_rng(0), samples, slope)
    assert (wave.shape, wave.dtype) == ((samples,), np.float32)
    assert rms(wave) == pytest.approx(1.0, abs=1e-5)


def test_white_noise_is_gaussian() -> None:
    wave = noise.colored_noise(np.random.default_rng(0), 200_000, 0.0).astype(np.float64)
    assert wave.mean() == pytest.approx(0.0, abs=0.01)
    assert wave.std() == pytest.approx(1.0, abs=0.01)
    assert np.mean(wave**4) == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("snr", [-4.0, 0.0, 20.0])
def test_white_noise_has_exactly_the_snr(snr: float) -> None:
    speech = files.read(CLIPS[0])[0]
    wave = noise.white_noise(np.random.default_rng([1, 2]), speech, snr)
    assert (wave.shape, wave.dtype) == (speech.shape, np.float32)
    assert 20 * np.log10(rms(speech) / rms(wave)) == pytest.approx(snr, abs=1e-4)
    gaussian = np.random.default_rng([1, 2]).standard_normal(len(speech))
    np.testing.assert_allclose(wave, gaussian * rms(wave) / rms(gaussian), rtol=1e-6)
    assert not noise.white_noise(np.random.default_rng(0), np.zeros(100, np.float32), snr).any()


def test_noise_over_speech_is_white() -> None:
    wave = noise.white_noise(np.random.default_rng(1), np.ones(48_000, np.float32), 0.0)
    power = np.square(np.abs(np.fft.rfft(wave)))[1:].reshape(8, -1).mean(axis=1)
    np.testing.assert_allclose(power / power.mean(), 1.0, atol=0.1)


def test_noise_is_a_function_of_the_generator() -> None:
    def draw(seed: int) -> list[files.Wave]:
        rng = np.random.default_rng(seed)
        return [
            noise.colored_noise(rng, 500, 1.0),
            noise.excerpt(rng, CLIPS[0], 500, RATE),
            noise.babble(rng, CLIPS, 500, RATE),
        ]

    for wave, same_seed_wave, other_seed_wave in zip(draw(3), draw(3), draw(4), strict=True):
        np.testing.assert_array_equal(wave, same_seed_wave)
        assert not np.array_equal(wave, other_seed_wave)


def test_an_excerpt_is_a_part_of_the_recording() -> None:
    recording = files.read(CLIPS[0])[0]
    starts = set()
    for seed in range(5):
        part = noise.excerpt(np.random.default_rng(seed), CLIPS[0], 4_000, RATE)
        peak = int(np.abs(part).argmax())
        places = np.flatnonzero(recording == part[peak]) - peak
        matches = [p for p in places if np.array_equal(recording[max(p, 0) : p + 4_000], part)]
        assert len(matches) == 1
        starts.add(matches[0])
    assert len(starts) == 5


def test_an_excerpt_of_a_short_recording_is_repeated(tmp_path: Path) -> None:
    short = np.linspace(-0.5, 0.5, 700, dtype=np.float32)
    soundfile.write(tmp_path / "short.wav", short, RATE, subtype="FLOAT")
    part = noise.excerpt(np.random.default_rng(0), tmp_path / "short.wav", 2_000, RATE)
    np.testing.assert_array_equal(part, np.tile(short, 3)[:2_000])


def test_an_excerpt_is_resampled(tmp_path: Path) -> None:
    tone = 0.5 * np.sin(2 * np.pi * 1_000 * np.arange(32_000) / 16_000)
    soundfile.write(tmp_path / "tone.wav", tone, 16_000)
    part = noise.excerpt(np.random.default_rng(0), tmp_path / "tone.wav", RATE, RATE)
    assert part.shape == (RATE,)
    assert int(np.abs(np.fft.rfft(part * np.hanning(RATE))).argmax()) == 1_000


def test_an_empty_recording_is_refused(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    with pytest.raises(CorpusError, match=r"empty\.wav: holds no samples; remove it"):
        noise.excerpt(np.random.default_rng(0), tmp_path / "empty.wav", 100, RATE)


def test_babble_is_many_voices_at_unit_rms() -> None:
    def excess(wave: files.Wave) -> float:
        return float(np.mean(wave.astype(np.float64) ** 4) / np.mean(wave.astype(np.float64) ** 2) ** 2)

    babble = noise.babble(np.random.default_rng(0), CLIPS, 48_000, RATE)
    alone = noise.excerpt(np.random.default_rng(0), CLIPS[0], 48_000, RATE)
    assert rms(babble) == pytest.approx(1.0, abs=1e-5)
    assert excess(babble) < excess(alone)  # voices together come nearer to a Gaussian


def test_unit_rms_leaves_silence_alone() -> None:
    np.testing.assert_array_equal(noise.unit_rms(np.zeros(10, dtype=np.float32)), np.zeros(10, dtype=np.float32))
    assert rms(noise.unit_rms(np.full(10, 1e-3, dtype=np.float32))) == pytest.approx(1.0)
