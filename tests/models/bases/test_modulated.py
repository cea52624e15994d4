"""Modulated synthesis: equality with overlap-add, cost, and generators that use it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.loading import load
from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError, ModelFileError
from basis_melgan.models import model_file
from basis_melgan.models.bases.basis import Basis, MirroredSynthesis, overlap_add
from basis_melgan.models.bases.modulated import (
    BLOCK_LENGTH,
    ModulatedBasis,
    default_block_length,
    is_modulated,
    modulated_atoms,
)
from basis_melgan.models.bases.pairs import quadrature_atoms
from basis_melgan.models.convnext import ConvNeXtGenerator
from basis_melgan.models.cost import macs

FAST = load("convnext-24k")
SIZES = [  # length, stride, block length
    (1024, 256, 32),
    (1024, 256, 8),
    (512, 256, 16),
    (960, 240, 30),
    (768, 256, 32),
    (48, 8, 8),
    (48, 8, 2),
    (30, 10, 10),
    (8, 4, 2),
    (8, 2, 2),
]


def frame_geometry(length: int, stride: int) -> FrameGeometry:
    return FrameGeometry(hop=stride, basis_length=length, stride=stride)


@pytest.mark.parametrize(("length", "stride", "block"), SIZES)
def test_modulated_synthesis_equals_overlap_add(length: int, stride: int, block: int) -> None:
    basis, atoms = (
        ModulatedBasis(frame_geometry(length, stride), 0, block),
        modulated_atoms(frame_geometry(length, stride), block).atoms,
    )
    torch.testing.assert_close(basis.atoms, torch.from_numpy(atoms).float(), atol=1e-6, rtol=0.0)
    weights = torch.randn(2, length, 7)
    expected = overlap_add(weights.double(), torch.from_numpy(atoms), stride)
    torch.testing.assert_close(basis.synthesis(weights).double(), expected, atol=1e-4, rtol=0.0)


@pytest.mark.parametrize(("length", "stride", "block"), SIZES)
def test_modulated_atoms_are_reordered_linear_atoms(length: int, stride: int, block: int) -> None:
    geometry = frame_geometry(length, stride)
    modulated, linear = modulated_atoms(geometry, block), quadrature_atoms(length // 2, "linear", geometry)
    order = np.argsort(modulated.frequencies)
    np.testing.assert_array_equal(modulated.frequencies[order], linear.frequencies)
    np.testing.assert_array_equal(modulated.widths[order], linear.widths)
    reordered = modulated.atoms.reshape(2, -1, length)[:, order].reshape(-1, length)
    np.testing.assert_array_equal(reordered, linear.atoms)


@pytest.mark.parametrize(("length", "stride", "block"), [(1024, 256, 32), (960, 240, 30), (768, 256, 32), (8, 4, 2)])
def test_default_block_length_is_near_the_square_root_of_the_length(length: int, stride: int, block: int) -> None:
    assert default_block_length(frame_geometry(length, stride)) == block


def test_modulated_basis_trims_the_wave_like_a_basis() -> None:
    geometry = frame_geometry(1024, 256)
    basis, plain = ModulatedBasis(geometry, 384, 32), Basis(1024, geometry, 384)
    plain.atoms.data = basis.atoms
    weights = torch.randn(2, 1024, 5)
    torch.testing.assert_close(basis(weights), plain(weights), atol=1e-4, rtol=0.0)
    assert (basis.length, basis.stride, basis.left_pad) == (plain.length, plain.stride, plain.left_pad)


def test_modulated_synthesis_costs_a_quarter_of_mirrored_synthesis() -> None:
    basis, plain = ModulatedBasis(frame_geometry(1024, 256), 0, 32), Basis(1024, frame_geometry(1024, 256))
    plain.atoms.data = basis.atoms
    weights, mirrored = torch.randn(1, 1024, 10), MirroredSynthesis(plain)
    assert macs(lambda: basis.synthesis(weights)) == 10 * 131_072
    assert macs(lambda: mirrored(weights)) == 10 * 524_288


def test_synthesis_keeps_full_precision_under_bf16() -> None:
    basis, weights = ModulatedBasis(frame_geometry(48, 8), 8, 8), torch.randn(2, 48, 9)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wave = basis(weights)
    torch.testing.assert_close(wave, basis(weights), atol=0.0, rtol=0.0)


def test_gradients_reach_the_weights() -> None:
    basis = ModulatedBasis(frame_geometry(16, 4), 6, 4).double()
    weights = torch.randn(1, 16, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(basis, weights)


@pytest.mark.parametrize(
    ("changes", "length", "stride"),
    [({"spacing": "mixed"}, 1024, 256), ({"atoms": 511}, 1024, 256), ({"atoms": 513}, 1024, 256), ({}, 1020, 255)],
)
def test_other_layouts_are_not_modulated(changes: dict, length: int, stride: int) -> None:
    assert is_modulated(FAST.generator, FAST.frames)
    sizes = replace(FAST.generator, **({"atoms": length // 2} | changes))
    assert not is_modulated(sizes, frame_geometry(length, stride))


@pytest.mark.parametrize("block", [0, -2, 3, 24, 512])
def test_invalid_block_length_is_refused(block: int) -> None:
    with pytest.raises(ConfigurationError, match=rf"^block length {block} is no even divisor of frames.stride 256$"):
        ModulatedBasis(frame_geometry(1024, 256), 0, block)


def small(**changes) -> Config:
    return replace(FAST, generator=replace(FAST.generator, channels=8, hidden=12, blocks=2, **changes))


def with_trainable_basis(config: Config) -> Config:
    return replace(config, vocoder_training=replace(config.vocoder_training, basis_learning_rate=1e-4))


def synthesize(generator: model_file.AnyGenerator) -> torch.Tensor:
    mel = torch.rand(1, 100, 9, generator=torch.Generator().manual_seed(1))
    return generator.eval()(mel).wave.detach()


def test_stored_and_computed_atoms_synthesize_the_same_wave(tmp_path: Path) -> None:
    """Each generator is loaded from its file, and the file decides whether atoms are stored."""
    computed, stored = model_file.new_generator(small()), model_file.new_generator(with_trainable_basis(small()))
    assert isinstance(computed.basis, ModulatedBasis)
    assert isinstance(stored.basis, Basis)
    network_state = {name: values for name, values in computed.state_dict().items() if name != BLOCK_LENGTH}
    stored.load_state_dict(network_state | stored.basis.state_dict(prefix="basis."))
    for name, generator in (("computed", computed), ("stored", stored)):
        model_file.save(tmp_path / name, "vocoder", generator.state_dict(), small(), model_file.Origin(1, "none"))
        loaded = model_file.load_generator(tmp_path / name)[0]
        assert type(loaded.basis) is type(generator.basis)
        torch.testing.assert_close(synthesize(loaded), synthesize(computed), atol=1e-6, rtol=1e-5)
    assert [name for name in computed.state_dict() if name.startswith("basis")] == [BLOCK_LENGTH]


def test_block_length_of_a_file_takes_precedence_over_the_default(tmp_path: Path) -> None:
    """A file keeps its meaning if a later version has another default block length."""
    torch.manual_seed(0)
    generator = ConvNeXtGenerator(small().generator, FAST.frames, FAST.mel, block_length=8)
    path = tmp_path / "vocoder.safetensors"
    assert default_block_length(FAST.frames) != 8
    model_file.save(path, "vocoder", generator.state_dict(), small(), model_file.Origin(1, "none"))
    torch.testing.assert_close(
        synthesize(model_file.load_generator(path)[0]), synthesize(generator), atol=0.0, rtol=0.0
    )
    metadata, state = model_file.metadata(path), load_file(path)
    save_file(state | {BLOCK_LENGTH: torch.tensor(7)}, path, metadata)
    with pytest.raises(ModelFileError, match=r"do not fit its configuration \(block length 7 is no even divisor"):
        model_file.load_generator(path)
