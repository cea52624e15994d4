"""What a mel of another scale may be: every scale that text-to-speech systems use and that its values fit."""

import math
from typing import NamedTuple

import numpy as np

from basis_melgan.audio.mel import mel_config
from basis_melgan.inference.mel_checks import AnyMel, Range, value_range
from basis_melgan.inference.mel_statistics import Spread, loudest, unit_and_floor
from basis_melgan.inference.mel_units import read_scale

QUIETEST = 12.0  # ln that the loudest value of a mel lies at most below the loudest of full scale
LEAST_EXCESS, GREATEST_EXCESS = -0.65, 0.40  # of a mel in its own scale
# Known scales as --mel-config has them: Matcha-TTS, F5-TTS and HiFi-GAN have ln, SpeechT5 log10.
SCALES = {
    "ln": "natural logarithms of magnitudes",
    "log10": "log10 of magnitudes",
    "db": "decibels",
    "ln,0.693147,0": "log2 of magnitudes",
    "ln,0.5,0": "natural logarithms of powers",
    "log10,0.5,0": "log10 of powers",
    "ln,1,-10.3972": "natural logarithms of a wave of 16-bit integers",
    "ln,10,0": "a tenth of natural logarithms, such as ZipVoice's",
    "ln,7,-5": "natural logarithms from -12 to 2 scaled to -1 to 1, such as GPT-SoVITS's",
    "ln,6.9136,-4.5993": "natural logarithms from -11.5129 to 2.3143 scaled to -1 to 1, such as Tortoise's",
    "db,100,-80": "levels from 0 to 1",
}


class Affine(NamedTuple):
    """A scale: `factor` · value + `offset` is the vocoder's own."""

    factor: float
    offset: float


def causes(mel: AnyMel, name: str, scale: Affine, values: Range, observed: Spread | None) -> list[str]:
    """What a mel may be that is none of the scale that it was said to have, each with what to do about it.

    Args:
        mel: (M, F) or (B, M, F), as it was given.
        name: the vocoder's convention.
        scale: the one that the mel was said to have.
        values: the least and the greatest value of the mel.
        observed: how widely its values spread in that scale, where statistics tell.
    """
    known = [
        f"{what} (mel convention {name}:{unit})"
        for unit, what in SCALES.items()
        if _fits(Affine(*read_scale(f"{name}:{unit}", name)), name, scale, values, observed)
    ]
    return known + _normalizations(mel, name, values) + _not_logarithmic(name, values)


def _fits(candidate: Affine, name: str, scale: Affine, values: Range, observed: Spread | None) -> bool:
    """Whether values are those of a mel of the convention once they are taken to have another scale."""
    if np.allclose(candidate, scale, rtol=1e-3, atol=1e-3):
        return False
    unit, _ = unit_and_floor(name)
    peak = peak_value(name)
    low, high = sorted(candidate.factor * value + candidate.offset for value in values)
    least, greatest = value_range(name).accepted
    if low < least or not peak - QUIETEST * unit <= high <= min(peak + unit, greatest):
        return False
    if observed is None:
        return True
    return LEAST_EXCESS <= observed.excess + math.log(abs(candidate.factor / scale.factor)) <= GREATEST_EXCESS


def _normalizations(mel: AnyMel, name: str, values: Range) -> list[str]:
    """How a mel may have been normalized."""
    mean, deviation = float(mel.mean(dtype=np.float64)), float(mel.std(dtype=np.float64))
    spelling = "" if mel_config(name).decibels else f" (mel convention {name}:ln,{{}})"
    fitting = []
    if abs(mean) <= 1.5 and 0.4 <= deviation <= 2.0:
        fitting.append("normalized by a mean and a deviation: undo that" + spelling.format("DEVIATION,MEAN"))
        if float(mel.mean(axis=-1, dtype=np.float64).std()) < 0.45 * deviation:
            fitting.append("normalized band by band: undo that with the mean and the deviation of each band")
    for bound in (1.0, 4.0):
        if 0.8 * bound <= max(-values.low, values.high) <= 1.02 * bound and values.low < 0.0:
            fitting.append(f"scaled to -{bound:g} to {bound:g}: undo that" + spelling.format("FACTOR,OFFSET"))
    if values.low >= -0.02 and 0.8 <= values.high <= 1.02 and not mel_config(name).decibels:
        fitting.append("scaled to 0 to 1: undo that" + spelling.format("RANGE,LEAST"))
    return fitting


def _not_logarithmic(name: str, values: Range) -> list[str]:
    """Whether a mel may hold magnitudes."""
    kind = mel_config(name)
    if values.low < 0.0:
        return []
    if kind.decibels:
        return [f"magnitudes: take decibels of them (mel convention {name}:db)"]
    logarithm = f"take the natural logarithm of magnitudes of at least {kind.minimum:g}"
    fitting = [f"magnitudes: {logarithm}"]
    if values.high < loudest(name) + 1.0:
        fitting.append(f"ln(1 + magnitude): {logarithm}, which are exp(mel) - 1")
    return fitting


def peak_value(name: str) -> float:
    """The greatest value of a mel of a wave within full scale, in its convention."""
    return 1.0 if mel_config(name).decibels else loudest(name)
