"""What runs a vocoder's network: the contract of all backends, and what they say of the vocoder they run."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.mel import mel_config
from basis_melgan.config.schema import Config

Array = npt.NDArray[np.float32]

UNKNOWN_LENGTH = 1 << 40  # frames of a mel whose end is not known yet


@dataclass(frozen=True)
class Info:
    """What a vocoder says of itself.

    Attributes:
        name: of its file.
        config: what it was trained with; frames and mel are what a mel for it must have.
        lookahead_frames: mel frames that it needs ahead of what it speaks.
        shortest: mel frames that a mel must have; shorter ones are spoken with their last frame held.
        state_size: numbers that it keeps from chunk to chunk.
        parameters: how many it has, the basis included.
        macs_per_second: multiply-adds of convolutions and linear layers for a second of audio.
        steps: of its training, those of the vocoder that it started from included.
        data: what it was trained on.
        license: under which it may be used.
        precision: of its multiplications, float32 or int8.
    """

    name: str
    config: Config
    lookahead_frames: int
    shortest: int
    state_size: int
    parameters: int
    macs_per_second: float
    steps: int
    data: str = ""
    license: str = ""
    precision: str = "float32"

    @property
    def rate(self) -> int:
        """Sample rate of its speech, Hz."""
        return self.config.frames.sample_rate

    @property
    def hop(self) -> int:
        """Samples per mel frame."""
        return self.config.frames.hop

    @property
    def mel(self) -> str:
        """Name of the mel config of its input."""
        return self.config.mel

    @property
    def bands(self) -> int:
        """Bands of its mels."""
        return mel_config(self.config.mel).bands

    @property
    def lookahead_ms(self) -> float:
        """Its algorithmic delay: milliseconds of mel that it needs ahead of what it speaks."""
        return 1e3 * self.lookahead_frames * self.hop / self.rate

    def to_dict(self) -> dict[str, Any]:
        """What stands beside the configuration in a model file."""
        return {key: value for key, value in vars(self).items() if key not in ("name", "config")}


class Backend(Protocol):
    """Runs a vocoder's network on one chunk of a mel after another."""

    info: Info

    def run(self, mel: Array, state: Array, first: int, frames: int) -> tuple[Array, Array]:
        """Speak a chunk.

        Args:
            mel: the chunk (B, M, n), n from 1 upward.
            state: (B, S), what the chunk before left; zeros before the first.
            first: which frame of the whole mel the chunk begins with.
            frames: how many the whole mel has; `UNKNOWN_LENGTH` as long as that is not known.

        Returns:
            The wave (B, n·hop), late by the lookahead, and the state (B, S) for the next chunk.
        """
        ...
