"""Released models: one safetensors file each, its configuration and origin as JSON in the metadata."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

import basis_melgan
from basis_melgan.audio.mel import convention
from basis_melgan.config import Config, from_dict
from basis_melgan.errors import ModelFileError
from basis_melgan.models.melgan import Generator
from basis_melgan.models.tasnet import Separator

FORMAT = 1
Module = TypeVar("Module", bound=torch.nn.Module)
Kind = Literal["separator", "vocoder"]


@dataclass(frozen=True)
class Origin:
    """Where a released model comes from."""

    step: int
    data_hash: str


def save(path: Path, kind: Kind, state: Mapping[str, Tensor], config: Config, origin: Origin) -> None:
    """Write a model file aside, then rename it into place."""
    metadata = {
        "format": str(FORMAT),
        "kind": kind,
        "config": json.dumps(config.to_dict()),
        "step": str(origin.step),
        "data": origin.data_hash,
        "basis_melgan": basis_melgan.__version__,
        "torch": torch.__version__,
    }
    aside = path.with_name(f".{path.name}.part")
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, aside, metadata)
    aside.replace(path)


def load_separator(path: Path) -> tuple[Separator, Config]:
    """The separator of a model file, frozen and ready to infer, and the configuration it was trained with.

    Raises:
        ModelFileError: the file is missing, damaged, of another kind, or of a later version.
    """
    state, config = _read(path, "separator")
    separator = Separator(config.separator, config.frames)
    return _filled(separator, state, path), config


def load_vocoder(path: Path) -> tuple[Generator, Config]:
    """The generator of a vocoder file, frozen and ready to infer, and the configuration it was trained with.

    Raises:
        ModelFileError: the file is missing, damaged, of another kind, or of a later version.
    """
    state, config = _read(path, "vocoder")
    return _filled(new_generator(config), state, path), config


def new_generator(config: Config) -> Generator:
    """An untrained generator of a configuration."""
    return Generator(config.generator, convention(config.mel).bands, config.frames, config.separator.basis_signals)


def metadata(path: Path) -> dict[str, Any]:
    """What a model file says of itself.

    Raises:
        ModelFileError: the file is missing, damaged, or no model of ours.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file; expected a model file (.safetensors)")
    try:
        with safe_open(path, framework="pt") as opened:
            found = opened.metadata()
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{path}: damaged or no model file ({error}); copy or train it again") from error
    if not found or "kind" not in found or "format" not in found or "config" not in found:
        raise ModelFileError(f"{path}: its metadata names no kind of model; expected a file that basis-melgan wrote")
    return dict(found)


def _read(path: Path, kind: Kind) -> tuple[dict[str, Tensor], Config]:
    found = metadata(path)
    if found["kind"] != kind:
        raise ModelFileError(f"{path}: holds a {found['kind']}; expected a {kind}")
    if not found["format"].isdecimal() or int(found["format"]) > FORMAT:
        raise ModelFileError(f"{path}: has format {found['format']}, this version reads {FORMAT}; update basis-melgan")
    with safe_open(path, framework="pt") as opened:
        state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  (no mapping)
    try:
        return state, from_dict(json.loads(found["config"]))
    except json.JSONDecodeError as error:
        raise ModelFileError(f"{path}: its configuration is damaged ({error}); copy or train it again") from error


def _filled(module: Module, state: Mapping[str, Tensor], path: Path) -> Module:
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelFileError(f"{path}: its weights do not fit its configuration ({reason}); copy it again") from error
    return module.eval().requires_grad_(False)
