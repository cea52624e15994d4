"""Short-time Fourier transform in NumPy: one implementation for mels, metrics, baselines and plots."""

from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from basis_melgan.audio.arrays import FloatArray

Precision = TypeVar("Precision", bound=np.floating[Any])


def stft(
    wave: FloatArray, window: FloatArray, hop: int, n_fft: int | None = None
) -> npt.NDArray[np.complexfloating[Any, Any]]:
    """Spectra (F, n_fft // 2 + 1) of the frames of a wave (T,): F = 1 + (T − L) // hop, nothing is padded.

    Phases are relative to the first sample of each frame.

    Args:
        wave: at least one window long.
        window: (L,), multiplied with every frame; in the precision of the wave.
        hop: samples from one frame to the next.
        n_fft: samples of the transform; a longer one than L pads frames with zeros. L if None.
    """
    spectra: npt.NDArray[np.complexfloating[Any, Any]] = np.fft.rfft(
        sliding_window_view(wave, len(window))[::hop] * window, n_fft, axis=1
    )
    return spectra


def stft_magnitude(
    wave: npt.NDArray[Precision], window: npt.NDArray[Precision], hop: int, n_fft: int | None = None
) -> npt.NDArray[Precision]:
    """Magnitudes (F, n_fft // 2 + 1) of `stft`."""
    magnitudes: npt.NDArray[Precision] = np.abs(stft(wave, window, hop, n_fft))
    return magnitudes


def center_frames(wave: npt.NDArray[Precision], window_length: int) -> npt.NDArray[Precision]:
    """A wave (T,) reflected by half a window at both ends, so that frame f has its middle on sample f·hop.

    T is more than half of the window's length, which is even.
    """
    return np.pad(wave, window_length // 2, mode="reflect")


@lru_cache(maxsize=16)
def hann_window(samples: int, precision: type[Precision] = np.float32) -> npt.NDArray[Precision]:  # type: ignore[assignment]
    """Periodic Hann window (samples,), read-only: its copies at hop samples/2 add up to 1."""
    window = (0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(samples) / samples)).astype(precision)
    window.setflags(write=False)
    return window
