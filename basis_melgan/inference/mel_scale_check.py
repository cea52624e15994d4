"""Check of a mel's values and their statistics against its stated scale."""

import math
from typing import NamedTuple

import numpy as np

from basis_melgan.audio.mel import mel_config
from basis_melgan.inference.mel_checks import Mel, finite_range
from basis_melgan.inference.mel_scale_hypotheses import peak_value
from basis_melgan.inference.mel_statistics import MIN_FRAMES, Spread, spread, unit_and_floor

MIN_CHECKED_FRAMES = 10  # fewer frames may have the mean or deviation of a normalization by chance
EXACT = 1e-3  # tolerance of statistics that a normalization sets exactly
NEAR = 0.01  # tolerance of a floor in half precision
CLIPPED_VALUES = 5  # equal values from which the mel counts as clipped to them
# Bounds of the excess (`Spread`). Beyond the first a mel is doubtful: 2 of 1 000 mels of speech are, mostly noisy or
# short ones. Beyond the second it is certainly of another scale: no mel of speech or of any other sound is there.
DOUBTFUL = (-0.45, 0.22)
CERTAIN = (-0.70, 0.38)
LONG_FRAMES = 120  # shorter mels vary more
SHORT_WIDTH = 1.25
# Where the dynamics are small, white noise may have narrowed speech, so the bounds are wider.
LOW_DYNAMICS = -0.85
LOWER_DYNAMICS, LOWER_DYNAMICS_DOUBTFUL = -0.95, (-1.0, 0.40)


class ScaleMismatch(NamedTuple):
    """Evidence that a mel is of another scale.

    Attributes:
        certain: whether the mel is to be refused; otherwise a warning suffices.
        spread: how widely its values spread; None where statistics do not tell.
    """

    certain: bool
    spread: Spread | None


def check_scale(mel: Mel, config: str) -> ScaleMismatch | None:
    """Evidence that a mel (M, F), unclipped and in the scale of a mel config, is of another scale; None if it fits.

    Mels of fewer than `MIN_FRAMES` frames, and those that spread unlike speech, are only checked for an exact
    normalization and for values beyond full scale; mels of fewer than `MIN_CHECKED_FRAMES` are not checked.
    """
    if mel.shape[-1] < MIN_CHECKED_FRAMES:
        return None
    mel_spread = spread(mel, config)
    if _is_normalized(mel, config) or _exceeds_full_scale(mel, config) or _holds_magnitudes(mel, config):
        return ScaleMismatch(True, mel_spread)
    if mel_spread is None:
        return None
    low, high = DOUBTFUL if mel_spread.dynamics > LOWER_DYNAMICS else LOWER_DYNAMICS_DOUBTFUL
    width = 1.0 if mel.shape[-1] >= LONG_FRAMES else SHORT_WIDTH
    if low * width <= mel_spread.excess <= high * width:
        return None
    return ScaleMismatch(_is_certain(mel, config, mel_spread), mel_spread)


def _is_certain(mel: Mel, config: str, mel_spread: Spread) -> bool:
    """Whether a doubtful mel is certainly of another scale.

    It is not if it is clipped to the floor of the mel config. Few frames may hold a single tone, and small dynamics
    noise or a melody. Mels in decibels are refused by their range alone: no other unit lies within it.
    """
    if mel_config(config).decibels or _is_clipped(mel, unit_and_floor(config)[1]):
        return False
    low, high = CERTAIN
    if mel.shape[-1] < LONG_FRAMES or mel_spread.dynamics <= LOW_DYNAMICS:
        low, high = 2 * low, math.inf
    return not low <= mel_spread.excess <= high


def _is_normalized(mel: Mel, config: str) -> bool:
    """Whether a mel (M, F) has statistics that only a normalization or a clipped logarithm of another base leaves.

    These are a mean of 0 and a deviation of 1, a mean of 0 in every band, extremes at -1 and 1 or at -4 and 4, or the
    floor of the mel config in the logarithm to base 10 or 2.
    """
    lowest, highest = finite_range(mel)
    means, deviation = mel.mean(axis=-1, dtype=np.float64), float(mel.std(dtype=np.float64))
    if abs(float(means.mean())) < EXACT and abs(deviation - 1.0) < EXACT:
        return True
    if lowest < -EXACT and float(np.abs(means).max()) < EXACT:
        return True
    if any(abs(lowest + bound) < EXACT and abs(highest - bound) < EXACT for bound in (1.0, 4.0)):
        return True
    target = mel_config(config)
    floors = () if target.decibels else (np.log10(target.minimum), np.log2(target.minimum))
    return any(_is_clipped(mel, float(floor)) for floor in floors)


def _is_clipped(mel: Mel, floor: float) -> bool:
    """Whether a mel was clipped to a floor: its least value is the floor and occurs often."""
    lowest = float(mel.min())
    return abs(lowest - floor) < NEAR and int(np.count_nonzero(mel <= lowest + 0.1 * EXACT)) >= CLIPPED_VALUES


def _exceeds_full_scale(mel: Mel, config: str) -> bool:
    """Whether a tenth of the frames is louder than any wave within full scale."""
    if mel_config(config).decibels:
        return False
    return float(np.quantile(mel.max(axis=0).astype(np.float32), 0.9)) > peak_value(config) + 1.0


def _holds_magnitudes(mel: Mel, config: str) -> bool:
    """Whether a mel looks like magnitudes: nearly every mel of logarithms has negative values.

    A mel in decibels that never falls to its floor has fewer than half of its values within 2 dB of the floor.
    """
    lowest = float(mel.min())
    if mel.shape[-1] < MIN_FRAMES or lowest < 0.0:
        return False
    if mel_config(config).decibels is None:
        return True
    return lowest > 0.0 and float(mel.max()) > 0.1 and float(np.median(mel)) < 0.02
