"""Shape, type and range of values that a vocoder requires of a mel."""

from typing import NamedTuple

import numpy as np

from basis_melgan.audio.arrays import FloatArray
from basis_melgan.audio.mel import mel_config
from basis_melgan.errors import MelError

Mel = FloatArray  # (M, F) or (B, M, F)

MAX_LOG_VALUE = 10.0  # ln; beyond every mel magnitude of a wave within full scale


class Range(NamedTuple):
    """Least and greatest value of a mel, or of all mels of a mel config."""

    low: float
    high: float

    @property
    def accepted(self) -> "Range":
        """The range accepted of predicted mels, which leave that of recordings a little."""
        margin = (self.high - self.low) / 2
        return Range(self.low - margin, self.high + margin)


def value_range(config: str) -> Range:
    """Range of the values of mels of a mel config."""
    target = mel_config(config)
    return Range(0.0, 1.0) if target.decibels else Range(float(np.log(target.minimum)), MAX_LOG_VALUE)


def require_shape(mel: Mel, config: str) -> None:
    """Refuse anything but a mel (M, n) or (B, M, n) of floats with the bands of a mel config.

    Raises:
        MelError: it has another shape or type.
    """
    shape, bands = f"mel of shape {mel.shape}", mel_config(config).bands
    if mel.ndim == 2 and mel.shape[0] != bands == mel.shape[1]:
        raise MelError(f"{shape}: looks like (frames, bands); expected ({bands}, F), so transpose it")
    if mel.ndim not in (2, 3) or mel.shape[-2] != bands or 0 in mel.shape[:-1]:
        raise MelError(
            f"{shape}: expected ({bands}, F) or (B, {bands}, F), the bands of the vocoder's mel config {config}"
        )
    if not np.issubdtype(mel.dtype, np.floating):
        raise MelError(f"mel: holds {mel.dtype}; expected floats in the vocoder's mel config {config}")


def finite_range(mel: Mel) -> Range:
    """Least and greatest value of a mel (M, n) or (B, M, n), n from 1 upward.

    Raises:
        MelError: it holds NaN or infinite values.
    """
    lowest, highest = float(mel.min()), float(mel.max())
    if not np.isfinite(lowest + highest):
        invalid_frames = ~np.isfinite(mel).all(axis=tuple(range(mel.ndim - 1)))
        raise MelError(
            f"mel: frame {invalid_frames.argmax()} holds NaN or infinite values; expected numbers, so compute it again"
        )
    return Range(lowest, highest)
