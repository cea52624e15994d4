"""A vocoder run by PyTorch, as it was trained."""

from pathlib import Path

import torch

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.inference.backend import Array, Info
from basis_melgan.models import model_file
from basis_melgan.models.cost import macs_per_frame, parameters
from basis_melgan.models.streaming_generator import StreamingGenerator


class TorchBackend:
    """Runs a vocoder of `train-vocoder` in PyTorch."""

    def __init__(self, path: Path, precision: torch.dtype = torch.float32) -> None:
        """Load a vocoder's file, to be run in a precision.

        Raises:
            ModelFileError: the file is missing, damaged, of another kind, or of a later version.
        """
        self.model, self.info = load(path)
        self.model.to(precision)
        self._precision = precision

    def run(self, mel: Array, state: Array, first: int, frames: int) -> tuple[Array, Array]:
        """Speak a chunk, as `basis_melgan.inference.backend.Backend` says."""
        with torch.inference_mode():
            given = (torch.tensor(each, dtype=self._precision) for each in (mel, state))
            wave, state_after = self.model(*given, torch.tensor(first), torch.tensor(frames))
        return wave.numpy(), state_after.numpy()


def load(path: Path) -> tuple[StreamingGenerator, Info]:
    """The streamed form of a vocoder, ready to infer, and what it says of itself.

    Raises:
        ModelFileError: the file is missing, damaged, of another kind, or of a later version.
    """
    generator, config = model_file.load_vocoder(path)
    model = StreamingGenerator(generator).eval()
    info = Info(
        name=path.stem,
        config=config,
        lookahead_frames=model.lookahead,
        shortest=model.shortest,
        state_size=model.state_size,
        parameters=parameters(generator),
        macs_per_second=macs_per_second(model, config.frames),
        steps=int(model_file.metadata(path)["step"]),
    )
    return model, info


def macs_per_second(model: StreamingGenerator, frames: FrameGeometry) -> float:
    """Multiply-adds of a streamed generator for a second of audio."""
    state, nothing = torch.zeros(1, model.state_size), torch.tensor(0)
    per_frame = macs_per_frame(lambda count: model(torch.zeros(1, model.bands, count), state, nothing, nothing))
    return per_frame * frames.sample_rate / frames.hop
