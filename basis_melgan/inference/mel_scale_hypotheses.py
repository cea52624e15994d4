"""Scales that a mel may have: those that text-to-speech systems use and that fit its values."""

import math

import numpy as np

from basis_melgan.audio.mel import mel_config
from basis_melgan.inference.mel_checks import Mel, Range, value_range
from basis_melgan.inference.mel_statistics import Spread, max_log_magnitude, unit_and_floor
from basis_melgan.inference.mel_units import Affine, parse_scale

PEAK_RANGE = 12.0  # ln; the loudest value of a mel lies at most so far below that of full scale
EXCESS_RANGE = -0.65, 0.40  # of a mel in its true scale
# Known scales in the syntax of --mel-config. Matcha-TTS, F5-TTS and HiFi-GAN use ln, SpeechT5 log10.
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


def scale_hypotheses(mel: Mel, config: str, scale: Affine, values: Range, spread: Spread | None) -> list[str]:
    """Scales other than the stated one that fit a mel, each with what to do about it.

    Args:
        mel: (M, F) or (B, M, F), in the user's scale.
        config: name of the vocoder's mel config.
        scale: the stated scale.
        values: range of the mel's values.
        spread: how widely its values spread in the stated scale; None where statistics do not tell.
    """
    known_scales = [
        f"{description} (mel config {config}:{unit})"
        for unit, description in SCALES.items()
        if _fits(parse_scale(f"{config}:{unit}", config), config, scale, values, spread)
    ]
    return known_scales + _normalizations(mel, config, values) + _magnitudes(config, values)


def peak_value(config: str) -> float:
    """The greatest mel value of a wave within full scale, in a mel config."""
    return 1.0 if mel_config(config).decibels else max_log_magnitude(config)


def _fits(candidate: Affine, config: str, scale: Affine, values: Range, spread: Spread | None) -> bool:
    """Whether values taken in a candidate scale have the range and the spread of speech in a mel config."""
    if np.allclose(candidate, scale, rtol=1e-3, atol=1e-3):
        return False
    unit, _ = unit_and_floor(config)
    peak = peak_value(config)
    low, high = sorted(candidate.factor * value + candidate.offset for value in values)
    accepted = value_range(config).accepted
    if low < accepted.low or not peak - PEAK_RANGE * unit <= high <= min(peak + unit, accepted.high):
        return False
    if spread is None:
        return True
    excess = spread.excess + math.log(abs(candidate.factor / scale.factor))
    return EXCESS_RANGE[0] <= excess <= EXCESS_RANGE[1]


def _normalizations(mel: Mel, config: str, values: Range) -> list[str]:
    """Normalizations that fit a mel."""
    mean, deviation = float(mel.mean(dtype=np.float64)), float(mel.std(dtype=np.float64))
    option = "" if mel_config(config).decibels else f" (mel config {config}:ln,{{}})"
    hypotheses = []
    if abs(mean) <= 1.5 and 0.4 <= deviation <= 2.0:
        hypotheses.append("normalized by a mean and a deviation: undo that" + option.format("DEVIATION,MEAN"))
        if float(mel.mean(axis=-1, dtype=np.float64).std()) < 0.45 * deviation:
            hypotheses.append("normalized band by band: undo that with the mean and the deviation of each band")
    for bound in (1.0, 4.0):
        if 0.8 * bound <= max(-values.low, values.high) <= 1.02 * bound and values.low < 0.0:
            hypotheses.append(f"scaled to -{bound:g} to {bound:g}: undo that" + option.format("FACTOR,OFFSET"))
    if values.low >= -0.02 and 0.8 <= values.high <= 1.02 and not mel_config(config).decibels:
        hypotheses.append("scaled to 0 to 1: undo that" + option.format("RANGE,LEAST"))
    return hypotheses


def _magnitudes(config: str, values: Range) -> list[str]:
    """Descriptions of magnitudes that fit a mel's values."""
    if values.low < 0.0:
        return []
    target = mel_config(config)
    if target.decibels:
        return [f"magnitudes: take decibels of them (mel config {config}:db)"]
    logarithm = f"take the natural logarithm of magnitudes of at least {target.minimum:g}"
    hypotheses = [f"magnitudes: {logarithm}"]
    if values.high < max_log_magnitude(config) + 1.0:
        hypotheses.append(f"ln(1 + magnitude): {logarithm}, which are exp(mel) - 1")
    return hypotheses
