"""Whether a mel has the scale that it is said to have, as its values and their statistics tell."""

import math
from typing import NamedTuple

import numpy as np

from basis_melgan.audio.mel import mel_config
from basis_melgan.inference.mel_checks import AnyMel, finite_range
from basis_melgan.inference.mel_scale_hypotheses import peak_value
from basis_melgan.inference.mel_statistics import ENOUGH, Spread, spread, unit_and_floor

FEW = 10  # frames, of which no mean or deviation is that of a normalization by chance
EXACT = 1e-3  # how near a statistic comes to what a normalization made it
NEAR = 0.01  # how near half precision keeps a floor
CLIPPED = 5  # equal values, from which the mel was clipped to them
# Bounds of the excess (`Spread`). Beyond the first a mel is doubtful: 2 of 1 000 mels of speech are, those with noise
# and short ones among them. Beyond the second it is certainly of another scale: of speech, and of whatever sound, none.
DOUBTFUL = (-0.45, 0.22)
CERTAIN = (-0.70, 0.38)
LONG = 120  # frames; shorter mels vary more
SHORT_WIDTH = 1.25
# Where the dynamics are little, white noise may have narrowed speech, and more is needed to doubt.
NOISY = -0.85
NOISIER, NOISIER_DOUBTFUL = -0.95, (-1.0, 0.40)


class Verdict(NamedTuple):
    """What is wrong with a mel's scale.

    Attributes:
        certain: whether it is to be refused; a warning tells of the rest.
        spread: how widely its values spread, where statistics tell.
    """

    certain: bool
    spread: Spread | None


def verdict(mel: AnyMel, name: str) -> Verdict | None:
    """Whether a mel (M, F), in a convention's scale before it is clipped to its range, is of another; none if it fits.

    Of mels of fewer than `ENOUGH` frames, and of what spreads unlike speech, only an exact normalization and values
    louder than full scale are told; those of fewer than `FEW` may be of any scale.
    """
    if mel.shape[-1] < FEW:
        return None
    observed = spread(mel, name)
    if _normalized(mel, name) or _too_loud(mel, name) or _magnitudes(mel, name):
        return Verdict(True, observed)
    if observed is None:
        return None
    low, high = DOUBTFUL if observed.dynamics > NOISIER else NOISIER_DOUBTFUL
    width = 1.0 if mel.shape[-1] >= LONG else SHORT_WIDTH
    if low * width <= observed.excess <= high * width:
        return None
    return Verdict(_certain(mel, name, observed), observed)


def _certain(mel: AnyMel, name: str, observed: Spread) -> bool:
    """Whether a doubtful mel is certainly of another scale: not if it was clipped where its own scale has it.

    Few frames may hold one tone, and little dynamics noise or a melody. Levels are refused by their range alone: of
    other units none lies within.
    """
    if mel_config(name).decibels or _clipped(mel, unit_and_floor(name)[1]):
        return False
    low, high = CERTAIN
    if mel.shape[-1] < LONG or observed.dynamics <= NOISY:
        low, high = 2 * low, math.inf
    return not low <= observed.excess <= high


def _normalized(mel: AnyMel, name: str) -> bool:
    """Whether a mel (M, F) has what only a normalization or a clipped logarithm of another base leaves.

    That is a mean of 0 and a deviation of 1, bands of mean 0 each, ends at -1 and 1 or at -4 and 4, or the floor of the
    convention in the logarithm to the base of 10 or 2.
    """
    lowest, highest = finite_range(mel)
    means, deviation = mel.mean(axis=-1, dtype=np.float64), float(mel.std(dtype=np.float64))
    if abs(float(means.mean())) < EXACT and abs(deviation - 1.0) < EXACT:
        return True
    if lowest < -EXACT and float(np.abs(means).max()) < EXACT:
        return True
    if any(abs(lowest + bound) < EXACT and abs(highest - bound) < EXACT for bound in (1.0, 4.0)):
        return True
    kind = mel_config(name)
    floors = () if kind.decibels else (np.log10(kind.minimum), np.log2(kind.minimum))
    return any(_clipped(mel, float(floor)) for floor in floors)


def _clipped(mel: AnyMel, floor: float) -> bool:
    """Whether a mel was clipped to a floor: its least value is that, and occurs often."""
    lowest = float(mel.min())
    return abs(lowest - floor) < NEAR and int(np.count_nonzero(mel <= lowest + 0.1 * EXACT)) >= CLIPPED


def _too_loud(mel: AnyMel, name: str) -> bool:
    """Whether a mel, but for a few values, is louder than any wave within full scale."""
    if mel_config(name).decibels:
        return False
    return float(np.quantile(mel.max(axis=0).astype(np.float32), 0.9)) > peak_value(name) + 1.0


def _magnitudes(mel: AnyMel, name: str) -> bool:
    """Whether a mel looks like one of magnitudes: of logarithms hardly any has no negative value.

    Of levels none that never falls to 0 dB over the floor stays for half of its values within 2 dB of it.
    """
    lowest = float(mel.min())
    if mel.shape[-1] < ENOUGH or lowest < 0.0:
        return False
    if mel_config(name).decibels is None:
        return True
    return lowest > 0.0 and float(mel.max()) > 0.1 and float(np.median(mel)) < 0.02
