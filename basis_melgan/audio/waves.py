"""Waves as arrays: their type, their sample rate, and what 16 bits hold of them."""

import numpy as np
import numpy.typing as npt
import soxr

from basis_melgan.errors import AudioError

Wave = npt.NDArray[np.float32]  # (T,)

QUALITY = "VHQ"  # of soxr
FULL_SCALE = np.float32(1 << 15)  # of 16 bits


def native(wave: npt.ArrayLike) -> Wave:
    """A wave of any floating point type as one that this machine computes with, single precision unless it is double.

    Raises:
        AudioError: it is not floating point.
    """
    try:
        array = np.asarray(wave)
    except (TypeError, ValueError) as error:  # such as PyTorch's bfloat16
        raise AudioError(f"wave: no array of floats ({error}); convert it to float32 first") from error
    if array.dtype == np.float32 or array.dtype == np.float64:  # of this machine's byte order
        return array
    if not (array.dtype.kind == "f" or "float" in array.dtype.name):  # the latter of ml_dtypes
        raise AudioError(f"wave of type {array.dtype}: expected floats, full scale ±1; divide integers by theirs")
    return array.astype(np.float32)


def resample(wave: Wave, rate: float, to: float) -> Wave:
    """Resample a wave (T,) from `rate` to `to` Hz at soxr's very high quality; unchanged when they agree.

    Raises:
        AudioError: it is not floating point.
    """
    wave = native(wave)
    if rate == to:
        return wave
    return np.asarray(soxr.resample(wave, rate, to, quality=QUALITY), dtype=np.float32)


def quantize_pcm16(wave: Wave) -> Wave:
    """A wave (T,) as 16 bits hold it: every sample to the nearest, those beyond full scale clipped, never rescaled.

    Raises:
        AudioError: it is not floating point.
    """
    steps: Wave = np.clip(np.rint(native(wave) * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.float32)
    return steps / FULL_SCALE


def to_pcm16(wave: Wave) -> npt.NDArray[np.int16]:
    """The samples (T,) of a wave as 16-bit integers of little-endian order, as `rounded` has them.

    Raises:
        AudioError: it is not floating point.
    """
    return (quantize_pcm16(wave) * FULL_SCALE).astype("<i2")
