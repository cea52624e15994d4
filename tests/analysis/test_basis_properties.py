"""Properties of a basis against closed forms, and frame bounds against explicit matrices."""

from dataclasses import replace

import numpy as np
import pytest

from basis_melgan.analysis.basis_properties import basis_properties, frame_bounds, frame_operator, polyphase_matrices
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.models.bases.gabor import gabor

FRAMES = FrameGeometry()
LENGTH, STRIDE = FRAMES.basis_length, FRAMES.stride
TIME = np.arange(LENGTH)
TONE = np.cos(2 * np.pi * 6_000 / FRAMES.sample_rate * (TIME - (LENGTH - 1) / 2))


def mdct_basis(stride: int) -> np.ndarray:
    """The MDCT with a sine window (Princen and Bradley 1986): an orthonormal basis (S, 2S)."""
    time, row = np.arange(2 * stride), np.arange(stride)[:, None]
    window = np.sin(np.pi * (time + 0.5) / (2 * stride))
    return window * np.sqrt(2 / stride) * np.cos(np.pi / stride * (time + 0.5 + stride / 2) * (row + 0.5))


def windowed_tones(pairs: int, stride: int) -> np.ndarray:
    """Cosines and sines (2·pairs, 2S) at odd frequencies under a sine window, whose squares add up to 1."""
    time, row = np.arange(2 * stride), np.arange(pairs)[:, None]
    phase = np.pi * (row + 0.5) / pairs * time
    window = np.sin(np.pi * (time + 0.5) / (2 * stride))
    return np.concatenate([window * np.cos(phase), window * np.sin(phase)])


def circulant_matrix(atoms: np.ndarray, stride: int, frames: int) -> np.ndarray:
    """All circular shifts of all atoms over a number of frames, as rows (frames·N, frames·S)."""
    padded = np.pad(atoms, ((0, 0), (0, frames * stride - atoms.shape[1])))
    return np.concatenate([np.roll(padded, frame * stride, axis=1) for frame in range(frames)])


# Frame bounds


@pytest.mark.parametrize("stride", [1, 2, 15])
def test_an_orthonormal_basis_is_tight(stride: int) -> None:
    np.testing.assert_allclose(frame_bounds(np.eye(stride), stride), 1.0, atol=1e-12)
    np.testing.assert_allclose(frame_bounds(mdct_basis(stride), stride), 1.0, atol=1e-12)


@pytest.mark.parametrize("pairs", [15, 16, 128])
def test_windowed_tones_are_tight(pairs: int) -> None:
    np.testing.assert_allclose(frame_bounds(windowed_tones(pairs, 15), 15), pairs, rtol=1e-9)


def test_bounds_of_a_two_tap_filter() -> None:
    for gain in (0.5, -0.25, 1.0):
        expected = sorted(((1 - gain) ** 2, (1 + gain) ** 2))
        np.testing.assert_allclose(frame_bounds(np.array([[1.0, gain]]), 1), expected, atol=1e-12)
    np.testing.assert_allclose(frame_bounds(np.diag([1.0, 2.0, 3.0]), 3), (1.0, 9.0), rtol=1e-12)


def test_bounds_are_quadratic_in_the_level_and_the_lower_one_is_0_for_too_few_atoms() -> None:
    atoms = np.random.default_rng(0).standard_normal((40, LENGTH))
    np.testing.assert_allclose(frame_bounds(3 * atoms, STRIDE), 9 * np.array(frame_bounds(atoms, STRIDE)))
    lower, upper = frame_bounds(atoms[: STRIDE - 1], STRIDE)
    assert lower == pytest.approx(0.0, abs=1e-9)
    assert upper > 1.0


@pytest.mark.parametrize("reach", [1, 2, 3])
def test_bounds_are_squared_singular_values_of_all_shifts(reach: int) -> None:
    atoms = np.random.default_rng(reach).standard_normal((9, 4 * reach))
    squares = np.square(np.linalg.svd(circulant_matrix(atoms, 4, 64), compute_uv=False))
    lower, upper = frame_bounds(atoms, 4)
    np.testing.assert_allclose((squares.min(), squares.max()), (lower, upper), rtol=0.01)
    fine = np.linalg.eigvalsh(frame_operator(polyphase_matrices(atoms, 4, np.linspace(0, np.pi, 20_001))))
    np.testing.assert_allclose((lower, upper), (fine.min(), fine.max()), rtol=1e-3)


# Atom by atom


