"""A vocoder in one ONNX file, run by OpenVINO (extra `openvino`)."""

from pathlib import Path
from threading import Lock

import numpy as np

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.errors import ModelFileError
from basis_melgan.inference.onnx import open_session, read_info, read_verified

# OpenVINO counts in 32 bits. That far from either end of a mel, the exact distance does not matter.
MAX_OFFSET, MAX_FRAMES = 1 << 20, 1 << 26  # mel frames

# By default OpenVINO computes in bfloat16 where the processor can, but phases and a gain prior over 60 dB need float32.
# And it would quantize the inputs of layers with 8-bit weights to 8 bits too, which is audible.
SETTINGS: dict[str, str | int] = {
    "NUM_STREAMS": 1,
    "INFERENCE_PRECISION_HINT": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
}


class OpenVinoBackend:
    """Runs an exported vocoder in OpenVINO.

    A pickle or copy holds the file's path and opens the file again, since a compiled model cannot be pickled.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load an exported vocoder, to run on `threads` threads.

        Raises:
            ConfigurationError: `threads` is below 1.
            ModelFileError: the file is missing, damaged, of another kind, or of another format.
        """
        self._path, self._threads = path.absolute(), threads
        self.info = read_info(path, open_session(path, threads), "vocoder")  # OpenVINO reads no metadata
        import openvino

        core = openvino.Core()
        try:
            model = core.read_model(model=read_verified(path))
            compiled = core.compile_model(model, "CPU", SETTINGS | {"INFERENCE_NUM_THREADS": threads})
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ModelFileError(f"{path}: OpenVINO cannot run it ({reason}); use --backend onnx") from error
        self._request, self._lock = compiled.create_infer_request(), Lock()

    def __reduce__(self) -> tuple[type["OpenVinoBackend"], tuple[Path, int]]:
        return type(self), (self._path, self._threads)

    def run(
        self, mel: Float32Array, state: Float32Array, frame_offset: int, total_frames: int
    ) -> tuple[Float32Array, Float32Array]:
        """Synthesize a chunk: see `Backend`."""
        excess = max(0, frame_offset - MAX_OFFSET)
        inputs = {
            "mel": mel,
            "state": state,
            "frame_offset": np.array(frame_offset - excess),
            "total_frames": np.array(min(total_frames - excess, MAX_FRAMES)),
        }
        with self._lock:  # the request's buffers hold one chunk at a time
            outputs = self._request.infer(inputs)
            return outputs["wave"].copy(), outputs["next_state"].copy()
