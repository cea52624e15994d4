"""A decomposed corpus as `basis-melgan decompose` writes it: weights and re-synthesized waves, read by crop."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import safe_open

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
    shards: dict[str, int]  # of each clip, by the hash of its sound file: several corpora may share an id

    def weights(self, clip: Clip, first: int, length: int) -> npt.NDArray[np.float32]:
        """Speech weights (N, K) of the mel frames [first, first + length) of a clip."""
        start = self.frames.lead + first * self.frames.weights_per_mel
        stop = start + length * self.frames.weights_per_mel
        opened = _open(self._shard(clip))
        rows: npt.NDArray[np.float16] = opened.get_slice(f"{clip.sha256}/weights")[start:stop]  # type: ignore[no-untyped-call]
        return np.ascontiguousarray(rows.T, dtype=np.float32)

    def wave(self, clip: Clip, start: int, samples: int) -> npt.NDArray[np.float32]:
        """Samples [start, start + samples) of a clip's re-synthesized wave, (T,)."""
        opened = _open(self._shard(clip))
        part: npt.NDArray[np.float16] = opened.get_slice(f"{clip.sha256}/wave")[start : start + samples]  # type: ignore[no-untyped-call]
        return part.astype(np.float32)

    def _shard(self, clip: Clip) -> Path:
        return self.folder / shard_name(self.shards[clip.sha256])


def load(folder: Path, separator: Path, data_hash: str) -> Decomposition:
    """Open a decomposition of a corpus by a separator.

    Raises:
        CorpusError: it is missing, unfinished, of another version, or of another separator or corpus.
    """
    try:
        stored = dict(json.loads((folder / "decomposition.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CorpusError(
            f"{folder}: holds no finished decomposition ({error}); run `basis-melgan decompose`"
        ) from error
    for key, expected in metadata(separator, data_hash).items():
        if stored.get(key) != expected:
            raise CorpusError(
                f"{folder}: decomposed with another {key} ({stored.get(key)}, now {expected}); decompose again"
            )
    return Decomposition(folder, FrameGeometry(**stored["frames"]), stored["shards"])


def metadata(separator: Path, data_hash: str) -> dict[str, object]:
    """What a decomposition depends on: its format, the separator's file, and the corpus."""
    return {"version": VERSION, "separator": hashing.sha256_of_file(separator), "data": data_hash}


def shard_name(number: int) -> str:
    """Where a shard lies in the folder of a decomposition."""
    return f"shards/{number:05d}.safetensors"


@lru_cache(maxsize=256)
def _open(shard: Path) -> safe_open:
    return safe_open(shard, framework="numpy")
