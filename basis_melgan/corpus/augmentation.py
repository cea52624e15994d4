"""Changes of a recording that a vocoder must follow, other voices and levels, and of a mel that it must not."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.audio.mel import Array
from basis_melgan.config.schema import AugmentationConfig


@dataclass(frozen=True)
class Change:
    """What is done to a crop and to its mel.

    Attributes:
        rate: how many times faster it is played.
        level: dB it is made louder by, as far as full scale allows.
        blur: standard deviation, in bands and in frames, of the Gaussian that its mel is smoothed by.
    """

    rate: float = 1.0
    level: float = 0.0
    blur: float = 0.0

    def before(self, samples: int) -> int:
        """Samples of the recording that the first `samples` of the changed crop are made from."""
        return math.ceil(samples * self.rate)

    def __call__(self, wave: Wave, sample_rate: int) -> Wave:
        """Change a wave (T,) of `sample_rate` Hz to one of T / rate samples."""
        if (self.rate, self.level) == (1.0, 0.0):
            return wave
        played = files.resample(wave, sample_rate * self.rate, sample_rate)
        peak = float(np.abs(played).max(initial=0.0))
        gain = min(10 ** (self.level / 20), 1 / peak if peak > 0 else 1.0)
        return played * np.float32(gain)

    def smoothed(self, mel: Array) -> Array:
        """A mel (M, F), smoothed as those that a text-to-speech system predicts are."""
        return mel if self.blur == 0 else gaussian_filter(mel, self.blur, mode="nearest")


UNCHANGED = Change()


def draw(rng: np.random.Generator, config: AugmentationConfig) -> Change:
    """The change of one crop: none, or a rate drawn evenly in octaves, a level in dB, and a blur."""
    if config.fraction == 0 or rng.random() >= config.fraction:
        return UNCHANGED
    octaves = rng.uniform(*np.log2(config.rate))
    return Change(float(2**octaves), float(rng.uniform(*config.level)), float(rng.uniform(*config.blur)))
