"""Data augmentation of crops: speed and level, which a vocoder must reproduce, and mel blur, which it must ignore."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from basis_melgan.audio import files
from basis_melgan.audio.arrays import Float32Array
from basis_melgan.audio.files import Wave
from basis_melgan.config.schema import AugmentationConfig


@dataclass(frozen=True)
class Augmentation:
    """The augmentation of one crop and its mel.

    Attributes:
        rate: playback speed as a factor; pitch changes with it.
        level: gain in dB, limited so that the crop stays within full scale.
        blur: standard deviation, in bands and in frames, of the Gaussian that smooths the mel.
    """

    rate: float = 1.0
    level: float = 0.0
    blur: float = 0.0

    def source_length(self, length: int) -> int:
        """Return how much of the recording yields `length` samples, or frames, of augmented audio."""
        return math.ceil(length * self.rate)

    def __call__(self, wave: Wave, sample_rate: int) -> Wave:
        """Augment a wave (T,) of `sample_rate` Hz to one of T / rate samples."""
        if (self.rate, self.level) == (1.0, 0.0):
            return wave
        resampled = files.resample(wave, sample_rate * self.rate, sample_rate)
        peak = float(np.abs(resampled).max(initial=0.0))
        gain = min(10 ** (self.level / 20), 1 / peak if peak > 0 else 1.0)
        return resampled * np.float32(gain)

    def blur_mel(self, mel: Float32Array) -> Float32Array:
        """Smooth a mel (M, F), to resemble the oversmoothed output of text-to-speech systems."""
        return mel if self.blur == 0 else gaussian_filter(mel, self.blur, mode="nearest")


NO_AUGMENTATION = Augmentation()


def draw(rng: np.random.Generator, config: AugmentationConfig) -> Augmentation:
    """Draw the augmentation of one crop: none, or a log-uniform rate, a uniform level in dB and a uniform blur."""
    if config.fraction == 0 or rng.random() >= config.fraction:
        return NO_AUGMENTATION
    octaves = rng.uniform(*np.log2(config.rate))
    return Augmentation(float(2**octaves), float(rng.uniform(*config.level)), float(rng.uniform(*config.blur)))
