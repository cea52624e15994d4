"""Checks of the waves that metrics take, and a cache for results of recent waves."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.arrays import Float64Array
from basis_melgan.audio.files import Wave
from basis_melgan.errors import AudioError

Result = TypeVar("Result")

CACHE_SIZE = 4  # waves; a recording, and estimates of it


def validate_wave(wave: Wave, name: str = "wave") -> Float64Array:
    """A wave (T,) in double precision, checked to be one that is not constant.

    Raises:
        AudioError: the wave, which the message calls `name`, has another shape, is constant, or is not finite.
    """
    if wave.ndim != 1:
        raise AudioError(f"{name}: shape {wave.shape}; expected one wave (T,)")
    if not np.isfinite(wave).all():
        raise AudioError(f"{name}: holds NaN or Inf; expected finite samples")
    if wave.size == 0 or np.ptp(wave) == 0.0:
        raise AudioError(f"{name}: silent in all its {wave.size} samples; nothing to compare")
    return wave.astype(np.float64)


def validate_pair(reference: Wave, estimate: Wave) -> tuple[Float64Array, Float64Array]:
    """A recording and an estimate, both (T,), in double precision, checked to be comparable.

    Raises:
        AudioError: their shapes differ, or `validate_wave` refuses one of them.
    """
    if reference.shape != estimate.shape:
        raise AudioError(f"shapes: {estimate.shape} against {reference.shape}; expected two waves (T,) of one length")
    return validate_wave(reference, "recording"), validate_wave(estimate, "estimate")


def cache_recent(function: Callable[[npt.NDArray[Any], int], Result]) -> Callable[[npt.NDArray[Any], int], Result]:
    """Cache the results of a function of a wave (T,) and its sample rate for the most recent waves.

    Several metrics compare one recording with the estimates of several systems.
    """

    @lru_cache(maxsize=CACHE_SIZE)
    def call(samples: bytes, dtype: str, rate: int) -> Result:
        return function(np.frombuffer(samples, dtype), rate)

    @wraps(function)
    def wrapper(wave: npt.NDArray[Any], rate: int) -> Result:
        return call(wave.tobytes(), wave.dtype.str, rate)

    return wrapper
