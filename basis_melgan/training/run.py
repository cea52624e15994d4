"""The run folder of a training: its checkpoint, and the checks before a training resumes from it."""

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
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
from basis_melgan.storage.atomic import atomic_write

# Settings that may change when a training resumes.
CHANGEABLE_SETTINGS = frozenset({"steps", "decay_steps", "adversarial_from", "validate_every"})


@dataclass(frozen=True)
class Run:
    """The folder of one training: ``checkpoint.ckpt``, ``log/`` for TensorBoard, and the model files."""

    folder: Path
    config: Config
    sections: tuple[str, ...]  # of the configuration, that this training depends on
    data_hash: str
    source_hashes: Mapping[str, str] = field(default_factory=dict)  # hashes of the other inputs, by name
    initial_step: int = 0  # steps of training behind the initial model

    @property
    def checkpoint(self) -> Path:
        """Path of the training's resumable state."""
        return self.folder / "checkpoint.ckpt"

    def prepare(self, force: bool, model_paths: Sequence[Path]) -> None:
        """Create the folder; with `force`, delete an earlier training's checkpoint, log and model files first.

        Raises:
            OutputError: the folder cannot be created, or contains a model file without its checkpoint.
        """
        if force:
            shutil.rmtree(self.folder / "log", ignore_errors=True)
            for path in (self.checkpoint, *model_paths):
                path.unlink(missing_ok=True)
        model = next((path for path in model_paths if path.is_file()), None)
        if model is not None and not self.checkpoint.is_file():
            raise OutputError(
                f"{model}: would be overwritten, since there is no {self.checkpoint.name} beside it to resume from; "
                "use another run folder, or --force to start over"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.folder}: cannot be created ({error.strerror}); use another run folder") from error

    def origin(self, step: int) -> Origin:
        """Origin of a model that this training saves after `step` steps."""
        return Origin(self.initial_step + step, self.data_hash, self.source_hashes)

    def identity(self) -> dict[str, str]:
        """Settings, input hashes and versions that a checkpoint records."""
        return {
            "config": json.dumps(self.config.to_dict(), sort_keys=True),
            "data": self.data_hash,
            **self.source_hashes,
            "basis_melgan": basis_melgan.__version__,
            "torch": str(torch.__version__),
        }

    def save(self, fabric: Fabric, state: dict[str, Any], step: int) -> None:
        """Write the checkpoint atomically; call it in all processes.

        Raises:
            OutputError: it cannot be written; the previous checkpoint remains.
        """
        content = {**state, "step": step, "identity": self.identity()}
        writes = fabric.is_global_zero  # the other processes take part in gathering the state
        try:
            with atomic_write(self.checkpoint) if writes else nullcontext(self.checkpoint) as path:
                fabric.save(path, content)
        except (OSError, RuntimeError) as error:  # PyTorch raises RuntimeError on a full disk
            raise OutputError(
                f"{self.checkpoint}: cannot be written ({_first_line(error)}); free disk space and resume"
            ) from error
        fabric.barrier()

    def resume(self, fabric: Fabric, state: dict[str, Any]) -> int:
        """Load the checkpoint into the objects of `state`.

        Returns:
            Its step; 0 without a checkpoint.

        Raises:
            TrainingError: the checkpoint is damaged, or belongs to other settings or inputs.
        """
        if not self.checkpoint.is_file():
            return 0
        identity, _ = self._load(fabric, None)  # first, since other settings may have weights of other shapes
        self._require_same_inputs(identity)
        self._require_same_settings(identity)
        _, step = self._load(fabric, state)
        return step

    def is_model_outdated(self, model: Path, step: int) -> bool:
        """Whether a model file is missing or of another step of this training."""
        return not model.is_file() or int(metadata(model)["step"]) != self.initial_step + step

    def _load(self, fabric: Fabric, state: dict[str, Any] | None) -> tuple[dict[str, str], int]:
        """Identity and step of the checkpoint; loads it into the objects of `state`, if any."""
        try:
            remainder = fabric.load(self.checkpoint, state, weights_only=True)
            return remainder["identity"], int(remainder["step"])
        except Exception as error:  # torch, zipfile and Fabric raise various types on a damaged file
            raise TrainingError(
                f"{self.checkpoint}: cannot be resumed ({_first_line(error)}); start over with --force"
            ) from error

    def _require_same_inputs(self, identity: dict[str, str]) -> None:
        for name, current_hash in {"data": self.data_hash, **self.source_hashes}.items():
            saved_hash = identity.get(name, current_hash)  # checkpoints of earlier versions record fewer inputs
            if saved_hash != current_hash:
                raise TrainingError(
                    f"{self.checkpoint}: was trained with another {name} (hash {saved_hash[:12] or 'none'}, now "
                    f"{current_hash[:12] or 'none'}); use the same {name}, another run folder, or --force to start over"
                )

    def _require_same_settings(self, identity: dict[str, str]) -> None:
        # Parsed as a configuration, so that settings which the checkpoint's version did not have get their defaults.
        try:
            saved = flatten(from_dict(json.loads(identity["config"])).to_dict())
        except ConfigurationError as error:
            raise TrainingError(
                f"{self.checkpoint}: has settings of another version ({error}); start over with --force"
            ) from error
        current = flatten(self.config.to_dict())
        for key in sorted(saved.keys() | current.keys()):
            section, *names = key.split(".")
            is_fixed = section in self.sections and CHANGEABLE_SETTINGS.isdisjoint(names)
            if is_fixed and saved.get(key) != current.get(key):
                raise TrainingError(
                    f"{self.checkpoint}: {key} was {saved.get(key)}, now {current.get(key)}; use the same setting, "
                    "another run folder, or --force to start over"
                )


def _first_line(error: Exception) -> str:
    """First line of an error's message, which has many in PyTorch; its type if the message is empty."""
    return (str(error) or type(error).__name__).splitlines()[0]


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested dictionaries into one with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
