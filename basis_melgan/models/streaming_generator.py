"""A generator with a flat state: the form in which it is exported, streamed and served."""

from functools import cached_property

import torch
from torch import Tensor, nn

from basis_melgan.models.convnext import ConvNeXtGenerator
from basis_melgan.models.melgan import MelGANGenerator
from basis_melgan.models.streaming import StreamState


class StreamingGenerator(nn.Module):
    """A generator that synthesizes a mel chunk by chunk, its memory packed into one tensor.

    Attributes:
        bands, hop: mel bands, and samples per mel frame.
        lookahead: mel frames by which the wave is delayed.
        min_frames: mel frames that a whole mel must have.
    """

    def __init__(self, generator: MelGANGenerator | ConvNeXtGenerator) -> None:
        """Wrap a generator that is ready to infer; its parameters must not change afterwards."""
        super().__init__()
        generator.prepare_streaming()
        self.generator = generator
        self.bands, self.hop = generator.bands, generator.hop
        self.lookahead, self.min_frames = generator.lookahead, generator.min_frames

    @cached_property
    def state_size(self) -> int:
        """Values of memory that are carried from chunk to chunk, S."""
        start = torch.tensor(0)
        memory = StreamState(None, start, start, self.lookahead)
        mel = torch.zeros(1, self.bands, 1, dtype=next(self.parameters()).dtype)
        with torch.no_grad():
            self.generator(mel, memory)
        return memory.pack().shape[1]

    def forward(self, mel: Tensor, state: Tensor, frame_offset: Tensor, total_frames: Tensor) -> tuple[Tensor, Tensor]:
        """Synthesize a chunk.

        Args:
            mel: the chunk (B, M, n), n from 1 upward.
            state: memory (B, S) after the previous chunk; zeros before the first.
            frame_offset: (), int64: index of the chunk's first frame in the whole mel.
            total_frames: (), int64: frames of the whole mel; `UNKNOWN_LENGTH` as long as that is not known. Frames of
                a chunk beyond it do not count. `lookahead` further frames bring out the delayed rest of the wave.

        Returns:
            The wave (B, n·hop), delayed by lookahead·hop samples, and the memory (B, S) for the next chunk.
        """
        memory = StreamState(state, frame_offset, total_frames, self.lookahead)
        wave = self.generator(mel, memory).wave
        return wave, memory.pack()
