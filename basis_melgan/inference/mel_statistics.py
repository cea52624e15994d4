"""How widely the values of a mel spread beside those of speech, which gives the unit away that they are in.

An affine change of a mel's values multiplies each of its spreads by the same factor. Spreads of speech stand in nearly
fixed proportions to each other, so a product of powers of eight of them, the exponents adding up to one, tells that
factor. The exponents are least-squares fits over mels of the train, validation and test clips of ten corpora (400 to
670 clips a convention, 24 mels of each): whole or from 0.64 s on, clean or with white noise at 0 to 30 dB, at -45 to
0 dBFS, limited to 4 or 8 kHz, as they are or smoothed by a Gaussian of 0.3 to 1 over bands, frames or both, or from 12
to 40 principal components. Of the 32 thousand of them within `PROPORTIONS` the excess (`Spread`) is between -0.81 and
0.34, of whole clean clips between -0.18 and 0.20. Decimal logarithms lie 0.83 below that, binary ones 0.37 above, those
of powers 0.69 above. benchmarks/mel_scales.py measures what comes of it.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.mel import mel_config, mel_filterbank

AnyMel = npt.NDArray[np.floating[Any]]

ENOUGH = 60  # frames from which statistics say anything
MANY = 1_920  # frames that are enough for all that they say
SPEECH_BAND = (80.0, 3_600.0)  # Hz; what narrow-band recordings lack, and where white noise drowns speech, lies beyond
LOWEST = 15  # bands, so narrow that they tell harmonics and noise apart
SILENCE = 2.5  # ln over a convention's floor, below which a frame is digital silence

# By convention: exponents of the spreads in the order of `_spreads`, and the logarithm of their product for speech.
EXPONENTS = {
    "vocos": (-0.08, -0.28, 0.62, 0.27, 0.98, -1.03, 1.02, -0.50),
    "hifigan": (0.18, -0.26, 0.57, 0.31, 0.74, -0.70, 0.56, -0.40),
    "bigvgan": (0.18, -0.26, 0.57, 0.31, 0.74, -0.70, 0.56, -0.40),
    "paper": (0.73, -0.49, 0.53, 0.23, 0.34, -0.72, 0.72, -0.34),
}
OF_SPEECH = {"vocos": -0.13, "hifigan": 0.49, "bigvgan": 0.49, "paper": 1.19}  # ln
# Least and greatest logarithm of the second to the eighth spread over the first, of the sixth over the fifth, and of
# the range above the median over that below. Speech lies within, down to about 10 dB over white noise; most music and
# tones do not, nor any noise but smoothed: its bands vary independently, so that its curvature is greater.
PROPORTIONS = np.array(
    [
        [-1.30, -1.75, -3.05, -3.40, -4.25, -3.90, -3.65, -np.inf, -0.80],
        [-0.15, -1.10, -1.85, -1.65, -1.70, -1.30, -1.60, 0.15, 0.90],
    ]
)


class Spread(NamedTuple):
    """How widely a mel's values spread.

    Attributes:
        excess: natural logarithm of how many times as widely as those of speech.
        dynamics: natural logarithm of the range of the frames' means over that of all values; little in noise.
    """

    excess: float
    dynamics: float


def spread(mel: AnyMel, name: str) -> Spread | None:
    """How widely the values of a mel (M, F) in a convention's scale spread; none where that cannot be told.

    It can where enough frames are no digital silence, and spread in the proportions of speech.
    """
    unit, floor = unit_and_floor(name)
    middle = max(0, mel.shape[-1] - MANY) // 2
    values = mel[_speech_bands(name), middle : middle + MANY].astype(np.float32)
    values = values[:, values.max(axis=0) > floor + SILENCE * unit]
    if values.shape[1] < ENOUGH:
        return None
    spreads, skewness = _spreads(values)
    if min(spreads.min(), skewness) <= 1e-6 * spreads[0]:
        return None
    logs = np.log(spreads)
    proportions = np.append(logs[1:] - logs[0], [logs[5] - logs[4], np.log(skewness)])
    if not ((proportions >= PROPORTIONS[0]) & (proportions <= PROPORTIONS[1])).all():
        return None
    excess = logs @ np.array(EXPONENTS[name]) - OF_SPEECH[name] - np.log(unit)
    return Spread(float(excess), float(proportions[0]))


def unit_and_floor(name: str) -> tuple[float, float]:
    """What one of the natural logarithm is worth in a convention, and its least value."""
    kind = mel_config(name)
    if kind.decibels is None:
        return 1.0, float(np.log(kind.minimum))
    return float(-20.0 / np.log(10.0) / kind.decibels.floor), 0.0


def _spreads(values: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float64], float]:
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
        curvature[:LOWEST].mean(),
        np.abs(np.diff(values[:LOWEST], axis=0)).mean(),
    )
    return np.array(spreads, np.float64), float((highest - median) / max(median - lowest, 1e-30))


@lru_cache(maxsize=16)
def _speech_bands(name: str) -> slice:
    """The bands of a convention whose filters peak in `SPEECH_BAND`."""
    rate = 24_000  # Hz, of the released vocoders; at others these bands lie a little higher or lower
    centers = mel_filterbank(name, rate).argmax(axis=1) * rate / mel_config(name).n_fft
    low, high = np.searchsorted(centers, SPEECH_BAND)
    return slice(int(low), int(high))


@lru_cache(maxsize=16)
def loudest(name: str) -> float:
    """Natural logarithm that no mel magnitude of a wave within full scale exceeds, by Cauchy's inequality."""
    kind, rate = mel_config(name), 24_000
    filters = float(np.sqrt((mel_filterbank(name, rate) ** 2).sum(axis=1)).max())
    energy = kind.n_fft / 2 * (3 / 8 * kind.window)  # of the spectrum of full scale under a Hann window
    return float(np.log(filters * np.sqrt(energy)))
