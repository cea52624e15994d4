"""The mel on which vocoders are timed and exported ones compared with their originals."""

import numpy as np

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.inference.backend import Info


def reference_mel(info: Info, frames: int) -> Float32Array:
    """The mel (M, F) of noise that swells from silence to the level of speech and back, twice a second."""
    rate, samples = info.sample_rate, info.hop * (frames + 8)
    noise = 0.1 * np.random.default_rng(0).standard_normal(samples)
    envelope = np.cos(2 * np.pi * np.arange(samples) / rate) ** 2
    return mel_spectrogram((noise * envelope).astype(np.float32), info.mel_config, info.config.frames)[:, :frames]
