"""Whether a mel is one that a vocoder can speak; if not, what it seems to be and how to make it one."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.mel import convention
from basis_melgan.errors import MelError

AnyMel = npt.NDArray[np.floating[Any]]

LOUDEST = 10.0  # natural logarithm that no mel of a wave within full scale reaches
ENOUGH = 60  # frames from which statistics say what scale a mel has
CLOSE = 0.01  # how near a mel's least value lies to the bound that it was clipped to
# What log10 is told by. Of 978 mels of 55 clips, clean and with white noise at 0 to 30 dB (vocos, hifigan and bigvgan,
# 60 frames and more), none in natural logarithms spans less while its frames' means vary more; of the clean ones, 80 %
# do in log10.
NARROW = 6.6  # ln
MOVING = 0.5  # standard deviation, ln
POSITIVE = "; this one looks normalised, or not logarithmic: give natural logarithms of magnitudes"
TENFOLD = float(np.log(10.0))


class Range(NamedTuple):
    """The least and the greatest value of a convention's mels."""

    low: float
    high: float


def value_range(name: str) -> Range:
    """What values mels of a convention have."""
    kind = convention(name)
    return Range(0.0, 1.0) if kind.decibels else Range(float(np.log(kind.minimum)), LOUDEST)


def require(mel: AnyMel, name: str) -> None:
    """Refuse a mel (M, n) or (B, M, n), n from 0 upward, that a vocoder cannot speak.

    Raises:
        MelError: it has another shape, holds no floats, or values that are not finite or far from its convention's.
    """
    require_shape(mel, name)
    if not mel.size:
        return
    lowest, highest = float(mel.min()), float(mel.max())
    if not np.isfinite(lowest + highest):
        bad = ~np.isfinite(mel).all(axis=tuple(range(mel.ndim - 1)))
        raise MelError(f"mel: frame {bad.argmax()} holds NaN or infinite values; expected numbers, so make it again")
    low, high = value_range(name)
    margin = (high - low) / 2  # a model's mels may leave the range of recordings' a little
    if lowest < low - margin or highest > high + margin:
        raise MelError(_refusal(lowest, highest, name, _far(lowest, name)))


def require_scale(mel: AnyMel, name: str) -> None:
    """Refuse a whole mel (M, F) or (B, M, F) from elsewhere whose statistics are those of another scale.

    Raises:
        MelError: says what it seems to be, and what makes it one of the vocoder's convention.
    """
    if convention(name).decibels or mel.shape[-1] < ENOUGH:
        return
    lowest, highest = float(mel.min()), float(mel.max())
    if cause := _logarithms(mel, lowest, highest):
        raise MelError(_refusal(lowest, highest, name, cause))


def require_shape(mel: AnyMel, name: str) -> None:
    """Refuse what is no mel (M, n) or (B, M, n) of floats with the vocoder's bands.

    Raises:
        MelError: it has another shape or type.
    """
    shape, bands = f"mel of shape {mel.shape}", convention(name).bands
    if mel.ndim == 2 and mel.shape[0] != bands == mel.shape[1]:
        raise MelError(f"{shape}: looks like (frames, bands); expected ({bands}, F), so transpose it")
    if mel.ndim not in (2, 3) or mel.shape[-2] != bands or 0 in mel.shape[:-1]:
        raise MelError(
            f"{shape}: expected ({bands}, F) or (B, {bands}, F), the bands of the vocoder's convention {name}"
        )
    if not np.issubdtype(mel.dtype, np.floating):
        raise MelError(f"mel: holds {mel.dtype}; expected floats in the vocoder's convention {name}")


def _refusal(lowest: float, highest: float, name: str, cause: str) -> str:
    low, high = value_range(name)
    return (
        f"mel: values from {lowest:.4g} to {highest:.4g}; the vocoder's convention {name} has {low:.4g} to "
        f"{high:.4g}{cause}"
    )


def _far(lowest: float, name: str) -> str:
    """What a mel seems to be whose values are far from the convention's."""
    kind = convention(name)
    if kind.decibels and lowest < -0.5:
        return "; this one looks like logarithms, so make levels from 0 to 1 of them"
    if not kind.decibels and lowest < 1.5 * np.log(kind.minimum):
        return f"; this one looks like decibels, so multiply it by {TENFOLD / 20:.5f} (ln 10 / 20)"
    return POSITIVE if not kind.decibels and lowest >= 0 else ", so make the mel in that convention"


def _logarithms(mel: AnyMel, lowest: float, highest: float) -> str:
    """What a mel seems to be that should be of natural logarithms; nothing if it may well be one."""
    if lowest >= 0:
        return POSITIVE
    if any(abs(lowest + bound) < CLOSE and highest < bound + CLOSE for bound in (1.0, 4.0)):
        return "; this one looks normalised to a symmetric range: undo that"
    moving = float(mel.mean(axis=-2).std(axis=-1).max())  # little in noise and silence
    if highest - lowest < NARROW and moving > MOVING:
        return f"; this one looks like log10, so multiply it by {TENFOLD:.5f} (ln 10)"
    return ""
