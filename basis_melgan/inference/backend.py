"""The interface of all backends, and the metadata of the vocoder that they run."""

from dataclasses import dataclass
from typing import Any, Protocol

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.audio.mel import mel_config
from basis_melgan.config.schema import Config

UNKNOWN_LENGTH = 1 << 40  # total frames of a mel whose end is not known yet


@dataclass(frozen=True)
class Info:
    """Facts about a vocoder, as its model file states them.

    Attributes:
        name: the model file's name without its suffix.
        config: the configuration it was trained with; its frames and mel are those of the mels it takes.
        lookahead_frames: future mel frames that the output at a frame depends on.
        min_frames: fewest mel frames the network takes; a shorter mel is padded by repeating its last frame.
        state_size: floats carried from one chunk to the next.
        parameters: number of parameters, the basis included.
        macs_per_second: multiply-adds of convolutions and linear layers per second of audio.
        training_steps: training steps, including those of the vocoder it was initialized from.
        training_data: the data it was trained on.
        license: the license of its weights.
        precision: of its multiplications, float32 or int8.
    """

    name: str
    config: Config
    lookahead_frames: int
    min_frames: int
    state_size: int
    parameters: int
    macs_per_second: float
    training_steps: int
    training_data: str = ""
    license: str = ""
    precision: str = "float32"

    @property
    def sample_rate(self) -> int:
        """Sample rate of the synthesized wave in Hz."""
        return self.config.frames.sample_rate

    @property
    def hop(self) -> int:
        """Samples per mel frame."""
        return self.config.frames.hop

    @property
    def mel_config(self) -> str:
        """Name of the mel config of the mels it takes."""
        return self.config.mel

    @property
    def bands(self) -> int:
        """Mel bands M."""
        return mel_config(self.config.mel).bands

    @property
    def lookahead_ms(self) -> float:
        """Algorithmic delay: the lookahead in milliseconds."""
        return 1e3 * self.lookahead_frames * self.hop / self.sample_rate

    def to_dict(self) -> dict[str, Any]:
        """The fields that an exported file stores beside the configuration."""
        return {key: value for key, value in vars(self).items() if key not in ("name", "config")}


class Backend(Protocol):
    """Runs a vocoder's network on consecutive chunks of a mel."""

    info: Info

    def run(
        self, mel: Float32Array, state: Float32Array, frame_offset: int, total_frames: int
    ) -> tuple[Float32Array, Float32Array]:
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
