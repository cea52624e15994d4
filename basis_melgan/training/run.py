"""The run folder: its checkpoint, written whole or not at all, and what a training must share with it to go on."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric

import basis_melgan
from basis_melgan.config.loading import from_dict
from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError, OutputError, TrainingError
from basis_melgan.models.model_file import Origin, metadata

# Settings that may differ between a checkpoint and the training that resumes it.
FREE = frozenset({"steps", "decay_steps", "adversarial_from", "validate_every"})


@dataclass(frozen=True)
class Run:
    """A folder that one training owns: ``checkpoint.ckpt``, ``log/`` for TensorBoard, and the released model."""

    folder: Path
    config: Config
    sections: tuple[str, ...]  # of the configuration, that this training depends on
    data_hash: str
    origins: Mapping[str, str] = field(default_factory=dict)  # hashes of what else it stands on, by what that is
    learned: int = 0  # steps that the model to start from has learned before

    @property
    def checkpoint(self) -> Path:
        """Where the training's whole state lies."""
        return self.folder / "checkpoint.ckpt"

    def prepare(self, force: bool, released: Sequence[Path]) -> None:
        """Make the folder; with `force`, delete what an earlier training left in it, its `released` models included.

        Raises:
            OutputError: the folder cannot be made, or holds a released model without the checkpoint to go on from.
        """
        if force:
            shutil.rmtree(self.folder / "log", ignore_errors=True)
            for path in (self.checkpoint, *released):
                path.unlink(missing_ok=True)
        standing = next((path for path in released if path.is_file()), None)
        if standing is not None and not self.checkpoint.is_file():
            raise OutputError(
                f"{standing}: would be replaced, for no {self.checkpoint.name} lies beside it to go on from; "
                "give another run folder, or --force to start afresh"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be made ({error.strerror}); give another run folder") from error

    def origin(self, step: int) -> Origin:
        """What a model that the training releases after a step says of where it is from."""
        return Origin(self.learned + step, self.data_hash, self.origins)

    def identity(self) -> dict[str, str]:
        """What a checkpoint says of its origin."""
        return {
            "config": json.dumps(self.config.to_dict(), sort_keys=True),
            "data": self.data_hash,
            **self.origins,
            "basis_melgan": basis_melgan.__version__,
            "torch": str(torch.__version__),
        }

    def save(self, fabric: Fabric, state: dict[str, Any], step: int) -> None:
        """Write the state aside, then rename, so that an interruption leaves the earlier checkpoint whole.

        Raises:
            OutputError: it cannot be written; the earlier one stands.
        """
        aside = self.checkpoint.with_suffix(".part")
        try:
            fabric.save(aside, {**state, "step": step, "identity": self.identity()})
            if fabric.is_global_zero:
                aside.replace(self.checkpoint)
        except (OSError, RuntimeError) as error:  # PyTorch's, of a disk that is full
            aside.unlink(missing_ok=True)
            raise OutputError(
                f"{self.checkpoint}: cannot be written ({_first_line(error)}); make room and go on"
            ) from error
        fabric.barrier()

    def resume(self, fabric: Fabric, state: dict[str, Any]) -> int:
        """Load the checkpoint into the objects of `state`; returns how many steps it has done, 0 without one.

        Raises:
            TrainingError: the checkpoint is damaged, or of other settings, data or origins.
        """
        if not self.checkpoint.is_file():
            return 0
        identity, _ = self._load(fabric, None)  # first, since other settings may ask for weights of other shapes
        self._require_same(identity)
        _, step = self._load(fabric, state)
        return step

    def is_ahead_of(self, released: Path, step: int) -> bool:
        """Whether a released model is missing, or of another step than the training has done."""
        return not released.is_file() or int(metadata(released)["step"]) != self.learned + step

    def _load(self, fabric: Fabric, state: dict[str, Any] | None) -> tuple[dict[str, str], int]:
        """Fill the objects of `state`, where there are any, from the checkpoint; returns its identity and its step."""
        try:
            rest = fabric.load(self.checkpoint, state, weights_only=True)
            return rest["identity"], int(rest["step"])
        except Exception as error:  # torch, zipfile and Fabric each raise their own kinds on a damaged file
            raise TrainingError(
                f"{self.checkpoint}: cannot be resumed ({_first_line(error)}); start afresh with --force"
            ) from error

    def _require_same(self, identity: dict[str, str]) -> None:
        for name, now in {"data": self.data_hash, **self.origins}.items():
            was = identity.get(name, now)  # checkpoints of earlier versions name fewer
            if was != now:
                raise TrainingError(
                    f"{self.checkpoint}: was trained with another {name} (hash {was[:12] or 'none'}, now "
                    f"{now[:12] or 'none'}); "
                    f"give the same {name}, another run folder, or --force to start afresh"
                )
        # Read as a configuration, so that a setting which the checkpoint's version did not know has its default.
        try:
            theirs = flatten(from_dict(json.loads(identity["config"])).to_dict())
        except ConfigurationError as error:
            raise TrainingError(
                f"{self.checkpoint}: its settings are of another version ({error}); start afresh with --force"
            ) from error
        ours = flatten(self.config.to_dict())
        for key in sorted(theirs.keys() | ours.keys()):
            section, *names = key.split(".")
            bound = section in self.sections and FREE.isdisjoint(names)
            if bound and theirs.get(key) != ours.get(key):
                raise TrainingError(
                    f"{self.checkpoint}: {key} was {theirs.get(key)}, now {ours.get(key)}; "
                    "use the same setting, another run folder, or --force to start afresh"
                )


def _first_line(error: Exception) -> str:
    """What went wrong in one line; PyTorch's errors have many, and some of others none."""
    return (str(error) or type(error).__name__).splitlines()[0]


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
