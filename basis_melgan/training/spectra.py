"""STFT magnitudes that several losses share."""

from torch import Tensor

from basis_melgan.config.networks import Resolution
from basis_melgan.models.stft import stft_magnitude

# Added to the STFT magnitudes of losses; it corresponds to noise near −72 dBFS. Without it the empty band of a 16 kHz
# recording, and pauses of digital silence, would contribute most of the gradient and keep a generator that starts out
# quiet from becoming louder.
MAGNITUDE_FLOOR = 5e-3


class Spectra:
    """STFT magnitudes of a wave (B, T), computed once per resolution."""

    def __init__(self, wave: Tensor) -> None:
        self.wave = wave.float()
        self._magnitudes: dict[Resolution, Tensor] = {}

    def magnitude(self, resolution: Resolution) -> Tensor:
        """Magnitudes (B, T // hop + 1, bins) at a resolution, raised by `MAGNITUDE_FLOOR`."""
        if resolution not in self._magnitudes:
            self._magnitudes[resolution] = stft_magnitude(self.wave, resolution, MAGNITUDE_FLOOR)
        return self._magnitudes[resolution]
