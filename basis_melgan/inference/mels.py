"""Whether a mel is one that a vocoder can speak; if not, what it seems to be and how to make it one."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.mel import MelConvention, convention
from basis_melgan.errors import MelError
from basis_melgan.inference.engine import Info

AnyMel = npt.NDArray[np.floating[Any]]

LOUDEST = 10.0  # natural logarithm that no mel of a wave within full scale reaches
ENOUGH = 60  # frames from which statistics say what scale a mel has
CLOSE = 0.01  # how near a mel's least value lies to the bound that it was clipped to
# Over 930 mels of 160 clips (vocos, hifigan and bigvgan; 60 frames and more) natural logarithms span 9.4 to 20.8, log10
# a 2.3rd of it; and frames' means have a standard deviation of 0.62 to 2.43, unlike those of silence and steady noise.
NARROW = 7.5
MOVING = 0.25


class Range(NamedTuple):
    """The least and the greatest value of a convention's mels."""

    low: float
    high: float


def value_range(kind: MelConvention) -> Range:
    """What values mels of a convention have."""
    return Range(0.0, 1.0) if kind.decibels else Range(float(np.log(kind.minimum)), LOUDEST)


def require(mel: AnyMel, info: Info) -> None:
    """Refuse a mel (M, n) or (B, M, n), n from 0 upward, that a vocoder cannot speak.

    Raises:
        MelError: it has another shape, holds no floats, or values that are not finite or not of its convention.
    """
    _require_shape(mel, info)
    if not np.issubdtype(mel.dtype, np.floating):
        raise MelError(f"mel: holds {mel.dtype}; expected floats in the vocoder's convention {info.mel}")
    finite = np.isfinite(mel).all(axis=tuple(range(mel.ndim - 1)))
    if not finite.all():
        raise MelError(f"mel: frame {finite.argmin()} holds NaN or infinite values; expected numbers, so make it again")
    if mel.size:
        _require_values(mel, info)


def _require_shape(mel: AnyMel, info: Info) -> None:
    shape, bands = f"mel of shape {mel.shape}", info.bands
    if mel.ndim == 2 and mel.shape[0] != bands == mel.shape[1]:
        raise MelError(f"{shape}: looks like (frames, bands); expected ({bands}, F), so transpose it")
    if mel.ndim not in (2, 3) or mel.shape[-2] != bands or 0 in mel.shape[:-1]:
        raise MelError(
            f"{shape}: expected ({bands}, F) or (B, {bands}, F), the bands of the vocoder's convention {info.mel}"
        )


def _require_values(mel: AnyMel, info: Info) -> None:
    """Refuse values that the convention cannot have, and say what would have them."""
    kind = convention(info.mel)
    low, high = value_range(kind)
    margin = (high - low) / 2  # a model's mels may leave the range of recordings' a little
    lowest, highest = float(mel.min()), float(mel.max())
    cause = _levels(lowest) if kind.decibels else _logarithms(mel, kind, lowest, highest)
    if cause or lowest < low - margin or highest > high + margin:
        raise MelError(
            f"mel: values from {lowest:.4g} to {highest:.4g}; the vocoder's convention {info.mel} has {low:.4g} to "
            f"{high:.4g}{cause or ', so make the mel in that convention'}"
        )


def _levels(lowest: float) -> str:
    """What a mel seems to be that should be of levels from 0 to 1; nothing if it may well be one."""
    return "; this one looks like logarithms, so make levels from 0 to 1 of them" if lowest < -0.5 else ""


def _logarithms(mel: AnyMel, kind: MelConvention, lowest: float, highest: float) -> str:
    """What a mel seems to be that should be of natural logarithms; nothing if it may well be one."""
    tenth = float(np.log(10.0))
    if lowest < 1.5 * np.log(kind.minimum):
        return f"; this one looks like decibels, so multiply it by {tenth / 20:.5f} (ln 10 / 20)"
    if mel.shape[-1] < ENOUGH:
        return ""
    if lowest >= 0:
        return "; this one looks normalised, or not logarithmic: give natural logarithms of magnitudes"
    if any(abs(lowest + bound) < CLOSE and highest < bound + CLOSE for bound in (1.0, 4.0)):
        return "; this one looks normalised to a symmetric range: undo that"
    moving = float(mel.mean(axis=-2).std(axis=-1).max())
    if highest - lowest < NARROW and moving > MOVING:
        return f"; this one looks like log10, so multiply it by {tenth:.5f} (ln 10)"
    return ""
