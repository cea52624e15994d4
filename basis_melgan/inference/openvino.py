"""A vocoder in one ONNX file, run by OpenVINO (extra `openvino`)."""

from pathlib import Path
from threading import Lock

import numpy as np

from basis_melgan.errors import ModelFileError
from basis_melgan.inference.backend import Array
from basis_melgan.inference.onnx import described, open_session, unsealed

# OpenVINO counts in 32 bits. So far from either end of a mel, how far is all the same.
FAR, FARTHEST = 1 << 20, 1 << 26  # mel frames

# Where a processor computes in bfloat16, OpenVINO would: phases and a prior over 60 dB need float32.
# Where weights are stored in 8 bits, it would round what they multiply to 8 bits too, in steps that can be heard.
SETTINGS: dict[str, str | int] = {
    "NUM_STREAMS": 1,
    "INFERENCE_PRECISION_HINT": "f32",
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
}


class OpenVinoBackend:
    """Runs a vocoder's file in OpenVINO.

    A pickle or a copy of it holds the file's path and opens the file again, since no compiled model can be pickled.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load a vocoder's file, to be run on so many threads.

        Raises:
            ConfigurationError: no thread.
            ModelFileError: the file is missing, damaged, of another kind, or of a later version.
        """
        self._path, self._threads = path.absolute(), threads
        self.info = described(path, open_session(path, threads), "vocoder")  # OpenVINO reads no metadata
        import openvino

        core = openvino.Core()
        try:
            model = core.read_model(model=unsealed(path))
            compiled = core.compile_model(model, "CPU", SETTINGS | {"INFERENCE_NUM_THREADS": threads})
        except RuntimeError as error:
            reason = " ".join(str(error).split())
            raise ModelFileError(f"{path}: OpenVINO cannot run it ({reason}); use --backend onnx") from error
        self._request, self._turn = compiled.create_infer_request(), Lock()

    def __reduce__(self) -> tuple[type["OpenVinoBackend"], tuple[Path, int]]:
        return type(self), (self._path, self._threads)

    def run(self, mel: Array, state: Array, first: int, frames: int) -> tuple[Array, Array]:
        """Speak a chunk, as `Backend` says."""
        passed = max(0, first - FAR)
        first, frames = first - passed, min(frames - passed, FARTHEST)
        given = {"mel": mel, "state": state, "first": np.array(first), "frames": np.array(frames)}
        with self._turn:  # the request's buffers are those of one chunk at a time
            made = self._request.infer(given)
            return made["wave"].copy(), made["next_state"].copy()