def test_bandwidths_of_windows() -> None:
    hann = np.sin(np.pi * (TIME + 0.5) / LENGTH) ** 2
    basis = np.stack([TONE, TONE * hann]).astype(np.float32)
    properties = basis_properties(basis, FRAMES)
    expected = np.array([0.8859, 1.4406]) * FRAMES.sample_rate / LENGTH  # bins of L (Harris 1978, table 1)
    np.testing.assert_allclose(properties.bandwidths, expected, atol=15)
    np.testing.assert_allclose(properties.peaks, 6_000, atol=47)  # a bin; the tone's image at −6 kHz shifts the peak


def test_a_click_has_the_full_bandwidth_and_no_duration() -> None:
    click = np.zeros((1, LENGTH), np.float32)
    click[0, 7] = -2.0
    properties = basis_properties(click, FRAMES)
    assert properties.bandwidths[0] == pytest.approx(12_000, abs=6)
    assert properties.rms_bandwidths[0] == pytest.approx(12_000 / np.sqrt(12), rel=1e-3)
    assert (properties.centers[0], properties.durations[0]) == (7.0, 0.0)


def test_time_shape_of_a_plateau() -> None:
    plateau = np.zeros((1, LENGTH), np.float32)
    plateau[0, 4:16] = 3.0
    properties = basis_properties(plateau, FRAMES)
    assert properties.centers[0] == pytest.approx(9.5)
    assert properties.durations[0] == pytest.approx(np.sqrt((12**2 - 1) / 12))


def test_a_bandwidth_ends_at_0_hz_and_at_nyquist() -> None:
    hann = np.sin(np.pi * (TIME + 0.5) / LENGTH) ** 2
    properties = basis_properties(np.stack([hann, hann * (-1.0) ** TIME]).astype(np.float32), FRAMES)
    np.testing.assert_allclose(properties.bandwidths, 0.5 * 1.4406 * FRAMES.sample_rate / LENGTH, atol=15)
    assert properties.peaks.tolist() == [0.0, 12_000.0]


# All atoms together


def test_atoms_are_sorted_by_peak_frequency() -> None:
    basis = gabor(32, LENGTH)[::-1]
    properties = basis_properties(basis, FRAMES)
    assert (np.diff(properties.peaks) >= 0).all()
    np.testing.assert_array_equal(properties.atoms, basis[properties.order])


def test_coverage_is_between_the_bounds_and_independent_of_levels() -> None:
    basis = np.random.default_rng(0).standard_normal((40, LENGTH)).astype(np.float32)
    gains = np.geomspace(0.25, 4.0, 40, dtype=np.float32)[:, None]
    properties, louder = basis_properties(basis, FRAMES), basis_properties(basis * gains, FRAMES)
    lower, upper = properties.unit_bounds
    assert lower < properties.coverage.min() < 0.0 < properties.coverage.max() < upper
    np.testing.assert_allclose(louder.coverage, properties.coverage, atol=1e-4)
    np.testing.assert_allclose(louder.unit_bounds, properties.unit_bounds, atol=1e-4)
    assert louder.bounds[1] > 2 * properties.bounds[1]
    power = np.append(
        10 ** (properties.coverage / 10), 10 ** (properties.coverage[-2:0:-1] / 10)
    )  # both halves of the spectrum
    assert power.mean() == pytest.approx(1.0, rel=1e-6)


def test_a_tight_basis_has_constant_coverage() -> None:
    frames = replace(FRAMES, basis_length=STRIDE)
    properties = basis_properties(np.eye(STRIDE, dtype=np.float32), frames)
    np.testing.assert_allclose(properties.coverage, 0.0, atol=1e-9)
    np.testing.assert_allclose(properties.unit_bounds, 0.0, atol=1e-9)
    np.testing.assert_allclose(properties.bounds, 1.0, atol=1e-9)


def test_a_silent_atom_is_ignored() -> None:
    basis = gabor(32, LENGTH)
    properties = basis_properties(np.concatenate([np.zeros((2, LENGTH), np.float32), basis]), FRAMES)
    alone = basis_properties(basis, FRAMES)
    for field in ("peaks", "bandwidths", "rms_bandwidths", "centers", "durations"):
        assert np.isnan(getattr(properties, field)[:2]).all(), field
        np.testing.assert_allclose(getattr(properties, field)[2:], getattr(alone, field))
    np.testing.assert_allclose(properties.unit_bounds, alone.unit_bounds)
    np.testing.assert_allclose(properties.coverage, alone.coverage)
