"""Learned quadrature atoms: initialization, gradients, and their use in a separator and a vocoder."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from basis_melgan.config.loading import load
from basis_melgan.config.networks import MelGANConfig
from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError
from basis_melgan.models import model_file
from basis_melgan.models.bases.learned_pairs import LearnedAtoms
from basis_melgan.models.bases.pairs import quadrature_atoms
from basis_melgan.models.tasnet import Separator

FAST = load("convnext-24k")
FORMS = ["pairs", "taps"]


def small(form: str, pairs: int = 96) -> Config:
    separator = replace(FAST.separator, basis=form, atoms=pairs, channels=8, hidden=16, blocks=2, repeats=1)
    generator = replace(FAST.generator, atoms=pairs, channels=16, hidden=24, blocks=2)
    return replace(FAST, separator=separator, generator=generator)


@pytest.mark.parametrize("spacing", ["linear", "mixed"])
@pytest.mark.parametrize("form", FORMS)
def test_initial_atoms_are_quadrature_atoms(form: str, spacing: str) -> None:
    atoms = LearnedAtoms(128, form, spacing, FAST.frames).atoms.detach().numpy()
    np.testing.assert_allclose(atoms[3:125], quadrature_atoms(128, spacing, FAST.frames).atoms[3:125], atol=1e-3)


@pytest.mark.parametrize("form", FORMS)
def test_separator_keeps_the_length_and_has_gradients_for_every_basis_parameter(form: str) -> None:
    torch.manual_seed(0)
    config = small(form)
    separator, mixture = Separator(config.separator, config.frames), 0.1 * torch.randn(2, 5_003)
    output = separator(mixture)
    assert output.waves.shape == (2, 2, 5_003)
    assert output.weights.shape == (2, 2, 192, -(-5_003 // 256) + 3)
    output.waves[:, 0].square().mean().backward()
    for name, parameter in separator.basis.named_parameters():
        assert bool((parameter.grad.abs() > 0).float().mean() > 0.9), name
        assert bool(parameter.grad.isfinite().all()), name


@pytest.mark.parametrize(("pairs", "bound", "stretch"), [(192, 512.0, -0.1), (512, 1024.0, 0.1)])
def test_gradients_reach_windows_beyond_the_length_bounds(pairs: int, bound: float, stretch: float) -> None:
    basis = LearnedAtoms(pairs, "pairs", "linear", FAST.frames)
    assert bool((basis.get_buffer("lengths") == bound).all())
    with torch.no_grad():
        basis.get_parameter("stretch").fill_(stretch)
    basis.analyze(torch.randn(1, 4_096)).square().sum().backward()
    gradient = basis.get_parameter("stretch").grad
    assert gradient is not None
    assert bool((gradient[2:-2].abs() > 0).all())


def test_initial_gradients_are_balanced_where_an_atom_of_a_pair_is_zero() -> None:
    basis = LearnedAtoms(513, "pairs", "fourier", FAST.frames)
    atoms = basis.atoms
    assert not atoms[513].any()  # no sine at 0 Hz
    assert not atoms[512].any()  # no cosine at half the sample rate
    basis.analyze(torch.randn(1, 4_096)).square().sum().backward()
    shift = basis.get_parameter("shift").grad
    assert shift is not None
    assert float(shift.abs().max()) < 1e3 * float(shift.abs().median())


def test_unit_masks_reconstruct_the_wave_if_atoms_are_a_tight_frame() -> None:
    """512 linearly spaced pairs are a tight frame: synthesis inverts analysis up to a factor."""
    config = small("pairs", 512)
    separator = Separator(config.separator, config.frames)
    spectrum = torch.fft.rfft(torch.randn(1, 8_192))
    spectrum[:, :100] = spectrum[:, -100:] = 0.0  # near 0 Hz and Nyquist the atoms of a pair are not in quadrature
    wave = torch.fft.irfft(spectrum)
    reconstruction = separator.decode(separator.encode(wave)[:, None], 8_192)[0, 0]
    scale = (reconstruction @ wave[0]) / wave.square().sum()
    torch.testing.assert_close(reconstruction, scale * wave[0], atol=1e-2, rtol=0.0)


@pytest.mark.parametrize("form", FORMS)
def test_scaling_the_basis_scales_the_estimates(form: str) -> None:
    torch.manual_seed(0)
    config = small(form)
    separator, wave = Separator(config.separator, config.frames).eval(), torch.randn(1, 4_096)
    estimates = separator(wave).waves
    separator.basis.scale(3.0)
    torch.testing.assert_close(separator(wave).waves, 3.0 * estimates, atol=5e-3, rtol=1e-3)


@pytest.mark.parametrize("form", ["free", *FORMS])
def test_vocoder_file_has_the_atoms_of_the_separator(form: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = small(form)
    separator = Separator(config.separator, config.frames)
    generator = model_file.new_generator(config, separator)
    atoms = generator.basis.atoms
    assert atoms.shape == (192, 1024)
    nearest = torch.cdist(separator.basis.atoms[:96].detach(), atoms[:96]).amin(dim=1)
    torch.testing.assert_close(nearest, torch.zeros(96), atol=2e-3, rtol=0.0)
    model_file.save(tmp_path / "v.safetensors", "vocoder", generator.state_dict(), config, model_file.Origin(1, ""))
    loaded, mel = model_file.load_generator(tmp_path / "v.safetensors")[0], torch.rand(1, 100, 5)
    torch.testing.assert_close(loaded(mel).wave, generator(mel).wave)


def test_mismatched_separator_is_refused() -> None:
    config = small("pairs")
    separator = Separator(config.separator, config.frames)
    with pytest.raises(ConfigurationError, match=r"generator\.atoms: 95; the separator has 96"):
        model_file.new_generator(replace(config, generator=replace(config.generator, atoms=95)), separator)
    half_stride_frames = replace(config.frames, stride=128)
    melgan = replace(config, frames=half_stride_frames, generator=MelGANConfig(channels=96, upsampling=(2,)))
    with pytest.raises(ConfigurationError, match="needs a separator of a free basis"):
        model_file.new_generator(melgan, separator)
