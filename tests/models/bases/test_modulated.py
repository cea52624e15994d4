"""Synthesis in small products, against the pairs themselves; and a generator that stands on it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from basis_melgan.cli.parser import load
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import Config
from basis_melgan.models import model_file
from basis_melgan.models.bases.basis import Basis, MirroredSynthesis, overlap_add
from basis_melgan.models.bases.modulated import ModulatedBasis, modulated, modulated_pairs
from basis_melgan.models.bases.pairs import quadrature_pairs
from basis_melgan.models.cost import macs

FAST = load("fast")
SIZES = [(1024, 256), (512, 256), (960, 240), (768, 256), (48, 8), (30, 10), (8, 4), (8, 2)]


def frames(length: int, stride: int) -> FrameGeometry:
    return FrameGeometry(hop=stride, basis_length=length, stride=stride)


@pytest.mark.parametrize(("length", "stride"), SIZES)
def test_it_adds_up_what_its_pairs_do(length: int, stride: int) -> None:
    basis, signals = ModulatedBasis(frames(length, stride), 0), modulated_pairs(frames(length, stride)).signals
    torch.testing.assert_close(basis.signals, torch.from_numpy(signals).float(), atol=1e-6, rtol=0.0)
    weights = torch.randn(2, length, 7)
    expected = overlap_add(weights.double(), torch.from_numpy(signals), stride)
    torch.testing.assert_close(basis.synthesis(weights).double(), expected, atol=1e-4, rtol=0.0)


@pytest.mark.parametrize(("length", "stride"), SIZES)
def test_its_pairs_are_the_linear_ones_in_another_order(length: int, stride: int) -> None:
    where = frames(length, stride)
    ours, linear = modulated_pairs(where), quadrature_pairs(length // 2, "linear", where)
    order = np.argsort(ours.frequencies)
    np.testing.assert_array_equal(ours.frequencies[order], linear.frequencies)
    np.testing.assert_array_equal(ours.widths[order], linear.widths)
    np.testing.assert_array_equal(ours.signals.reshape(2, -1, length)[:, order].reshape(-1, length), linear.signals)


def test_it_cuts_what_rings_beyond_the_frames_as_a_basis_does() -> None:
    where = frames(1024, 256)
    basis, plain = ModulatedBasis(where, 384), Basis(1024, where, 384)
    plain.signals.data = basis.signals
    weights = torch.randn(2, 1024, 5)
    torch.testing.assert_close(basis(weights), plain(weights), atol=1e-4, rtol=0.0)
    assert (basis.length, basis.stride, basis.left_pad) == (plain.length, plain.stride, plain.left_pad)


def test_it_costs_a_quarter_of_half_the_signals() -> None:
    basis, plain = ModulatedBasis(frames(1024, 256), 0), Basis(1024, frames(1024, 256))
    plain.signals.data = basis.signals
    weights = torch.randn(1, 1024, 10)
    counted = [
        macs(lambda synthesis=synthesis: synthesis(weights))
        for synthesis in (basis.synthesis, MirroredSynthesis(plain))
    ]
    assert counted == [10 * 131_072, 10 * 524_288]


def test_it_keeps_full_precision_under_bf16() -> None:
    basis, weights = ModulatedBasis(frames(48, 8), 8), torch.randn(2, 48, 9)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wave = basis(weights)
    torch.testing.assert_close(wave, basis(weights), atol=0.0, rtol=0.0)


def test_weights_learn_through_it() -> None:
    basis = ModulatedBasis(frames(16, 4), 6).double()
    weights = torch.randn(1, 16, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(basis, weights)


@pytest.mark.parametrize(
    ("changed", "length", "stride"),
    [({"spacing": "mixed"}, 1024, 256), ({"pairs": 511}, 1024, 256), ({"pairs": 513}, 1024, 256), ({}, 1020, 255)],
)
def test_other_pairs_are_told(changed: dict, length: int, stride: int) -> None:
    assert modulated(FAST.generator, FAST.frames)
    sizes = replace(FAST.generator, **({"pairs": length // 2} | changed))
    assert not modulated(sizes, frames(length, stride))


def small(**changed) -> Config:
    return replace(FAST, generator=replace(FAST.generator, channels=8, hidden=12, blocks=2, **changed))


def spoken(generator: model_file.AnyGenerator) -> torch.Tensor:
    mel = torch.rand(1, 100, 9, generator=torch.Generator().manual_seed(1))
    return generator.eval()(mel).wave.detach()


def test_a_generator_over_it_says_what_it_says_over_taps(tmp_path: Path) -> None:
    """Both from a file, which alone tells whether there are taps."""
    without, taps = model_file.new_generator(small()), model_file.new_generator(small(), taps=True)
    assert isinstance(without.basis, ModulatedBasis)
    assert isinstance(taps.basis, Basis)
    taps.load_state_dict(without.state_dict() | taps.basis.state_dict(prefix="basis."))
    for name, generator in (("without", without), ("taps", taps)):
        model_file.save(tmp_path / name, "vocoder", generator.state_dict(), small(), model_file.Origin(1, "none"))
        read = model_file.load_vocoder(tmp_path / name)[0]
        assert type(read.basis) is type(generator.basis)
        torch.testing.assert_close(spoken(read), spoken(without), atol=1e-6, rtol=1e-5)
    assert not [name for name in without.state_dict() if name.startswith("basis")]


def test_a_basis_that_is_to_be_fine_tuned_has_taps() -> None:
    opened = replace(small(), vocoder_training=replace(FAST.vocoder_training, basis_learning_rate=1e-4))
    assert isinstance(model_file.new_generator(opened).basis, Basis)
