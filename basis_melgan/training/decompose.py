"""Decompose a whole corpus by a separator: every clip's speech weights and resynthesized wave, in float16 shards.

Clips are separated whole, so the statistics of gLN are the utterance's, as in inference. Without a decomposition, stage
2 computes the weights of its crops, with the statistics of the crop, as in the training of stage 1; the separator is
accurate with both.
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
from safetensors.numpy import save as serialize

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
BYTES_PER_VALUE = 2  # float16

Clips = list[tuple[Path, Clip]]


def decompose(separator: Path, corpus: Path, out: Path, trainer: TrainerConfig, force: bool = False) -> None:
    """Decompose every clip of a corpus; a rerun keeps the shards that an interrupted run completed.

    Raises:
        CorpusError: the corpus is missing or of another sample rate.
        ModelFileError: the separator cannot be read.
        OutputError: `out` contains the decomposition of another separator or corpus, or the disk is too small.
    """
    model, config = model_file.load_separator(separator)
    corpora = manifest.load(corpus)
    manifest.require_rate(corpora, config.frames.sample_rate)
    clips: Clips = [(corpus.path(clip), clip) for corpus in corpora for clip in corpus.clips]
    fabric = Fabric(accelerator=trainer.accelerator, devices=trainer.devices, num_nodes=trainer.nodes)
    fabric.launch()
    header = decomposition.metadata(separator, manifest.data_hash(corpora))
    shard_count = math.ceil(len(clips) / CLIPS_PER_SHARD)
    if fabric.is_global_zero:
        _prepare_folder(out, header, force)
        fabric.print(_require_space(out, clips, config.frames, len(model.basis.atoms)))
        if not (out / "basis.safetensors").exists():
            _save(out / "basis.safetensors", {"basis": model.basis.atoms.numpy(force=True)})
    fabric.barrier()
    _write_shards(model, clips, range(shard_count), out, fabric)
    fabric.barrier()
    if fabric.is_global_zero:
        shards = {clip.sha256: index // CLIPS_PER_SHARD for index, (_, clip) in enumerate(clips)}
        text = json.dumps({**header, "frames": asdict(config.frames), "shards": shards}, ensure_ascii=False, indent=1)
        write_text(out / "decomposition.json", text)
        fabric.print(f"{out}: {len(clips)} clips in {shard_count} shards")


def _write_shards(model: Separator, clips: Clips, shards: range, out: Path, fabric: Fabric) -> None:
    """Write the missing ones of this process's shards."""
    process_shards = shards[fabric.global_rank :: fabric.world_size]
    pending_shards = [number for number in process_shards if not (out / shard_name(number)).exists()]
    fabric.to_device(model)
    for number in track(pending_shards, "decompose: shard", enabled=fabric.is_global_zero):
        _write_shard(model, clips[number * CLIPS_PER_SHARD :][:CLIPS_PER_SHARD], out / shard_name(number))


def _write_shard(model: Separator, clips: Clips, path: Path) -> None:
    """Write clips' ``HASH/weights`` (K, N), in which a crop is contiguous, and ``HASH/wave`` (T,)."""
    tensors: dict[str, npt.NDArray[np.float16]] = {}
    for clip_path, clip in clips:
        wave = torch.from_numpy(files.read(clip_path)[0])
        with torch.no_grad():
            separated = model(wave[None].to(model.basis.atoms.device))
        tensors[f"{clip.sha256}/weights"] = separated.weights[0, SPEECH].T.half().contiguous().numpy(force=True)
        tensors[f"{clip.sha256}/wave"] = separated.waves[0, SPEECH].half().numpy(force=True)
    _save(path, tensors)


def _save(path: Path, tensors: Mapping[str, npt.NDArray[np.floating]]) -> None:
    write_bytes(path, serialize(dict(tensors)))  # safetensors' own save_file makes files that only their owner can read


def _prepare_folder(out: Path, header: dict[str, object], force: bool) -> None:
    """Create the folder and record what its shards depend on, so that a rerun knows whether it may keep them."""
    record = out / "run.json"
    if force:
        shutil.rmtree(out / "shards", ignore_errors=True)
        for path in (out / "basis.safetensors", out / "decomposition.json", record):
            path.unlink(missing_ok=True)
    text = json.dumps(header, indent=1)
    has_shards = next((out / "shards").glob("*.safetensors"), None) is not None
    is_same_run = record.is_file() and record.read_text(encoding="utf-8") == text
    if (record.is_file() or has_shards) and not is_same_run:
        raise OutputError(
            f"{out}: contains a decomposition of another separator or corpus; use another folder or --force"
        )
    (out / "shards").mkdir(parents=True, exist_ok=True)
    write_text(record, text)


def _require_space(out: Path, clips: Clips, frames: FrameGeometry, atom_count: int) -> str:
    """Check that the disk can hold the missing shards; returns a line on their size.

    Raises:
        OutputError: it cannot.
    """
    shards = [clips[start : start + CLIPS_PER_SHARD] for start in range(0, len(clips), CLIPS_PER_SHARD)]
    pending_clips = [
        clip for number, shard in enumerate(shards) if not (out / shard_name(number)).exists() for _, clip in shard
    ]
    samples = sum(clip.samples for clip in pending_clips)
    weight_frames = samples // frames.stride + len(pending_clips) * (frames.leading_frames + 1)
    needed = BYTES_PER_VALUE * (samples + weight_frames * atom_count)
    free = shutil.disk_usage(out).free
    if needed > free:
        raise OutputError(
            f"{out}: needs {needed / 1e9:.2f} GB, but only {free / 1e9:.2f} GB are free; use another disk, or skip "
            "decompose: train-vocoder can compute the weights itself"
        )
    hours = samples / frames.sample_rate / 3600
    return f"{out}: {hours:.2f} h left to decompose, {needed / 1e9:.2f} GB; {free / 1e9:.1f} GB free"
