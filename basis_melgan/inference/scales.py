"""Mels of another scale, brought to a vocoder's own: another base of the logarithm, a factor and an offset."""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from basis_melgan.audio.mel import MelConvention, convention
from basis_melgan.errors import MelError
from basis_melgan.inference.mels import AnyMel, require, require_scale, require_shape, value_range
from basis_melgan.settings import nearest

# Natural logarithms of magnitudes that one of a unit is worth.
UNITS = {"ln": 1.0, "log10": math.log(10.0), "db": math.log(10.0) / 20.0}
WRITTEN = f"NAME, NAME:UNIT or NAME:UNIT,FACTOR,OFFSET with a unit of {', '.join(UNITS)}, such as vocos:log10"


class MelScale:
    """What values the mels have that a vocoder is given: `factor` · value + `offset` is its own."""

    def __init__(self, name: str, said: str | None) -> None:
        """Read a scale such as ``vocos``, ``vocos:log10``, or ``vocos:ln,2,-5`` where 2 · value − 5 is in that unit.

        Args:
            name: the vocoder's convention.
            said: the scale; the vocoder's own unless given.

        Raises:
            MelError: it cannot be read, or its mels come from other filters than the vocoder's, so that none of theirs
                can be made of them.
        """
        self._name, self._said, self.factor, self.offset = name, said, 1.0, 0.0
        if said is not None and said != name:
            self.factor, self.offset = _read(said, name)
        self._same = (self.factor, self.offset) == (1.0, 0.0)

    def own(self, mel: AnyMel) -> AnyMel:
        """The vocoder's own of a mel (M, n) or (B, M, n), n from 0 upward, within the range of its convention.

        What predicted mels leave of the range by a little, no mel of a recording does, and no vocoder has heard.

        Raises:
            MelError: it has another shape, holds no floats, or values that are not finite or far from the scale's.
        """
        require_shape(mel, self._name)
        brought: AnyMel = mel if self._same else np.float32(self.factor) * mel + np.float32(self.offset)
        self._require(require, brought, mel)
        low, high = value_range(self._name)
        return np.clip(brought, low, high)

    def require_whole(self, mel: AnyMel) -> None:
        """Refuse a whole mel (M, F) or (B, M, F) whose values or statistics are those of another scale.

        Raises:
            MelError: as `own`; or it seems to be of another scale.
        """
        self._require(require_scale, self.own(mel), mel)

    def theirs(self, mel: AnyMel) -> AnyMel:
        """A mel of the vocoder's own in this scale."""
        return mel if self._same else (mel - np.float32(self.offset)) / np.float32(self.factor)

    def _require(self, requirement: Callable[[AnyMel, str], None], brought: AnyMel, given: AnyMel) -> None:
        """Require something of a mel in the vocoder's scale; a refusal speaks of the one that was given."""
        try:
            requirement(brought, self._name)
        except MelError as error:
            lowest, highest = float(given.min()), float(given.max())
            if self._same or not math.isfinite(lowest + highest):
                raise
            low, high = value_range(self._name)
            raise MelError(
                f"mel: values from {lowest:.4g} to {highest:.4g}, said to be {self._said}, would be "
                f"{float(brought.min()):.4g} to {float(brought.max()):.4g} in {self._name}, which has {low:.4g} to "
                f"{high:.4g}; name another mel convention ({self._name}, or that with :{', :'.join(UNITS)})"
            ) from error


def _read(said: str, own: str) -> tuple[float, float]:
    """Factor and offset from a scale's mels to those of a convention."""
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
    to_own, from_zero = _own_of_logarithms(convention(own))
    return to_own * UNITS[unit] * scale, to_own * UNITS[unit] * shift + from_zero


def _own_of_logarithms(kind: MelConvention) -> tuple[float, float]:
    """Factor and offset from natural logarithms of magnitudes to a convention's values."""
    if kind.decibels is None:
        return 1.0, 0.0
    reference, floor = kind.decibels
    return -1.0 / (floor * UNITS["db"]), 1.0 + reference / floor


def _require_same_filters(name: str, own: str) -> None:
    """Refuse a convention whose mels differ in more than the scale of their values."""
    theirs, ours = convention(name), convention(own)
    values = {"decibels", "minimum"}
    fields = [field.name for field in dataclasses.fields(MelConvention) if field.name not in values]
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
