"""Stage 1 applied to a whole corpus: each clip's speech weights and re-synthesized wave, in float16 shards.

Weights come from the whole clip, so gLN's statistics are the utterance's, as they are when the separator speaks. (The
training of stage 2 can instead compute weights of its crops on the fly; then the statistics are the crop's, as in stage
1's own training. Both are within what the separator knows.)
"""

import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from safetensors.numpy import save as packed

from basis_melgan.audio import files
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import TrainerConfig
from basis_melgan.corpus import decomposition, manifest
from basis_melgan.corpus.decomposition import shard_name
from basis_melgan.corpus.manifest import Clip
from basis_melgan.errors import OutputError
from basis_melgan.models import model_file
from basis_melgan.models.tasnet import SPEECH, Separator
from basis_melgan.progress import track
from basis_melgan.storage.atomic import write_bytes, write_text

CLIPS_PER_SHARD = 64
BYTES = 2  # of a float16

Clips = list[tuple[Path, Clip]]


def decompose(separator: Path, corpus: Path, out: Path, trainer: TrainerConfig, force: bool = False) -> None:
    """Decompose every clip of a corpus; finished shards are kept, so an interrupted run goes on where it stopped.

    Raises:
        CorpusError: the corpus is missing or of another sample rate.
        ModelFileError: the separator cannot be read.
        OutputError: `out` holds a decomposition of something else, or the disk cannot hold this one.
    """
    model, config = model_file.load_separator(separator)
    corpora = manifest.load(corpus)
    manifest.require_rate(corpora, config.frames.sample_rate)
    clips: Clips = [(corpus.path(clip), clip) for corpus in corpora for clip in corpus.clips]
    fabric = Fabric(accelerator=trainer.accelerator, devices=trainer.devices, num_nodes=trainer.nodes)
    fabric.launch()
    header = decomposition.header(separator, manifest.data_hash(corpora))
    if fabric.is_global_zero:
        _claim(out, header, force)
        _require_space(out, clips, config.frames, len(model.basis.atoms))
        if not (out / "basis.safetensors").exists():
            _save(out / "basis.safetensors", {"basis": model.basis.atoms.numpy(force=True)})
    fabric.barrier()
    numbers = range(math.ceil(len(clips) / CLIPS_PER_SHARD))
    mine = [
        number for number in numbers[fabric.global_rank :: fabric.world_size] if not (out / shard_name(number)).exists()
    ]
    fabric.to_device(model)
    for number in track(mine, "decompose: shard", shown=fabric.is_global_zero):
        _write_shard(model, clips[number * CLIPS_PER_SHARD :][:CLIPS_PER_SHARD], out / shard_name(number))
    fabric.barrier()
    if fabric.is_global_zero:
        shards = {clip.sha256: place // CLIPS_PER_SHARD for place, (_, clip) in enumerate(clips)}
        text = json.dumps({**header, "frames": asdict(config.frames), "shards": shards}, ensure_ascii=False, indent=1)
        write_text(out / "decomposition.json", text)
        print(f"{out}: {len(clips)} clips in {len(numbers)} shards")


def _write_shard(model: Separator, clips: Clips, path: Path) -> None:
    """Decompose clips into one shard: ``HASH/weights`` (K, N), so that a crop is contiguous, and ``HASH/wave`` (T,)."""
    tensors: dict[str, npt.NDArray[np.float16]] = {}
    for source, clip in clips:
        speech = torch.from_numpy(files.read(source)[0])
        with torch.no_grad():
            separated = model(speech[None].to(model.basis.atoms.device))
        tensors[f"{clip.sha256}/weights"] = separated.weights[0, SPEECH].T.half().contiguous().numpy(force=True)
        tensors[f"{clip.sha256}/wave"] = separated.waves[0, SPEECH].half().numpy(force=True)
    _save(path, tensors)


def _save(path: Path, tensors: Mapping[str, npt.NDArray[np.floating]]) -> None:
    write_bytes(path, packed(dict(tensors)))  # safetensors' own file could be read by its owner alone


def _claim(out: Path, header: dict[str, object], force: bool) -> None:
    """Make `out` ours: say what it will hold, so that a later run knows whether its shards are of the same making."""
    claim = out / "claim.json"
    if force:
        shutil.rmtree(out / "shards", ignore_errors=True)
        for path in (out / "basis.safetensors", out / "decomposition.json", claim):
            path.unlink(missing_ok=True)
    text = json.dumps(header, indent=1)
    if claim.is_file() and claim.read_text(encoding="utf-8") != text:
        raise OutputError(f"{out}: holds a decomposition of another separator or corpus; use another folder or --force")
    (out / "shards").mkdir(parents=True, exist_ok=True)
    write_text(claim, text)


def _require_space(out: Path, clips: Clips, frames: FrameGeometry, basis_signals: int) -> None:
    """Print the size of the shards still to write, and refuse when the disk cannot hold them."""
    shards = range(0, len(clips), CLIPS_PER_SHARD)
    missing = [clip for first in shards if not (out / shard_name(first // CLIPS_PER_SHARD)).exists()
               for _, clip in clips[first : first + CLIPS_PER_SHARD]]  # fmt: skip
    samples = sum(clip.samples for clip in missing)
    needed = BYTES * (samples + (samples // frames.stride + len(missing) * (frames.lead + 1)) * basis_signals)
    free = shutil.disk_usage(out).free
    hours = samples / frames.sample_rate / 3600
    print(f"{out}: {hours:.2f} h still to decompose take {needed / 1e9:.2f} GB; {free / 1e9:.1f} GB are free")
    if needed > free:
        raise OutputError(
            f"{out}: {needed / 1e9:.2f} GB are needed and {free / 1e9:.2f} GB free; choose another disk, or leave "
            "decompose out: train-vocoder computes the weights itself"
        )
