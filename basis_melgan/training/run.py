"""The run folder: its checkpoint, written whole or not at all, and what a training must share with it to go on."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

import basis_melgan
from basis_melgan.config import Config
from basis_melgan.errors import TrainingError

# Settings that may differ between a checkpoint and the training that resumes it.
FREE = frozenset({"engine", "steps", "cooldown", "validate_every", "save_every"})


@dataclass(frozen=True)
class Run:
    """A folder that one training owns: ``checkpoint.ckpt``, ``log/`` for TensorBoard, and the released model."""

    folder: Path
    config: Config
    data_hash: str

    @property
    def checkpoint(self) -> Path:
        """Where the training's whole state lies."""
        return self.folder / "checkpoint.ckpt"

    def prepare(self, force: bool) -> None:
        """Make the folder; with `force`, delete what an earlier training left in it."""
        if force:
            shutil.rmtree(self.folder / "log", ignore_errors=True)
            self.checkpoint.unlink(missing_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)

    def identity(self) -> dict[str, str]:
        """What a checkpoint says of its origin."""
        return {
            "config": json.dumps(self.config.to_dict(), sort_keys=True),
            "data": self.data_hash,
            "basis_melgan": basis_melgan.__version__,
            "torch": torch.__version__,
        }

    def save(self, engine: Fabric, state: dict[str, Any], step: int) -> None:
        """Write the state aside, then rename, so that an interruption leaves the earlier checkpoint whole."""
        aside = self.checkpoint.with_suffix(".part")
        engine.save(aside, {**state, "step": step, "identity": self.identity()})
        if engine.is_global_zero:
            aside.replace(self.checkpoint)
        engine.barrier()

    def resume(self, engine: Fabric, state: dict[str, Any]) -> int:
        """Load the checkpoint into the objects of `state`; returns how many steps it has done, 0 without one.

        Raises:
            TrainingError: the checkpoint is damaged, or of other settings or data.
        """
        if not self.checkpoint.is_file():
            return 0
        try:
            rest = engine.load(self.checkpoint, state, weights_only=True)
        except Exception as error:  # torch, zipfile and Fabric each raise their own kinds on a damaged file
            raise TrainingError(
                f"{self.checkpoint}: cannot be resumed ({str(error).splitlines()[0]}); start afresh with --force"
            ) from error
        self._require_same(rest["identity"])
        return int(rest["step"])

    def _require_same(self, identity: dict[str, str]) -> None:
        if identity["data"] != self.data_hash:
            raise TrainingError(
                f"{self.checkpoint}: was trained on other clips (hash {identity['data'][:12]}, now {self.data_hash[:12]}); "
                "give the same corpus, another run folder, or --force to start afresh"
            )
        theirs, ours = flatten(json.loads(identity["config"])), flatten(json.loads(self.identity()["config"]))
        for key in sorted(theirs.keys() | ours.keys()):
            if FREE.isdisjoint(key.split(".")) and theirs.get(key) != ours.get(key):
                raise TrainingError(
                    f"{self.checkpoint}: {key} was {theirs.get(key)}, now {ours.get(key)}; "
                    "use the same setting, another run folder, or --force to start afresh"
                )


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
