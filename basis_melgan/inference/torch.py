"""The PyTorch backend: runs a trained vocoder."""

from pathlib import Path

import torch

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.inference.backend import Info
from basis_melgan.models import model_file
from basis_melgan.models.cost import macs_per_frame, parameters
from basis_melgan.models.streaming_generator import StreamingGenerator


class TorchBackend:
    """Runs a vocoder of `train-vocoder` in PyTorch."""

    def __init__(self, path: Path, precision: torch.dtype = torch.float32) -> None:
        """Load a trained vocoder, to compute in `precision`.

        Raises:
            ModelFileError: the file is missing, damaged, of another kind, or of another format.
        """
        self.model, self.info = load(path)
        self.model.to(precision)
        self._precision = precision

    def run(
        self, mel: Float32Array, state: Float32Array, frame_offset: int, total_frames: int
    ) -> tuple[Float32Array, Float32Array]:
        """Synthesize a chunk: see `basis_melgan.inference.backend.Backend`."""
        with torch.inference_mode():
            inputs = (torch.tensor(values, dtype=self._precision) for values in (mel, state))
            wave, next_state = self.model(*inputs, torch.tensor(frame_offset), torch.tensor(total_frames))
        return wave.numpy(), next_state.numpy()


def load(path: Path) -> tuple[StreamingGenerator, Info]:
    """Load a trained vocoder in its streaming form, ready to infer, with its metadata.

    Raises:
        ModelFileError: the file is missing, damaged, of another kind, or of another format.
    """
    generator, config = model_file.load_generator(path)
    model = StreamingGenerator(generator).eval()
    info = Info(
        name=path.stem,
        config=config,
        lookahead_frames=model.lookahead,
        min_frames=model.min_frames,
        state_size=model.state_size,
        parameters=parameters(generator),
        macs_per_second=macs_per_second(model, config.frames),
        training_steps=int(model_file.metadata(path)["step"]),
    )
    return model, info


def macs_per_second(model: StreamingGenerator, frames: FrameGeometry) -> float:
    """Multiply-adds of a generator per second of audio."""
    state, zero = torch.zeros(1, model.state_size), torch.tensor(0)
    per_frame = macs_per_frame(lambda count: model(torch.zeros(1, model.bands, count), state, zero, zero))
    return per_frame * frames.sample_rate / frames.hop
