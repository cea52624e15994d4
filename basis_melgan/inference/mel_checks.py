"""What a mel must be for a vocoder to take it: its shape, its type and the range of its values."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.mel import mel_config
from basis_melgan.errors import MelError

AnyMel = npt.NDArray[np.floating[Any]]

LOUDEST = 10.0  # natural logarithm that no mel of a wave within full scale reaches


class Range(NamedTuple):
    """The least and the greatest value of a convention's mels, or of a mel."""

    low: float
    high: float

    @property
    def accepted(self) -> "Range":
        """The range that a model's mels may have, which leave that of recordings' a little."""
        margin = (self.high - self.low) / 2
        return Range(self.low - margin, self.high + margin)


def value_range(name: str) -> Range:
    """What values mels of a convention have."""
    kind = mel_config(name)
    return Range(0.0, 1.0) if kind.decibels else Range(float(np.log(kind.minimum)), LOUDEST)


def require_shape(mel: AnyMel, name: str) -> None:
    """Refuse what is no mel (M, n) or (B, M, n) of floats with the vocoder's bands.

    Raises:
        MelError: it has another shape or type.
    """
    shape, bands = f"mel of shape {mel.shape}", mel_config(name).bands
    if mel.ndim == 2 and mel.shape[0] != bands == mel.shape[1]:
        raise MelError(f"{shape}: looks like (frames, bands); expected ({bands}, F), so transpose it")
    if mel.ndim not in (2, 3) or mel.shape[-2] != bands or 0 in mel.shape[:-1]:
        raise MelError(
            f"{shape}: expected ({bands}, F) or (B, {bands}, F), the bands of the vocoder's convention {name}"
        )
    if not np.issubdtype(mel.dtype, np.floating):
        raise MelError(f"mel: holds {mel.dtype}; expected floats in the vocoder's convention {name}")


def finite_range(mel: AnyMel) -> Range:
    """The least and the greatest value of a mel (M, n) or (B, M, n), n from 1 upward.

    Raises:
        MelError: it holds NaN or infinite values.
    """
    lowest, highest = float(mel.min()), float(mel.max())
    if not np.isfinite(lowest + highest):
        bad = ~np.isfinite(mel).all(axis=tuple(range(mel.ndim - 1)))
        raise MelError(f"mel: frame {bad.argmax()} holds NaN or infinite values; expected numbers, so make it again")
    return Range(lowest, highest)
