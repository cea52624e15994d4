"""Optimal weights against explicit matrices and another solver."""

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from basis_melgan.analysis.resynthesis import least_squares, non_negative_least_squares
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.metrics.signal import si_snr
from basis_melgan.models.bases.basis import Basis
from basis_melgan.models.bases.gabor import gabor

STRIDE, LENGTH, SAMPLES = 4, 8, 90
PERIOD = 24 * STRIDE  # 23 frames for 90 samples, and one for the overlap of the last


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def shift_matrix(atoms: np.ndarray) -> np.ndarray:
    """All circular shifts of all atoms as columns (PERIOD, N·K), atom by atom."""
    padded = np.pad(atoms, ((0, 0), (0, PERIOD - atoms.shape[1])))
    return np.stack([np.roll(atom, start) for atom in padded for start in range(0, PERIOD, STRIDE)], axis=1)


@pytest.mark.parametrize("atoms", [1, 3, 4, 5, 12])
def test_least_squares_matches_the_explicit_matrix(atoms: int) -> None:
    basis, wave = random(atoms, atoms, LENGTH), random(99, SAMPLES).astype(np.float32)
    resynthesis = least_squares(basis, STRIDE, wave)
    matrix, target = shift_matrix(basis), np.pad(wave, (0, PERIOD - SAMPLES))
    weights = np.linalg.lstsq(matrix, target, rcond=1e-6)[0]
    np.testing.assert_allclose(resynthesis.weights, weights.reshape(atoms, -1), atol=1e-8)
    np.testing.assert_allclose(resynthesis.wave, (matrix @ weights)[:SAMPLES], atol=1e-8)


def test_enough_atoms_represent_any_wave_and_too_few_do_not() -> None:
    wave = random(0, SAMPLES).astype(np.float32)
    np.testing.assert_allclose(least_squares(np.eye(STRIDE), STRIDE, wave).wave, wave, atol=1e-12)
    output = least_squares(np.eye(STRIDE)[:2], STRIDE, wave).wave
    np.testing.assert_allclose(output, wave * (np.arange(SAMPLES) % STRIDE < 2), atol=1e-12)


@pytest.mark.parametrize("solve", [least_squares, non_negative_least_squares])
def test_the_models_basis_synthesizes_the_wave_from_the_weights(solve) -> None:
    frames = FrameGeometry()
    atoms = 0.01 * gabor(80, frames.basis_length, phases=4) * np.linspace(1, 2, 80)[:, None]
    wave = random(0, 1_000).astype(np.float32)
    resynthesis = solve(atoms.astype(np.float64), frames.stride, wave)
    basis = Basis(80, frames)
    basis.atoms = torch.nn.Parameter(torch.from_numpy(atoms).float())
    with torch.no_grad():
        output = basis(torch.from_numpy(resynthesis.weights)[None])[0].numpy()[:1_000]
    inside = slice(frames.basis_length, None)  # the last frame wraps around into the start
    np.testing.assert_allclose(output[inside], resynthesis.wave[inside], atol=1e-3)


@pytest.mark.parametrize("atoms", [4, 8, 12])
def test_non_negative_weights_match_another_solver(atoms: int) -> None:
    basis, wave = random(atoms, atoms, LENGTH), random(99, SAMPLES).astype(np.float32)
    resynthesis = non_negative_least_squares(basis, STRIDE, wave)
    assert resynthesis.weights.min() >= 0.0
    target = np.pad(wave, (0, PERIOD - SAMPLES))
    matrix = shift_matrix(basis)
    output = matrix @ resynthesis.weights.reshape(-1)
    np.testing.assert_allclose(output[:SAMPLES], resynthesis.wave, atol=1e-5)
    optimum = nnls(matrix, target)[1] ** 2
    assert np.square(output - target).sum() == pytest.approx(
        optimum, rel=1e-3, abs=1e-6 * float(np.square(target).sum())
    )


def test_non_negative_weights_need_both_signs_of_an_atom() -> None:
    wave = random(0, 2_400).astype(np.float32)
    pairs, quarters = (gabor(64, 30, phases).astype(np.float64) for phases in (2, 4))
    assert si_snr(wave, non_negative_least_squares(pairs, 15, wave).wave.astype(np.float32)) < 10.0
    assert si_snr(wave, non_negative_least_squares(quarters, 15, wave).wave.astype(np.float32)) > 60.0


def test_a_silent_atom_has_zero_weights() -> None:
    basis, wave = np.concatenate([np.zeros((1, LENGTH)), random(1, 9, LENGTH)]), random(0, SAMPLES).astype(np.float32)
    for solve in (least_squares, non_negative_least_squares):
        assert not solve(basis, STRIDE, wave).weights[0].any()
        np.testing.assert_allclose(solve(basis, STRIDE, wave).wave, solve(basis[1:], STRIDE, wave).wave, atol=1e-9)
