"""Noise for mixtures, generated or cut from recordings; deterministic for a given random generator."""

from pathlib import Path

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.errors import CorpusError

TALKERS = 6  # voices in babble


def colored_noise(rng: np.random.Generator, samples: int, slope: float) -> Wave:
    """Return Gaussian noise (T,) of unit RMS with a power spectrum of f^-slope: 0 is white, 1 pink, 2 brown.

    The spectrum is flat below 1/1200 of the sample rate (20 Hz at 24 kHz); otherwise brown noise would be mostly drift.
    """
    noise = rng.standard_normal(samples).astype(np.float32)
    if slope == 0.0:
        return noise
    spectrum = np.fft.rfft(noise)
    bins = np.arange(len(spectrum))
    corner = max(1, samples // 1200)
    shaped = np.fft.irfft(spectrum * np.maximum(bins, corner) ** (-slope / 2), samples)
    return unit_rms(shaped.astype(np.float32))


def white_noise(rng: np.random.Generator, speech: Wave, snr: float) -> Wave:
    """Return white Gaussian noise (T,) at exactly `snr` dB below a wave (T,); silence if the wave is silent."""
    noise = rng.standard_normal(len(speech))
    power = np.mean(np.square(speech, dtype=np.float64)) / np.mean(np.square(noise))
    return np.asarray(noise * np.sqrt(power) * 10.0 ** (-snr / 20.0), dtype=np.float32)


def excerpt(rng: np.random.Generator, path: Path, samples: int, rate: int) -> Wave:
    """Return a random excerpt (T,) of a sound file, resampled to `rate` Hz; a file that is too short is repeated.

    Raises:
        CorpusError: the file is empty or holds samples that are not finite.
    """
    available, file_rate = files.length(path)
    needed = -(-samples * file_rate // rate) + 1
    start = int(rng.integers(max(available - needed, 0) + 1))
    wave = files.load(path, start, needed).wave  # no warnings: they would repeat with every excerpt
    if len(wave) == 0:
        raise CorpusError(f"{path}: holds no samples; remove it from the noise folder")
    if not np.isfinite(wave).all():
        raise CorpusError(f"{path}: holds NaN or infinite samples; repair it or remove it from the noise folder")
    return np.resize(files.resample(wave, file_rate, rate), samples)


def babble(rng: np.random.Generator, paths: list[Path], samples: int, rate: int) -> Wave:
    """Return the sum (T,), at unit RMS, of `TALKERS` random excerpts of equal level."""
    voices = [unit_rms(excerpt(rng, paths[i], samples, rate)) for i in rng.integers(len(paths), size=TALKERS)]
    return unit_rms(np.sum(voices, axis=0, dtype=np.float32))


def unit_rms(wave: Wave) -> Wave:
    """Scale a wave to an RMS of 1; silence stays silence."""
    rms = float(np.sqrt(np.mean(np.square(wave, dtype=np.float64))))
    return wave / np.float32(rms) if rms > 1e-6 else wave
