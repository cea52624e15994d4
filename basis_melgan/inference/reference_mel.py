"""The mel by which vocoders are timed and compared with what was exported of them."""

import numpy as np

from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.inference.backend import Array, Info


def reference_mel(info: Info, frames: int) -> Array:
    """The mel (M, F) of noise that falls from the level of speech to silence and swells again, twice a second."""
    rate, samples = info.sample_rate, info.hop * (frames + 8)
    noise = 0.1 * np.random.default_rng(0).standard_normal(samples)
    swell = np.cos(2 * np.pi * np.arange(samples) / rate) ** 2
    return mel_spectrogram((noise * swell).astype(np.float32), info.mel_config, info.config.frames)[:, :frames]
