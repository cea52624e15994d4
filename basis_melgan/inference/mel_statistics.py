"""The spread of a mel's values relative to those of speech, which reveals the unit of the values.

An affine change of a mel's values multiplies each of its spreads by the same factor. Spreads of speech have nearly
fixed ratios to each other, so a product of powers of eight of them, with exponents that add up to one, estimates that
factor. The exponents are least-squares fits over mels of the train, validation and test clips of ten corpora (400 to
670 clips per mel config, 24 mels of each): whole or from 0.64 s on, clean or with white noise at 0 to 30 dB, at -45 to
0 dBFS, limited to 4 or 8 kHz, unchanged or smoothed by a Gaussian of 0.3 to 1 over bands, frames or both, or from 12
to 40 principal components. Of the 32 thousand of them within `RATIO_BOUNDS` the excess (`Spread`) is between -0.81 and
0.34, of whole clean clips between -0.18 and 0.20. Decimal logarithms lie 0.83 below that, binary ones 0.37 above, those
of powers 0.69 above. benchmarks/mel_scales.py measures the resulting refusals and warnings.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from basis_melgan.audio.arrays import Float32Array, Float64Array
from basis_melgan.audio.mel import mel_config, mel_filterbank
from basis_melgan.inference.mel_checks import Mel

MIN_FRAMES = 60  # fewest frames for meaningful statistics
MAX_FRAMES = 1_920  # more frames add nothing to the statistics
SPEECH_BAND = (80.0, 3_600.0)  # Hz; beyond it narrow-band recordings have nothing, and white noise drowns speech
LOW_BANDS = 15  # bands narrow enough to resolve harmonics
SILENCE_MARGIN = 2.5  # ln over the floor of a mel config, below which a frame is digital silence
REFERENCE_RATE = 24_000  # Hz, of the pretrained vocoders; at other rates bands lie a little higher or lower

# By mel config: exponents of the spreads in the order of `_spreads`, and the logarithm of their product for speech.
EXPONENTS = {
    "vocos": (-0.08, -0.28, 0.62, 0.27, 0.98, -1.03, 1.02, -0.50),
    "hifigan": (0.18, -0.26, 0.57, 0.31, 0.74, -0.70, 0.56, -0.40),
    "bigvgan": (0.18, -0.26, 0.57, 0.31, 0.74, -0.70, 0.56, -0.40),
    "paper": (0.73, -0.49, 0.53, 0.23, 0.34, -0.72, 0.72, -0.34),
}
SPEECH_PRODUCT = {"vocos": -0.13, "hifigan": 0.49, "bigvgan": 0.49, "paper": 1.19}  # ln
# Least and greatest logarithm of the second to the eighth spread over the first, of the sixth over the fifth, and of
# the range above the median over that below. Speech lies within, down to about 10 dB over white noise. Most music and
# tones do not, and noise does only if smoothed: its bands vary independently, so that its curvature is greater.
RATIO_BOUNDS = np.array(
    [
        [-1.30, -1.75, -3.05, -3.40, -4.25, -3.90, -3.65, -np.inf, -0.80],
        [-0.15, -1.10, -1.85, -1.65, -1.70, -1.30, -1.60, 0.15, 0.90],
    ]
)


class Spread(NamedTuple):
    """How widely a mel's values spread.

    Attributes:
        excess: natural logarithm of the spread relative to that of speech.
        dynamics: natural logarithm of the range of the frames' means over that of all values; small for noise.
    """

    excess: float
    dynamics: float


def spread(mel: Mel, config: str) -> Spread | None:
    """How widely the values of a mel (M, F) in the scale of a mel config spread; None where statistics do not tell.

    They tell where enough frames are not digital silence, and their spreads have the ratios of speech.
    """
    unit, floor = unit_and_floor(config)
    start = max(0, mel.shape[-1] - MAX_FRAMES) // 2
    values = mel[_speech_bands(config), start : start + MAX_FRAMES].astype(np.float32)
    values = values[:, values.max(axis=0) > floor + SILENCE_MARGIN * unit]
    if values.shape[1] < MIN_FRAMES:
        return None
    spreads, skewness = _spreads(values)
    if min(spreads.min(), skewness) <= 1e-6 * spreads[0]:
        return None
    logs = np.log(spreads)
    ratios = np.append(logs[1:] - logs[0], [logs[5] - logs[4], np.log(skewness)])
    if not ((ratios >= RATIO_BOUNDS[0]) & (ratios <= RATIO_BOUNDS[1])).all():
        return None
    excess = logs @ np.array(EXPONENTS[config]) - SPEECH_PRODUCT[config] - np.log(unit)
    return Spread(float(excess), float(ratios[0]))


def unit_and_floor(config: str) -> tuple[float, float]:
    """The value of one natural logarithm in the scale of a mel config, and the least value of the scale."""
    target = mel_config(config)
    if target.decibels is None:
        return 1.0, float(np.log(target.minimum))
    return float(-20.0 / np.log(10.0) / target.decibels.floor), 0.0


@lru_cache(maxsize=16)
def max_log_magnitude(config: str) -> float:
    """Natural logarithm that no mel magnitude of a wave within full scale exceeds, by Cauchy's inequality."""
    target = mel_config(config)
    filter_norm = float(np.sqrt((mel_filterbank(config, REFERENCE_RATE) ** 2).sum(axis=1)).max())
    energy = target.n_fft / 2 * (3 / 8 * target.window)  # of the spectrum of full scale under a Hann window
    return float(np.log(filter_norm * np.sqrt(energy)))


def _spreads(values: Float32Array) -> tuple[Float64Array, float]:
    """Eight spreads (8,) of values (M, F), and their range above the median over that below.

    The ranges of all values and of the frames' means, the deviation, mean differences over two frames and over two
    bands, mean second differences over the bands and over the lowest of them, and mean differences of those.
    """
    lowest, median, highest = np.quantile(values, (0.01, 0.5, 0.99))
    quiet, loud = np.quantile(values.mean(axis=0), (0.05, 0.95))
    curvature = np.abs(np.diff(values, 2, axis=0)).mean(axis=1)
    spreads = (
        highest - lowest,
        loud - quiet,
        values.std(),
        np.abs(values[:, 2:] - values[:, :-2]).mean(),
        np.abs(values[2:] - values[:-2]).mean(),
        curvature.mean(),
        curvature[:LOW_BANDS].mean(),
        np.abs(np.diff(values[:LOW_BANDS], axis=0)).mean(),
    )
    return np.array(spreads, np.float64), float((highest - median) / max(median - lowest, 1e-30))


@lru_cache(maxsize=16)
def _speech_bands(config: str) -> slice:
    """The bands of a mel config whose filters peak in `SPEECH_BAND`."""
    peak_bins = mel_filterbank(config, REFERENCE_RATE).argmax(axis=1)
    low, high = np.searchsorted(peak_bins * REFERENCE_RATE / mel_config(config).n_fft, SPEECH_BAND)
    return slice(int(low), int(high))
