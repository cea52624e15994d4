"""The Gabor basis: frequencies, phases and validation."""

import numpy as np
import pytest

from basis_melgan.errors import ConfigurationError
from basis_melgan.models.bases.gabor import gabor


@pytest.mark.parametrize("phases", [2, 4])
@pytest.mark.parametrize(("atoms", "length"), [(1, 2), (5, 3), (7, 30), (64, 30), (256, 31)])
def test_every_atom_has_unit_norm(atoms: int, length: int, phases: int) -> None:
    basis = gabor(atoms, length, phases)
    assert (basis.shape, basis.dtype) == ((atoms, length), np.float32)
    np.testing.assert_allclose(np.linalg.norm(basis, axis=1), 1.0, rtol=1e-6)


def test_frequencies_are_spaced_linearly_between_0_and_nyquist() -> None:
    basis = gabor(16, 120)
    peaks = np.abs(np.fft.rfft(basis, 48_000)).argmax(axis=1) / 2  # Hz at 24 kHz
    expected = np.repeat((np.arange(8) + 0.5) / 8 * 12_000, 2)
    np.testing.assert_allclose(peaks, expected, atol=5)


def test_pair_is_a_cosine_and_a_sine_with_a_hann_window() -> None:
    basis = gabor(8, 30).astype(np.float64)
    cosines, sines = basis[0::2], basis[1::2]
    np.testing.assert_allclose(cosines, cosines[:, ::-1], atol=1e-7)
    np.testing.assert_allclose(sines, -sines[:, ::-1], atol=1e-7)
    time, window = np.arange(30) - 14.5, np.sin(np.pi * (np.arange(30) + 0.5) / 30) ** 2
    for tone, pair in enumerate(zip(cosines, sines, strict=True)):
        cycles_per_sample = (tone + 0.5) / 8
        for atom, function in zip(pair, (np.cos, np.sin), strict=True):
            expected = window * function(2 * np.pi * cycles_per_sample * time)
            np.testing.assert_allclose(atom, expected / np.linalg.norm(expected), atol=1e-6)


def test_four_phases_add_the_negated_atoms() -> None:
    two, four = gabor(8, 30), gabor(16, 30, phases=4)
    np.testing.assert_allclose(four[0::4], two[0::2], atol=1e-6)
    np.testing.assert_allclose(four[1::4], two[1::2], atol=1e-6)
    np.testing.assert_allclose(four[2::4], -four[0::4], atol=1e-6)
    np.testing.assert_allclose(four[3::4], -four[1::4], atol=1e-6)


def test_atom_count_not_divisible_by_phases_truncates_the_last_tone() -> None:
    np.testing.assert_array_equal(gabor(5, 30), gabor(6, 30)[:5])
    np.testing.assert_array_equal(gabor(6, 30, phases=4), gabor(8, 30, phases=4)[:6])


@pytest.mark.parametrize(("atoms", "length"), [(0, 30), (4, 1)])
def test_invalid_sizes_are_refused(atoms: int, length: int) -> None:
    with pytest.raises(ConfigurationError, match=f"^Gabor basis: {atoms} atoms of {length} samples; use 1 or more"):
        gabor(atoms, length)
