"""Noise for mixtures: each kind is a function of a random generator and a length, or a wave."""

from pathlib import Path

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.errors import CorpusError

TALKERS = 6  # voices in babble


def colored_noise(rng: np.random.Generator, samples: int, slope: float) -> Wave:
    """Gaussian noise (T,) of unit RMS whose power falls as f^-slope: 0 is white, 1 pink, 2 brown.

    Below 1/1200 of the sample rate (20 Hz at 24 kHz) the slope is held, or brown noise would be all drift.
    """
    noise = rng.standard_normal(samples).astype(np.float32)
    if slope == 0.0:
        return noise
    spectrum = np.fft.rfft(noise)
    bins = np.arange(len(spectrum))
    lowest = max(1, samples // 1200)
    shaped = np.fft.irfft(spectrum * np.maximum(bins, lowest) ** (-slope / 2), samples)
    return unit_rms(shaped.astype(np.float32))


def white_noise(rng: np.random.Generator, speech: Wave, snr: float) -> Wave:
    """White Gaussian noise (T,) over which a wave (T,) stands at exactly `snr` dB; silence for silence."""
    drawn = rng.standard_normal(len(speech))
    power = np.mean(np.square(speech, dtype=np.float64)) / np.mean(np.square(drawn))
    return np.asarray(drawn * np.sqrt(power) * 10.0 ** (-snr / 20.0), dtype=np.float32)


def excerpt(rng: np.random.Generator, path: Path, samples: int, rate: int) -> Wave:
    """A randomly placed excerpt (T,) of a sound file at `rate` Hz, repeated where the file is too short."""
    available, own_rate = files.length(path)
    needed = -(-samples * own_rate // rate) + 1
    start = int(rng.integers(max(available - needed, 0) + 1))
    wave = files.load(path, start, needed).wave  # without warnings, which would come with every excerpt
    if len(wave) == 0:
        raise CorpusError(f"{path}: holds no sound; take it out of the noise folder")
    if not np.isfinite(wave).all():
        raise CorpusError(f"{path}: holds NaN or infinite samples; take it out of the noise folder, or repair it")
    return np.resize(files.resample(wave, own_rate, rate), samples)


def babble(rng: np.random.Generator, paths: list[Path], samples: int, rate: int) -> Wave:
    """Several randomly drawn voices at once (T,), each of unit RMS."""
    voices = [unit_rms(excerpt(rng, paths[i], samples, rate)) for i in rng.integers(len(paths), size=TALKERS)]
    return unit_rms(np.sum(voices, axis=0, dtype=np.float32))


def unit_rms(wave: Wave) -> Wave:
    """The wave scaled to an RMS of 1; silence stays silence."""
    rms = float(np.sqrt(np.mean(np.square(wave, dtype=np.float64))))
    return wave / np.float32(rms) if rms > 1e-6 else wave
