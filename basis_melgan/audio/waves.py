"""Waves as arrays: their type, resampling and conversion to 16 bits."""

import numpy as np
import numpy.typing as npt
import soxr

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.errors import AudioError

Wave = Float32Array  # (T,)

QUALITY = "VHQ"  # of soxr
FULL_SCALE = np.float32(1 << 15)  # of 16 bits


def as_native_float(wave: npt.ArrayLike) -> Wave:
    """A wave of any floating-point type in native byte order: double precision if it is double, single otherwise.

    Raises:
        AudioError: it is not of floating point.
    """
    try:
        array = np.asarray(wave)
    except (TypeError, ValueError) as error:  # such as PyTorch's bfloat16
        raise AudioError(f"wave: no array of floats ({error}); convert it to float32 first") from error
    if array.dtype == np.float32 or array.dtype == np.float64:  # in native byte order
        return array
    if not (array.dtype.kind == "f" or "float" in array.dtype.name):  # named so by ml_dtypes
        raise AudioError(
            f"wave of type {array.dtype}: expected floats, full scale ±1; divide integers by their full scale"
        )
    return array.astype(np.float32)


def resample(wave: Wave, rate: float, target_rate: float) -> Wave:
    """Resample a wave (T,) from `rate` to `target_rate` Hz at soxr's very high quality; unchanged at equal rates.

    Raises:
        AudioError: it is not of floating point.
    """
    wave = as_native_float(wave)
    if rate == target_rate:
        return wave
    return np.asarray(soxr.resample(wave, rate, target_rate, quality=QUALITY), dtype=np.float32)


def quantize_pcm16(wave: Wave) -> Wave:
    """A wave (T,) quantized to 16 bits: rounded to the nearest step and clipped at full scale, never rescaled.

    Raises:
        AudioError: it is not of floating point.
    """
    steps: Wave = np.clip(np.rint(as_native_float(wave) * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.float32)
    return steps / FULL_SCALE


def to_pcm16(wave: Wave) -> npt.NDArray[np.int16]:
    """The samples (T,) of a wave as little-endian 16-bit integers, quantized by `quantize_pcm16`.

    Raises:
        AudioError: it is not of floating point.
    """
    return (quantize_pcm16(wave) * FULL_SCALE).astype("<i2")
