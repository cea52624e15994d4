"""Synthesis over the basis, against overlap-add written out."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.models.bases.basis import Basis, MirroredSynthesis, is_mirrored
from basis_melgan.models.bases.basis import overlap_add as added_up
from basis_melgan.models.bases.pairs import quadrature_atoms


def overlap_add(weights: np.ndarray, signals: np.ndarray, stride: int) -> np.ndarray:
    """Weights (N, K) and signals (N, L) to a wave (K·stride,): every frame's sum of signals, put in its place."""
    length = signals.shape[1]
    wave = np.zeros(weights.shape[1] * stride + length)
    for frame, column in enumerate(weights.T):
        wave[frame * stride : frame * stride + length] += column @ signals
    return wave[: weights.shape[1] * stride]


def build(signals: int, length: int, stride: int) -> Basis:
    torch.manual_seed(signals * length + stride)
    return Basis(signals, FrameGeometry(hop=stride * 4, basis_length=length, stride=stride))


@pytest.mark.parametrize(("length", "stride"), [(30, 15), (16, 16), (40, 10), (12, 3), (2, 1), (1, 1)])
@pytest.mark.parametrize("count", [1, 2, 37])
def test_synthesis_is_overlap_add(length: int, stride: int, count: int) -> None:
    basis = build(8, length, stride)
    weights = torch.randn(3, 8, count)
    wave = basis(weights).detach().numpy()
    assert wave.shape == (3, count * stride)
    for ours, item in zip(wave, weights.numpy(), strict=True):
        expected = overlap_add(item.astype(np.float64), basis.atoms.detach().numpy().astype(np.float64), stride)
        np.testing.assert_allclose(ours, expected, atol=1e-6, rtol=1e-6)


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 9), st.integers(1, 12))
def test_synthesis_is_overlap_add_whatever_the_sizes(signals: int, overlap: int, stride: int, count: int) -> None:
    basis = build(signals, overlap * stride, stride)
    weights = torch.randn(1, signals, count)
    expected = overlap_add(weights[0].numpy(), basis.atoms.detach().numpy(), stride)
    np.testing.assert_allclose(basis(weights)[0].detach().numpy(), expected, atol=1e-5)


def test_a_single_weight_is_a_basis_signal_at_its_place() -> None:
    basis = build(5, 30, 15)
    weights = torch.zeros(1, 5, 10)
    weights[0, 3, 4] = 2.0
    expected = torch.zeros(150)
    expected[60:90] = 2.0 * basis.atoms[3]
    torch.testing.assert_close(basis(weights)[0], expected, atol=0.0, rtol=0.0)


def test_synthesis_is_linear() -> None:
    basis = build(8, 30, 15)
    one, two = torch.randn(2, 1, 8, 20)
    torch.testing.assert_close(basis(2 * one - 3 * two), 2 * basis(one) - 3 * basis(two), atol=1e-5, rtol=0.0)


def test_synthesis_keeps_full_precision_under_bf16() -> None:
    basis = build(8, 30, 15)
    weights = torch.randn(2, 8, 20)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wave = basis(weights)
    assert wave.dtype == torch.float32
    torch.testing.assert_close(wave, basis(weights), atol=0.0, rtol=0.0)


@pytest.mark.parametrize("length", [16, 32, 48])
@pytest.mark.parametrize("spacing", ["linear", "mixed"])
def test_pairs_are_added_up_from_their_halves(spacing: str, length: int) -> None:
    frames = FrameGeometry(hop=8, basis_length=length, stride=8)
    basis = Basis(24, frames)
    basis.atoms.data = torch.from_numpy(quadrature_atoms(12, spacing, frames).atoms).float()
    assert is_mirrored(basis)
    weights = torch.randn(2, 24, 9)
    expected = added_up(weights, basis.atoms, 8)
    torch.testing.assert_close(MirroredSynthesis(basis)(weights), expected, atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("change", ["cosine", "sine"])
def test_pairs_that_do_not_mirror_are_told(change: str) -> None:
    frames = FrameGeometry(hop=8, basis_length=32, stride=8)
    basis = Basis(24, frames)
    basis.atoms.data = torch.from_numpy(quadrature_atoms(12, "linear", frames).atoms).float()
    basis.atoms.data[3 if change == "cosine" else 15, 5] += 1e-4
    assert not is_mirrored(basis)
    assert not is_mirrored(build(8, 30, 15))
    assert not is_mirrored(build(7, 30, 15))


def test_pairs_whose_halves_are_no_whole_strides_are_told() -> None:
    frames = FrameGeometry(hop=8, basis_length=24, stride=8)
    basis = Basis(24, frames)
    basis.atoms.data = torch.from_numpy(quadrature_atoms(12, "linear", frames).atoms).float()
    assert not is_mirrored(basis)
