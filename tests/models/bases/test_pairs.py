"""Quadrature atoms: norm, phase, coverage of the spectrum and window length."""

import numpy as np
import pytest
import torch

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.errors import ConfigurationError
from basis_melgan.models.bases.basis import overlap_add
from basis_melgan.models.bases.pairs import hilbert_transform, quadrature_atoms, sort_atoms

FRAMES = FrameGeometry(basis_length=960, stride=240)


@pytest.mark.parametrize("spacing", ["linear", "mixed"])
def test_atoms_have_unit_norm_and_pairs_are_in_quadrature(spacing):
    pairs = quadrature_atoms(64, spacing, FRAMES)
    assert pairs.atoms.shape == (128, 960)
    np.testing.assert_allclose(np.linalg.norm(pairs.atoms, axis=1), 1.0)
    cosines, sines = np.split(pairs.atoms, 2)
    np.testing.assert_allclose((cosines * sines).sum(axis=1), 0.0, atol=1e-12)
    spectra = np.abs(np.fft.rfft(cosines, 24_000))  # bins of 1 Hz
    np.testing.assert_allclose(spectra.argmax(axis=1), pairs.frequencies, atol=12.0)


@pytest.mark.parametrize("spacing", ["linear", "mixed"])
def test_bandwidths_partition_the_spectrum(spacing):
    pairs = quadrature_atoms(100, spacing, FRAMES)
    assert pairs.widths.sum() == pytest.approx(12_000.0)
    ends = np.cumsum(pairs.widths)
    assert np.all((ends - pairs.widths < pairs.frequencies) & (pairs.frequencies < ends))
    assert np.all(np.diff(pairs.widths) >= -1e-9)


def test_window_lengths_are_inverse_bandwidths_within_bounds():
    pairs = quadrature_atoms(256, "mixed", FRAMES)
    lengths = (pairs.atoms[:256] ** 2 > 0).sum(axis=1)
    assert lengths[0] == pytest.approx(24_000 / pairs.widths[0], abs=4)
    assert 800 < lengths[0] <= 960
    assert lengths[-1] == pytest.approx(480, abs=4)
    assert np.all(np.diff(lengths) <= 8)


def test_constant_amplitude_synthesizes_constant_power():
    pairs = quadrature_atoms(256, "mixed", FRAMES)
    for index in (20, 128, 250):
        phase = 2 * np.pi * pairs.frequencies[index] * 240 / 24_000 * np.arange(40)
        cosine, sine = pairs.atoms[index], pairs.atoms[256 + index]
        wave = np.zeros(40 * 240 + 720)
        for frame in range(40):
            wave[frame * 240 :][:960] += np.cos(phase[frame]) * cosine - np.sin(phase[frame]) * sine
        inside = wave[2_400:-2_400]
        power = np.square(inside).reshape(-1, 240).mean(axis=1)
        assert power.std() / power.mean() < 0.1


def test_fourier_atoms_equal_an_inverse_stft():
    """Synthesis from amplitudes and phases equals overlap-add of windowed inverse transforms."""
    frames = FrameGeometry(hop=256, basis_length=1024, stride=256)
    pairs = quadrature_atoms(513, "fourier", frames)
    torch.manual_seed(0)
    amplitude, phase = torch.rand(1, 513, 12), 6.3 * torch.rand(1, 513, 12)
    # Near 0 Hz and Nyquist a cosine and its sine differ in energy before they are normalized.
    amplitude[:, :4] = amplitude[:, -4:] = 0.0
    weights = torch.cat([amplitude * phase.cos(), amplitude * phase.sin()], dim=1).double()
    wave = overlap_add(weights.float(), torch.from_numpy(pairs.atoms).float(), 256)[0]
    # The phase of the atoms is relative to the center of the window: e^{iω(n − 511.5)}. The sine lags, hence the minus.
    omega = 2 * torch.pi * torch.arange(513) / 1024
    spectra = torch.polar(amplitude, -phase - 511.5 * omega[:, None])
    window = torch.from_numpy(np.cos(np.pi * (np.arange(1024) - 511.5) / 1024) ** 2).float()
    expected = torch.zeros(11 * 256 + 1024)
    for frame, piece in enumerate(torch.fft.irfft(spectra[0].T)):
        expected[frame * 256 :][:1024] += window * piece
    scale = (wave @ expected) / expected.square().sum()
    torch.testing.assert_close(wave, scale * expected, atol=1e-4, rtol=1e-3)


def test_fourier_spacing_needs_one_pair_per_bin():
    with pytest.raises(ConfigurationError, match=r"^atoms: 256; spacing fourier has 513"):
        quadrature_atoms(256, "fourier", FrameGeometry(hop=256, basis_length=1024, stride=256))


def test_hilbert_transform_of_cosines_is_sines():
    pairs = quadrature_atoms(64, "linear", FRAMES)
    cosines, sines = torch.from_numpy(pairs.atoms).chunk(2)
    inner = slice(2, -2)  # near 0 Hz and Nyquist the window's spectrum aliases
    torch.testing.assert_close(hilbert_transform(cosines)[inner], sines[inner], atol=3e-3, rtol=0.0)


def test_sorted_atoms_recovers_frequencies_and_bandwidths_in_any_order():
    pairs = quadrature_atoms(128, "mixed", FRAMES)
    order = np.random.default_rng(0).permutation(128)
    cosines, sines = np.split(pairs.atoms, 2)
    recovered = sort_atoms(cosines[order], sines[order], 24_000)
    np.testing.assert_allclose(recovered.atoms, pairs.atoms, atol=1e-12)
    np.testing.assert_allclose(recovered.frequencies[2:-2], pairs.frequencies[2:-2], atol=2.0)
    np.testing.assert_allclose(recovered.widths[3:-3], pairs.widths[3:-3], rtol=0.05)


@pytest.mark.parametrize(("count", "length"), [(256, 512), (384, 768), (512, 1024)])
def test_linear_atoms_are_a_tight_frame(count, length):
    """Synthesis inverts analysis up to a factor for windows of two, three and four strides."""
    frames = FrameGeometry(hop=256, basis_length=length, stride=256)
    atoms = torch.from_numpy(quadrature_atoms(count, "linear", frames).atoms)
    spectrum = torch.fft.rfft(torch.randn(8_192, dtype=torch.float64))
    spectrum[:100] = spectrum[-100:] = 0.0  # near 0 Hz and Nyquist the atoms of a pair are not in quadrature
    wave = torch.fft.irfft(spectrum)
    weights = wave.unfold(0, length, 256) @ atoms.T
    reconstruction = torch.zeros(8_192, dtype=torch.float64)
    for frame, piece in enumerate(weights @ atoms):
        reconstruction[frame * 256 :][:length] += piece
    inside = slice(length, -length)
    error = (reconstruction[inside] - 2 * count / 256 * wave[inside]).std() / reconstruction[inside].std()
    assert error < 0.01
