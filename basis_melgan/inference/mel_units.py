"""Scales of mels in the syntax NAME:UNIT,FACTOR,OFFSET, and their conversion to a vocoder's mel config."""

import dataclasses
import math
from typing import NamedTuple

from basis_melgan.audio.mel import MelConfig, mel_config
from basis_melgan.config.loading import nearest
from basis_melgan.errors import MelError

# Natural logarithms of magnitudes per unit.
UNITS = {"ln": 1.0, "log10": math.log(10.0), "db": math.log(10.0) / 20.0}
SYNTAX = f"NAME, NAME:UNIT or NAME:UNIT,FACTOR,OFFSET with a unit of {', '.join(UNITS)}, such as vocos:log10"


class Affine(NamedTuple):
    """An affine map of the values of a mel: `factor` · value + `offset`."""

    factor: float
    offset: float


def parse_scale(text: str, model_config: str) -> Affine:
    """Map from the values of a scale to those of a vocoder's mel config.

    Args:
        text: the scale, such as ``vocos:log10``.
        model_config: name of the vocoder's mel config.

    Raises:
        MelError: the scale cannot be parsed, or its mels come from other filters.
    """
    name, _, scale = text.partition(":")
    _require_same_filters(name, model_config)
    unit, *numbers = scale.split(",")
    if unit not in UNITS:
        raise MelError(f"mel config {text}: unknown unit {unit!r}{nearest(unit, UNITS)}; use {SYNTAX}")
    try:
        factor, offset = (float(number) for number in numbers) if numbers else (1.0, 0.0)
    except ValueError as error:
        raise MelError(f"mel config {text}: cannot be read; use {SYNTAX}") from error
    if not (math.isfinite(factor) and math.isfinite(offset)) or factor == 0.0:
        raise MelError(f"mel config {text}: {factor:g}, {offset:g} are no factor and offset; use finite numbers")
    model_factor, model_offset = _from_logarithms(mel_config(model_config))
    return Affine(model_factor * UNITS[unit] * factor, model_factor * UNITS[unit] * offset + model_offset)


def _from_logarithms(config: MelConfig) -> Affine:
    """Map from natural logarithms of magnitudes to the values of a mel config."""
    if config.decibels is None:
        return Affine(1.0, 0.0)
    reference, floor = config.decibels
    return Affine(-1.0 / (floor * UNITS["db"]), 1.0 + reference / floor)


def _require_same_filters(name: str, model_config: str) -> None:
    """Refuse a mel config that differs from the vocoder's in more than the scale of its values."""
    user, model = mel_config(name), mel_config(model_config)
    scale_fields = {"decibels", "minimum"}
    differences = [
        f"{field.name} {getattr(user, field.name)} for {getattr(model, field.name)}"
        for field in dataclasses.fields(MelConfig)
        if field.name not in scale_fields and getattr(user, field.name) != getattr(model, field.name)
    ]
    if differences:
        raise MelError(
            f"mel config {name}: differs from the vocoder's {model_config} in more than scale "
            f"({', '.join(differences)}), so there is no exact conversion; make the mels in {model_config}"
        )
