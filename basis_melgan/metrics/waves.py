"""Which waves can be judged at all, and what is remembered of them."""

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.files import Wave
from basis_melgan.errors import AudioError

Array = npt.NDArray[np.float64]
Found = TypeVar("Found")

KEPT = 4  # waves; a recording, and what systems made of it


def validate_wave(wave: Wave, name: str = "wave") -> Array:
    """A wave (T,) in double precision, once it is known to be one and to hold some sound.

    Raises:
        AudioError: the wave, which the message calls `name`, has another shape, is constant, or is not finite.
    """
    if wave.ndim != 1:
        raise AudioError(f"{name}: shape {wave.shape}; expected one wave (T,)")
    if not np.isfinite(wave).all():
        raise AudioError(f"{name}: holds NaN or Inf; expected finite samples")
    if wave.size == 0 or np.ptp(wave) == 0.0:
        raise AudioError(f"{name}: silent in all its {wave.size} samples; nothing to judge")
    return wave.astype(np.float64)


def validate_pair(reference: Wave, estimate: Wave) -> tuple[Array, Array]:
    """Recording and estimate, both (T,), in double precision, once they can be compared.

    Raises:
        AudioError: their shapes differ, or one of them is not usable.
    """
    if reference.shape != estimate.shape:
        raise AudioError(f"shapes: {estimate.shape} against {reference.shape}; expected two waves (T,) of one length")
    return validate_wave(reference, "recording"), validate_wave(estimate, "estimate")


def cache_recent(function: Callable[[npt.NDArray[Any], int], Found]) -> Callable[[npt.NDArray[Any], int], Found]:
    """Let a function of a wave (T,) and its rate keep what it found in the latest ones.

    One recording is compared with what several systems made of it, by several metrics.
    """

    @lru_cache(maxsize=KEPT)
    def found(samples: bytes, kind: str, rate: int) -> Found:
        return function(np.frombuffer(samples, kind), rate)

    @wraps(function)
    def of(wave: npt.NDArray[Any], rate: int) -> Found:
        return found(wave.tobytes(), wave.dtype.str, rate)

    return of
