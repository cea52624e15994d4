"""The ONNX Runtime backend, and the files that it runs."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.config.loading import from_dict
from basis_melgan.config.validation import require_threads
from basis_melgan.errors import BasisMelGANError, ModelFileError
from basis_melgan.inference.backend import Info

FORMAT = 2
# End of a file: a protobuf fragment that adds one entry to the model's metadata, the hash of all bytes before it.
# Parsers merge it into the model, as the protobuf specification requires.
SEAL = b"\x72\x4a\x0a\x06sha256\x12\x40"  # field 14 of 74 bytes: key of 6 bytes, value of 64


def seal(model: bytes) -> bytes:
    """Append a serialized ONNX model's own hash."""
    return model + SEAL + hashlib.sha256(model).hexdigest().encode()


def read_verified(path: Path) -> bytes:
    """Read a model file and check its hash.

    Raises:
        ModelFileError: the file is missing, not an exported vocoder, or damaged.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read ({error.strerror}); expected a vocoder's file (.onnx)") from error
    body, ending = content[: -len(SEAL) - 64], content[-len(SEAL) - 64 :]
    if path.suffix == ".safetensors":
        raise ModelFileError(f"{path}: a trained vocoder, not an exported one; run basis-melgan export on it")
    if not ending.startswith(SEAL):
        raise ModelFileError(f"{path}: truncated, or not written by basis-melgan export; copy or export it again")
    if ending[len(SEAL) :] != hashlib.sha256(body).hexdigest().encode():
        raise ModelFileError(f"{path}: damaged, its hash differs from the stored one; copy or export it again")
    return content


def open_session(path: Path, threads: int) -> Any:
    """Open a model file in ONNX Runtime, to run on `threads` threads.

    Raises:
        ConfigurationError: `threads` is below 1, or too large.
        ModelFileError: the file is missing, damaged, or cannot be run.
    """
    require_threads(threads)
    import onnxruntime  # here, since training does not need it

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3  # errors
    content = read_verified(path)
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises a different class for every kind of error
        reason = " ".join(str(error).split())
        raise ModelFileError(f"{path}: ONNX Runtime cannot run it ({reason}); export it again") from error


class OnnxBackend:
    """Runs an exported vocoder in ONNX Runtime.

    A pickle or copy holds the file's path and opens the file again, since a session cannot be pickled.
    """

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load an exported vocoder, to run on `threads` threads.

        Raises:
            ConfigurationError: `threads` is below 1.
            ModelFileError: the file is missing, damaged, of another kind, or of another format.
        """
        self._path, self._threads = path.absolute(), threads
        self._session = open_session(path, threads)
        self.info = read_info(path, self._session, "vocoder")

    def __reduce__(self) -> tuple[type["OnnxBackend"], tuple[Path, int]]:
        return type(self), (self._path, self._threads)

    def run(
        self, mel: Float32Array, state: Float32Array, frame_offset: int, total_frames: int
    ) -> tuple[Float32Array, Float32Array]:
        """Synthesize a chunk: see `Backend`."""
        inputs = {
            "mel": mel,
            "state": state,
            "frame_offset": np.array(frame_offset),
            "total_frames": np.array(total_frames),
        }
        wave, state = self._session.run(None, inputs)
        return wave, state


def read_info(path: Path, session: Any, kind: str) -> Info:
    """Read a vocoder's `Info` from the metadata of its ONNX session.

    Raises:
        ModelFileError: it is of another kind or format, or cannot be read.
    """
    metadata = session.get_modelmeta().custom_metadata_map
    if metadata.get("kind") != kind or not {"format", "config", "info"} <= metadata.keys():
        raise ModelFileError(f"{path}: its metadata describes no {kind}; expected a file of basis-melgan export")
    if metadata["format"] != str(FORMAT):
        older = metadata["format"].isdecimal() and int(metadata["format"]) < FORMAT
        advice = "export it again" if older else "update basis-melgan"
        raise ModelFileError(f"{path}: has format {metadata['format']}, this version reads {FORMAT}; {advice}")
    try:
        return Info(path.stem, from_dict(json.loads(metadata["config"])), **json.loads(metadata["info"]))
    except (json.JSONDecodeError, TypeError, BasisMelGANError) as error:
        raise ModelFileError(f"{path}: its metadata cannot be read ({error}); export it again") from error
