"""Model files: one safetensors file per trained model, with its configuration and origin in the metadata."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

import basis_melgan
from basis_melgan.audio.mel import mel_config
from basis_melgan.config.loading import from_dict
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.errors import BasisMelGANError, ConfigurationError, ModelFileError
from basis_melgan.models.bases.basis import ATOMS, Basis
from basis_melgan.models.bases.modulated import BLOCK_LENGTH
from basis_melgan.models.bases.pairs import QuadratureAtoms, hilbert_transform, sort_atoms
from basis_melgan.models.convnext import ConvNeXtGenerator
from basis_melgan.models.melgan import MelGANGenerator
from basis_melgan.models.tasnet import Separator
from basis_melgan.storage.atomic import write_bytes

FORMAT = 2
Kind = Literal["separator", "vocoder", "discriminators"]
AnyGenerator = MelGANGenerator | ConvNeXtGenerator


@dataclass(frozen=True)
class Origin:
    """Origin of a trained model.

    Attributes:
        step: training steps, those of the model that it started from included.
        data_hash: hash of the training clips.
        source_hashes: hashes of its other sources by role, such as the vocoder it started from or the separator.
    """

    step: int
    data_hash: str
    source_hashes: Mapping[str, str] = field(default_factory=dict)


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
        "origins": json.dumps({name: sha256 for name, sha256 in origin.source_hashes.items() if sha256}),
        "basis_melgan": basis_melgan.__version__,
        "torch": str(torch.__version__),
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write_bytes(path, serialize(tensors, metadata))  # safetensors writes files that only their owner can read


def discriminators_of(vocoder: Path) -> Path:
    """Path of a vocoder's discriminators, which are saved beside it."""
    return vocoder.with_name(f"{vocoder.stem}.discriminators.safetensors")


def load_separator(path: Path) -> tuple[Separator, Config]:
    """Load a separator, frozen and ready to infer, and the configuration of its training.

    Raises:
        ModelFileError: the file is missing, damaged, of another kind, or of another format.
    """
    state, config = read(path, "separator")
    with parameter_errors(path):
        separator = Separator(config.separator, config.frames)
        separator.load_state_dict(state)
    return separator.eval().requires_grad_(False), config


def load_generator(path: Path) -> tuple[AnyGenerator, Config]:
    """Load the generator of a vocoder, folded, frozen and ready to infer, and the configuration of its training.

    Raises:
        ModelFileError: the file is missing, damaged, of another kind, or of another format.
    """
    state, config = read(path, "vocoder")
    with parameter_errors(path):
        generator = new_generator(config, state=state)
        generator.load_state_dict(state)
    if isinstance(generator, MelGANGenerator):
        generator.fold_weight_norm()
    return generator.eval().requires_grad_(False), config


def new_generator(
    config: Config, separator: Separator | None = None, state: Mapping[str, Tensor] | None = None
) -> AnyGenerator:
    """Build an untrained generator of a configuration, over the basis that a separator learned.

    Without a separator, a MelGAN generator has a random basis and a ConvNeXt generator the atoms of its configuration.
    These are parameters where the basis is to be fine-tuned, and computed otherwise where that is cheaper.

    Args:
        config: all settings.
        separator: gives the basis.
        state: state dict that will be loaded; it decides how the basis is stored and how its weights are ordered.

    Raises:
        ConfigurationError: generator and separator do not fit.
    """
    state = state or {}
    network, frames = config.generator, config.frames
    if isinstance(network, ConvNeXtConfig):
        atoms = _separator_atoms(separator, network.atoms, frames.sample_rate) if separator is not None else None
        store_atoms = ATOMS in state or config.vocoder_training.basis_learning_rate > 0
        block_length = int(state[BLOCK_LENGTH]) if BLOCK_LENGTH in state else None
        return ConvNeXtGenerator(network, frames, config.mel, atoms, store_atoms, block_length)
    generator = MelGANGenerator(network, frames, mel_config(config.mel).bands)
    if separator is not None:
        if not isinstance(separator.basis, Basis):
            raise ConfigurationError(
                "generator.kind: melgan has non-negative weights; it needs a separator of a free basis"
            )
        if separator.basis.atoms.shape != generator.basis.atoms.shape:
            raise ConfigurationError(
                f"generator.channels: {network.channels} differs from separator.atoms "
                f"{len(separator.basis.atoms)}; the last residual stack gives the weights, so use the same number"
            )
        generator.basis.load_state_dict(separator.basis.state_dict())
    return generator


def _separator_atoms(separator: Separator, count: int, sample_rate: int) -> QuadratureAtoms:
    """Quadrature atoms of a separator; atoms of a free basis are paired with their Hilbert transforms."""
    basis = separator.basis
    both = torch.cat([basis.atoms, hilbert_transform(basis.atoms)]) if isinstance(basis, Basis) else basis.atoms
    cosines, sines = np.split(both.numpy(force=True).astype(np.float64), 2)
    if len(cosines) != count:
        raise ConfigurationError(f"generator.atoms: {count}; the separator has {len(cosines)}")
    return sort_atoms(cosines, sines, sample_rate)


def metadata(path: Path) -> dict[str, Any]:
    """Metadata of a model file.

    Raises:
        ModelFileError: the file is missing, damaged, or no model file.
    """
    if not path.is_file():
        raise ModelFileError(f"{path}: no such file; expected a model file (.safetensors)")
    try:
        with safe_open(path, framework="pt") as file:
            entries = file.metadata()
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{path}: damaged or no model file ({error}); copy or train it again") from error
    if not entries or not {"kind", "format", "config"} <= entries.keys():
        raise ModelFileError(f"{path}: its metadata names no kind of model; expected a file written by basis-melgan")
    return dict(entries)


def read(path: Path, kind: Kind) -> tuple[dict[str, Tensor], Config]:
    """Read the state dict and the configuration of a model file.

    Raises:
        ModelFileError: the file is missing, damaged, of another kind, or of another format.
    """
    entries = metadata(path)
    if entries["kind"] != kind:
        raise ModelFileError(f"{path}: holds a {entries['kind']}; expected a {kind}")
    require_format(path, entries["format"])
    try:
        with safe_open(path, framework="pt") as file:
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (no mapping)
        return state, from_dict(json.loads(entries["config"]))
    except (SafetensorError, OSError, json.JSONDecodeError) as error:
        raise ModelFileError(f"{path}: damaged ({error}); copy or train it again") from error
    except BasisMelGANError as error:
        raise ModelFileError(f"{path}: its configuration cannot be read ({error}); copy or train it again") from error


def require_format(path: Path, file_format: str) -> None:
    """Check that this version reads the format of a model file.

    Raises:
        ModelFileError: it is older or newer.
    """
    if file_format != str(FORMAT):
        older = file_format.isdecimal() and int(file_format) < FORMAT
        advice = "train or download the model again, or use an older basis-melgan" if older else "update basis-melgan"
        raise ModelFileError(f"{path}: has format {file_format}, this version reads {FORMAT}; {advice}")


@contextmanager
def parameter_errors(path: Path) -> Iterator[None]:
    """Raise a ModelFileError if the block cannot build the network of a model file, or load the file's parameters.

    Raises:
        ModelFileError: the parameters do not fit.
    """
    try:
        yield
    except (BasisMelGANError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[-1].strip()
        raise ModelFileError(f"{path}: its weights do not fit its configuration ({reason}); copy it again") from error
