"""WORLD's estimates of pitch and spectral envelope (Morise 2016), on which metrics and a baseline stand."""

import warnings

import numpy as np
import numpy.typing as npt

from basis_melgan.metrics.waves import cache_recent

with warnings.catch_warnings():
    # pyworld asks pkg_resources for its version, and pkg_resources warns about that
    warnings.simplefilter("ignore", UserWarning)
    import pyworld as pyworld

Curve = npt.NDArray[np.float64]


def harvest_pitch(wave: Curve, rate: int) -> tuple[Curve, Curve]:
    """Harvest's pitch (F,) in Hz, 0 where unvoiced, of a wave (T,), and the time (F,) in seconds of each 5 ms frame."""
    f0, times = pyworld.harvest(wave, rate)
    return np.asarray(f0), np.asarray(times)


@cache_recent
def dio_pitch(wave: Curve, rate: int) -> tuple[Curve, Curve]:
    """As `pitch`, but DIO's after StoneMask: a twentieth of the time, and a tenth more of the frames unvoiced."""
    f0, times = pyworld.dio(wave, rate)
    return np.asarray(pyworld.stonemask(wave, f0, times, rate)), np.asarray(times)


def spectral_envelope(wave: Curve, f0: Curve, times: Curve, rate: int) -> Curve:
    """CheapTrick's power envelope (F, bins) of a wave (T,) at the pitch and the times that `pitch` gives."""
    return np.asarray(pyworld.cheaptrick(wave, f0, times, rate))
