"""The best weights, against matrices written out and against another solver."""

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from basis_melgan.analysis.resynthesis import least_squares, non_negative
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.metrics.signal import si_snr
from basis_melgan.models.bases.basis import Basis
from basis_melgan.models.bases.gabor import gabor

STRIDE, LENGTH, SAMPLES = 4, 8, 90
LOOP = 24 * STRIDE  # 23 frames for 90 samples, and one for a signal's reach


def random(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def shifts(signals: np.ndarray) -> np.ndarray:
    """Every shift of every signal around the loop, as columns (LOOP, N·K), signal by signal."""
    padded = np.pad(signals, ((0, 0), (0, LOOP - signals.shape[1])))
    return np.stack([np.roll(each, start) for each in padded for start in range(0, LOOP, STRIDE)], axis=1)


@pytest.mark.parametrize("signals", [1, 3, 4, 5, 12])
def test_least_squares_is_that_of_the_matrix(signals: int) -> None:
    basis, wave = random(signals, signals, LENGTH), random(99, SAMPLES).astype(np.float32)
    found = least_squares(basis, STRIDE, wave)
    matrix, target = shifts(basis), np.pad(wave, (0, LOOP - SAMPLES))
    weights = np.linalg.lstsq(matrix, target, rcond=1e-6)[0]
    np.testing.assert_allclose(found.weights, weights.reshape(signals, -1), atol=1e-8)
    np.testing.assert_allclose(found.wave, (matrix @ weights)[:SAMPLES], atol=1e-8)


def test_enough_signals_make_any_wave_and_too_few_do_not() -> None:
    wave = random(0, SAMPLES).astype(np.float32)
    np.testing.assert_allclose(least_squares(np.eye(STRIDE), STRIDE, wave).wave, wave, atol=1e-12)
    made = least_squares(np.eye(STRIDE)[:2], STRIDE, wave).wave
    np.testing.assert_allclose(made, wave * (np.arange(SAMPLES) % STRIDE < 2), atol=1e-12)


@pytest.mark.parametrize("kind", [least_squares, non_negative])
def test_weights_make_the_wave_through_the_vocoders_own_basis(kind) -> None:
    frames = FrameGeometry()
    signals = 0.01 * gabor(80, frames.basis_length, phases=4) * np.linspace(1, 2, 80)[:, None]
    wave = random(0, 1_000).astype(np.float32)
    found = kind(signals.astype(np.float64), frames.stride, wave)
    basis = Basis(80, frames)
    basis.atoms = torch.nn.Parameter(torch.from_numpy(signals).float())
    with torch.no_grad():
        made = basis(torch.from_numpy(found.weights)[None])[0].numpy()[:1_000]
    inside = slice(frames.basis_length, None)  # the last frame of the loop reaches into its start
    np.testing.assert_allclose(made[inside], found.wave[inside], atol=1e-3)


@pytest.mark.parametrize("signals", [4, 8, 12])
def test_non_negative_weights_are_as_good_as_another_solvers(signals: int) -> None:
    basis, wave = random(signals, signals, LENGTH), random(99, SAMPLES).astype(np.float32)
    found = non_negative(basis, STRIDE, wave)
    assert found.weights.min() >= 0.0
    target = np.pad(wave, (0, LOOP - SAMPLES))
    matrix = shifts(basis)
    made = matrix @ found.weights.reshape(-1)
    np.testing.assert_allclose(made[:SAMPLES], found.wave, atol=1e-5)
    best = nnls(matrix, target)[1] ** 2
    assert np.square(made - target).sum() == pytest.approx(best, rel=1e-3, abs=1e-6 * float(np.square(target).sum()))


def test_non_negative_weights_need_both_signs_of_a_signal() -> None:
    wave = random(0, 2_400).astype(np.float32)
    pairs, quarters = (gabor(64, 30, phases).astype(np.float64) for phases in (2, 4))
    assert si_snr(wave, non_negative(pairs, 15, wave).wave.astype(np.float32)) < 10.0
    assert si_snr(wave, non_negative(quarters, 15, wave).wave.astype(np.float32)) > 60.0


def test_a_silent_signal_gets_no_weight() -> None:
    basis, wave = np.concatenate([np.zeros((1, LENGTH)), random(1, 9, LENGTH)]), random(0, SAMPLES).astype(np.float32)
    for kind in (least_squares, non_negative):
        assert not kind(basis, STRIDE, wave).weights[0].any()
        np.testing.assert_allclose(kind(basis, STRIDE, wave).wave, kind(basis[1:], STRIDE, wave).wave, atol=1e-9)
