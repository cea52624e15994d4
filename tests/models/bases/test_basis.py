"""Synthesis from a basis, compared with a plain overlap-add."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.models.bases.basis import Basis, MirroredSynthesis, is_mirrored, overlap_add
from basis_melgan.models.bases.pairs import quadrature_atoms


def reference_overlap_add(weights: np.ndarray, atoms: np.ndarray, stride: int) -> np.ndarray:
    """Synthesize a wave (K·stride,) from weights (N, K) and atoms (N, L), frame by frame."""
    length = atoms.shape[1]
    wave = np.zeros(weights.shape[1] * stride + length)
    for frame, column in enumerate(weights.T):
        wave[frame * stride : frame * stride + length] += column @ atoms
    return wave[: weights.shape[1] * stride]


def build(atoms: int, length: int, stride: int) -> Basis:
    torch.manual_seed(atoms * length + stride)
    return Basis(atoms, FrameGeometry(hop=stride * 4, basis_length=length, stride=stride))


@pytest.mark.parametrize(("length", "stride"), [(30, 15), (16, 16), (40, 10), (12, 3), (2, 1), (1, 1)])
@pytest.mark.parametrize("count", [1, 2, 37])
def test_synthesis_equals_overlap_add(length: int, stride: int, count: int) -> None:
    basis = build(8, length, stride)
    weights = torch.randn(3, 8, count)
    wave = basis(weights).detach().numpy()
    assert wave.shape == (3, count * stride)
    for synthesized, item in zip(wave, weights.numpy(), strict=True):
        expected = reference_overlap_add(
            item.astype(np.float64), basis.atoms.detach().numpy().astype(np.float64), stride
        )
        np.testing.assert_allclose(synthesized, expected, atol=1e-6, rtol=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 9), st.integers(1, 12))
def test_synthesis_equals_overlap_add_for_random_sizes(atoms: int, overlap: int, stride: int, count: int) -> None:
    basis = build(atoms, overlap * stride, stride)
    weights = torch.randn(1, atoms, count)
    expected = reference_overlap_add(weights[0].numpy(), basis.atoms.detach().numpy(), stride)
    np.testing.assert_allclose(basis(weights)[0].detach().numpy(), expected, atol=1e-5)


def test_single_weight_synthesizes_one_atom_at_its_frame() -> None:
    basis = build(5, 30, 15)
    weights = torch.zeros(1, 5, 10)
    weights[0, 3, 4] = 2.0
    expected = torch.zeros(150)
    expected[60:90] = 2.0 * basis.atoms[3]
    torch.testing.assert_close(basis(weights)[0], expected, atol=0.0, rtol=0.0)


def test_synthesis_is_linear() -> None:
    basis = build(8, 30, 15)
    first, second = torch.randn(2, 1, 8, 20)
    torch.testing.assert_close(basis(2 * first - 3 * second), 2 * basis(first) - 3 * basis(second), atol=1e-5, rtol=0.0)


def test_synthesis_keeps_full_precision_under_bf16() -> None:
    basis = build(8, 30, 15)
    weights = torch.randn(2, 8, 20)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wave = basis(weights)
    assert wave.dtype == torch.float32
    torch.testing.assert_close(wave, basis(weights), atol=0.0, rtol=0.0)


@pytest.mark.parametrize("length", [16, 32, 48])
@pytest.mark.parametrize("spacing", ["linear", "mixed"])
def test_mirrored_synthesis_equals_overlap_add(spacing: str, length: int) -> None:
    frames = FrameGeometry(hop=8, basis_length=length, stride=8)
    basis = Basis(24, frames)
    basis.atoms.data = torch.from_numpy(quadrature_atoms(12, spacing, frames).atoms).float()
    assert is_mirrored(basis)
    weights = torch.randn(2, 24, 9)
    expected = overlap_add(weights, basis.atoms, 8)
    torch.testing.assert_close(MirroredSynthesis(basis)(weights), expected, atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("change", ["cosine", "sine"])
def test_asymmetric_atoms_are_not_mirrored(change: str) -> None:
    frames = FrameGeometry(hop=8, basis_length=32, stride=8)
    basis = Basis(24, frames)
    basis.atoms.data = torch.from_numpy(quadrature_atoms(12, "linear", frames).atoms).float()
    basis.atoms.data[3 if change == "cosine" else 15, 5] += 1e-4
    assert not is_mirrored(basis)
    assert not is_mirrored(build(8, 30, 15))
    assert not is_mirrored(build(7, 30, 15))


def test_atoms_of_an_odd_number_of_strides_are_not_mirrored() -> None:
    frames = FrameGeometry(hop=8, basis_length=24, stride=8)
    basis = Basis(24, frames)
    basis.atoms.data = torch.from_numpy(quadrature_atoms(12, "linear", frames).atoms).float()
    assert not is_mirrored(basis)
