"""Released models: one safetensors file each, its configuration and origin as JSON in the metadata."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as packed
from torch import Tensor

import basis_melgan
from basis_melgan.audio.mel import mel_config
from basis_melgan.config.loading import from_dict
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.errors import BasisMelGANError, ConfigurationError, ModelFileError
from basis_melgan.models.bases.basis import SIGNALS, Basis
from basis_melgan.models.bases.pairs import Pairs, pairs_of, quarter_turn
from basis_melgan.models.convnext import ConvNeXtGenerator
from basis_melgan.models.melgan import MelGANGenerator
from basis_melgan.models.tasnet import Separator
from basis_melgan.storage.atomic import write_bytes

FORMAT = 1
Module = TypeVar("Module", bound=torch.nn.Module)
Kind = Literal["separator", "vocoder", "discriminators"]
AnyGenerator = MelGANGenerator | ConvNeXtGenerator


@dataclass(frozen=True)
class Origin:
    """Where a released model comes from.

    Attributes:
        step: of its training, those of the model that it started from included.
        data_hash: of the clips that it was trained on.
        others: hashes of what else it stands on, by what that is: a vocoder to start from, a separator.
    """

    step: int
    data_hash: str
    others: Mapping[str, str] = field(default_factory=dict)


def save(path: Path, kind: Kind, state: Mapping[str, Tensor], config: Config, origin: Origin) -> None:
    """Write a model file.

    Raises:
        OutputError: the path cannot be written.
    """
    metadata = {
        "format": str(FORMAT),
        "kind": kind,
        "config": json.dumps(config.to_dict()),
        "step": str(origin.step),
        "data": origin.data_hash,
        "origins": json.dumps({name: found for name, found in origin.others.items() if found}),
        "basis_melgan": basis_melgan.__version__,
        "torch": str(torch.__version__),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_bytes(path, packed(tensors, metadata))  # safetensors' own file could be read by its owner alone


def discriminators_of(vocoder: Path) -> Path:
    """Where a vocoder's discriminators lie, if it was released with them: beside it."""
    return vocoder.with_name(f"{vocoder.stem}.discriminators.safetensors")


def load_separator(path: Path) -> tuple[Separator, Config]:
    """The separator of a model file, frozen and ready to infer, and the configuration it was trained with.

    Raises:
        ModelFileError: the file is missing, damaged, of another kind, or of a later version.
    """
    state, config = read(path, "separator")
    separator = filled(lambda: Separator(config.separator, config.frames), state, path)
    return separator.eval().requires_grad_(False), config


def load_vocoder(path: Path) -> tuple[AnyGenerator, Config]:
    """The generator of a vocoder file, folded, frozen and ready to infer, and the configuration it was trained with.

    Raises:
        ModelFileError: the file is missing, damaged, of another kind, or of a later version.
    """
    state, config = read(path, "vocoder")
    generator = filled(lambda: new_generator(config, taps=SIGNALS in state), state, path)
    if isinstance(generator, MelGANGenerator):
        generator.fold_weight_norm()
    return generator.eval().requires_grad_(False), config


def new_generator(config: Config, separator: Separator | None = None, taps: bool = False) -> AnyGenerator:
    """An untrained generator of a configuration, over the basis that a separator learned.

    Without a separator a paper's generator has a random basis, one at the frame rate the pairs of its configuration.

    Args:
        config: all settings.
        separator: whose basis it gets.
        taps: keep pairs tap by tap, as parameters, also where they can do without; so they are where the basis is to
            be fine-tuned.

    Raises:
        ConfigurationError: generator and separator do not fit.
    """
    if isinstance(config.generator, ConvNeXtConfig):
        pairs = _pairs(separator, config.generator.atoms, config.frames.sample_rate) if separator is not None else None
        taps = taps or config.vocoder_training.basis_learning_rate > 0
        return ConvNeXtGenerator(config.generator, config.frames, config.mel, pairs, taps)
    generator = MelGANGenerator(config.generator, config.frames, mel_config(config.mel).bands)
    if separator is not None:
        if not isinstance(separator.basis, Basis):
            raise ConfigurationError(
                "generator.kind: melgan has non-negative weights; it needs a separator of a free basis"
            )
        if separator.basis.signals.shape != generator.basis.signals.shape:
            raise ConfigurationError(
                f"generator.channels: {config.generator.channels} differs from separator.atoms "
                f"{len(separator.basis.signals)}; the last residual stack gives the weights, so use the same number"
            )
        generator.basis.load_state_dict(separator.basis.state_dict())
    return generator


def _pairs(separator: Separator, count: int, sample_rate: int) -> Pairs:
    """The pairs of a separator; signals of a free basis get their Hilbert transforms as partners."""
    basis = separator.basis
    both = torch.cat([basis.signals, quarter_turn(basis.signals)]) if isinstance(basis, Basis) else basis.signals
    cosines, sines = np.split(both.numpy(force=True).astype(np.float64), 2)
    if len(cosines) != count:
        raise ConfigurationError(f"generator.atoms: {count}; the separator has {len(cosines)}")
    return pairs_of(cosines, sines, sample_rate)


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


def read(path: Path, kind: Kind) -> tuple[dict[str, Tensor], Config]:
    """Weights as they were trained, and configuration, of a model file.

    Raises:
        ModelFileError: the file is missing, damaged, of another kind, or of a later version.
    """
    found = metadata(path)
    if found["kind"] != kind:
        raise ModelFileError(f"{path}: holds a {found['kind']}; expected a {kind}")
    if not found["format"].isdecimal() or int(found["format"]) > FORMAT:
        raise ModelFileError(f"{path}: has format {found['format']}, this version reads {FORMAT}; update basis-melgan")
    try:
        with safe_open(path, framework="pt") as opened:
            state = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118  (no mapping)
        return state, from_dict(json.loads(found["config"]))
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise ModelFileError(f"{path}: damaged ({error}); copy or train it again") from error
    except BasisMelGANError as error:
        raise ModelFileError(f"{path}: its configuration cannot be read ({error}); copy or train it again") from error


def filled(build: Callable[[], Module], state: Mapping[str, Tensor], path: Path) -> Module:
    """What `build` makes, with the parameters that a model file has.

    Raises:
        ModelFileError: they do not fit.
    """
    try:
        module = build()
        module.load_state_dict(state)
    except (BasisMelGANError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelFileError(f"{path}: its weights do not fit its configuration ({reason}); copy it again") from error
    return module
