"""Reader of a decomposed corpus (`basis-melgan decompose`): weights and re-synthesized waves, loaded by crop."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.corpus.manifest import Clip
from basis_melgan.errors import CorpusError
from basis_melgan.storage import hashing

VERSION = 2


@dataclass(frozen=True)
class Decomposition:
    """A decomposed corpus on disk: ``decomposition.json``, ``basis.safetensors`` and ``shards/``."""

    folder: Path
    frames: FrameGeometry
    shards: dict[str, int]  # shard number by the SHA-256 of a clip's file, since ids may repeat across corpora

    def weights(self, clip: Clip, first_frame: int, frame_count: int) -> Float32Array:
        """Return the speech weights (N, K) of the mel frames [first_frame, first_frame + frame_count) of a clip."""
        start = self.frames.leading_frames + first_frame * self.frames.weights_per_mel
        stop = start + frame_count * self.frames.weights_per_mel
        shard = _open_shard(self._shard(clip))
        rows: npt.NDArray[np.float16] = shard.get_slice(f"{clip.sha256}/weights")[start:stop]  # type: ignore[no-untyped-call]
        return np.ascontiguousarray(rows.T, dtype=np.float32)

    def wave(self, clip: Clip, start: int, samples: int) -> Float32Array:
        """Return the samples [start, start + samples) of a clip's re-synthesized wave, (T,)."""
        shard = _open_shard(self._shard(clip))
        wave: npt.NDArray[np.float16] = shard.get_slice(f"{clip.sha256}/wave")[start : start + samples]  # type: ignore[no-untyped-call]
        return wave.astype(np.float32)

    def _shard(self, clip: Clip) -> Path:
        return self.folder / shard_name(self.shards[clip.sha256])


def load(folder: Path, separator: Path, data_hash: str) -> Decomposition:
    """Open the decomposition of a corpus by a separator.

    Raises:
        CorpusError: it is missing, unfinished, of another version, or from another separator or corpus.
    """
    try:
        stored_metadata = dict(json.loads((folder / "decomposition.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CorpusError(
            f"{folder}: holds no finished decomposition ({error}); run `basis-melgan decompose`"
        ) from error
    for key, expected in metadata(separator, data_hash).items():
        if stored_metadata.get(key) != expected:
            raise CorpusError(
                f"{folder}: was decomposed with another {key} ({stored_metadata.get(key)}, now {expected}); "
                "decompose again"
            )
    return Decomposition(folder, FrameGeometry(**stored_metadata["frames"]), stored_metadata["shards"])


def metadata(separator: Path, data_hash: str) -> dict[str, object]:
    """Return what a decomposition depends on: its format version, the separator's file and the corpus."""
    return {"version": VERSION, "separator": hashing.sha256_of_file(separator), "data": data_hash}


def shard_name(number: int) -> str:
    """Return the path of a shard, relative to the folder of its decomposition."""
    return f"shards/{number:05d}.safetensors"


@lru_cache(maxsize=256)
def _open_shard(path: Path) -> safe_open:
    return safe_open(path, framework="numpy")
