"""What other scales of a mel are called, and how they become a vocoder's own: NAME:UNIT,FACTOR,OFFSET."""

import dataclasses
import math

from basis_melgan.audio.mel import MelConfig, mel_config
from basis_melgan.config.loading import nearest
from basis_melgan.errors import MelError

# Natural logarithms of magnitudes that one of a unit is worth.
UNITS = {"ln": 1.0, "log10": math.log(10.0), "db": math.log(10.0) / 20.0}
WRITTEN = f"NAME, NAME:UNIT or NAME:UNIT,FACTOR,OFFSET with a unit of {', '.join(UNITS)}, such as vocos:log10"


def read_scale(said: str, own: str) -> tuple[float, float]:
    """Factor and offset from a scale's mels to those of a convention.

    Raises:
        MelError: the scale cannot be read, or its mels come from other filters.
    """
    name, _, rest = said.partition(":")
    _require_same_filters(name, own)
    unit, *affine = rest.split(",")
    if unit not in UNITS:
        raise MelError(f"mel convention {said}: unknown unit {unit!r}{nearest(unit, UNITS)}; use {WRITTEN}")
    try:
        scale, shift = (float(number) for number in affine) if affine else (1.0, 0.0)
    except ValueError as error:
        raise MelError(f"mel convention {said}: cannot be read; use {WRITTEN}") from error
    if not (math.isfinite(scale) and math.isfinite(shift)) or scale == 0.0:
        raise MelError(f"mel convention {said}: {scale:g}, {shift:g} are no factor and offset; use finite numbers")
    to_own, from_zero = _own_of_logarithms(mel_config(own))
    return to_own * UNITS[unit] * scale, to_own * UNITS[unit] * shift + from_zero


def _own_of_logarithms(kind: MelConfig) -> tuple[float, float]:
    """Factor and offset from natural logarithms of magnitudes to a convention's values."""
    if kind.decibels is None:
        return 1.0, 0.0
    reference, floor = kind.decibels
    return -1.0 / (floor * UNITS["db"]), 1.0 + reference / floor


def _require_same_filters(name: str, own: str) -> None:
    """Refuse a convention whose mels differ in more than the scale of their values."""
    theirs, ours = mel_config(name), mel_config(own)
    values = {"decibels", "minimum"}
    fields = [field.name for field in dataclasses.fields(MelConfig) if field.name not in values]
    differing = [
        f"{field} {getattr(theirs, field)} for {getattr(ours, field)}"
        for field in fields
        if getattr(theirs, field) != getattr(ours, field)
    ]
    if differing:
        raise MelError(
            f"mel convention {name}: differs from the vocoder's {own} in more than scale ({', '.join(differing)}), so "
            f"there is no exact conversion; make the mels in {own}"
        )
