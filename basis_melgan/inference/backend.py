"""The interface of all backends, and the metadata of the vocoder that they run."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.mel import mel_config
from basis_melgan.config.schema import Config

Array = npt.NDArray[np.float32]

UNKNOWN_LENGTH = 1 << 40  # total frames of a mel whose end is not known yet


@dataclass(frozen=True)
class Info:
    """Metadata of a vocoder.

    Attributes:
        name: of its file.
        config: settings of its training; frames and mel are those that its input must have.
        lookahead_frames: mel frames that it needs ahead of its output.
        shortest: mel frames that its input must have; for shorter mels, the last frame is repeated.
        state_size: values of memory that it carries from chunk to chunk.
        parameters: their number, the basis included.
        macs_per_second: multiply-adds of convolutions and linear layers per second of audio.
        steps: training steps, those of the vocoder that it started from included.
        data: description of its training data.
        license: of the model.
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
        """Sample rate of the output, Hz."""
        return self.config.frames.sample_rate

    @property
    def hop(self) -> int:
        """Samples per mel frame."""
        return self.config.frames.hop

    @property
    def mel(self) -> str:
        """Name of the input's mel config."""
        return self.config.mel

    @property
    def bands(self) -> int:
        """Mel bands of the input."""
        return mel_config(self.config.mel).bands

    @property
    def lookahead_ms(self) -> float:
        """Algorithmic delay: milliseconds of mel that it needs ahead of its output."""
        return 1e3 * self.lookahead_frames * self.hop / self.rate

    def to_dict(self) -> dict[str, Any]:
        """Fields that a model file stores beside the configuration."""
        return {key: value for key, value in vars(self).items() if key not in ("name", "config")}


class Backend(Protocol):
    """Runs a vocoder's network on consecutive chunks of a mel."""

    info: Info

    def run(self, mel: Array, state: Array, frame_offset: int, total_frames: int) -> tuple[Array, Array]:
        """Synthesize a chunk.

        Args:
            mel: the chunk (B, M, n), n from 1 upward.
            state: memory (B, S) after the previous chunk; zeros before the first.
            frame_offset: index of the chunk's first frame in the whole mel.
            total_frames: frames of the whole mel; `UNKNOWN_LENGTH` as long as that is not known.

        Returns:
            The wave (B, n·hop), delayed by the lookahead, and the memory (B, S) for the next chunk.
        """
        ...
