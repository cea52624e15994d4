"""The ConvNeXt generator: shapes, receptive field, spectral prior, cost and model files."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram, spectrum_from_mel
from basis_melgan.benchmark.complexity import generator_cost
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.loading import load
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError, MelError
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.models import model_file
from basis_melgan.models.convnext import ConvNeXtGenerator, PolarHead

FAST = load("convnext-24k")
CLIP = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))[1]


def small(**changes) -> Config:
    sizes = {"kernel": 3, "channels": 16, "hidden": 24, "blocks": 2, "atoms": 96, "spacing": "mixed"} | changes
    return replace(FAST, generator=ConvNeXtConfig(**sizes))


def build(config: Config) -> ConvNeXtGenerator:
    torch.manual_seed(0)
    return ConvNeXtGenerator(config.generator, config.frames, config.mel).eval()


@pytest.mark.parametrize("stride", [256, 128, 64])
def test_output_length_is_frames_times_hop(stride):
    config = replace(small(), frames=replace(FAST.frames, stride=stride))
    for frames in (1, 2, 13):
        output = build(config)(torch.rand(2, 100, frames))
        assert output.wave.shape == (2, frames * 256)
        assert output.weights.shape == (2, 192, frames * 256 // stride)
        assert torch.isfinite(output.wave).all()


GAINS = torch.tensor([0.5, -1.0, 9.0])  # the last is beyond the limit


def test_polar_head_converts_amplitudes_and_phases_to_weights():
    values = torch.tensor([[1.0, 0.0, 1.0], [0.0, np.pi / 2, np.pi]])  # of three pairs
    expected = torch.tensor([[np.e**1.5, 0.0, -(np.e**7)], [0.0, np.e**-1, 0.0]])
    weights = PolarHead()(values.flatten(), GAINS)
    torch.testing.assert_close(weights.view(2, 3), expected.float(), atol=1e-3, rtol=1e-4)


def receptive_field(generator: ConvNeXtGenerator, frame: int, count: int) -> tuple[int, int]:
    """Return the first and last mel frame, relative to `frame`, with a nonzero gradient of its samples."""
    mel = torch.rand(1, 100, count, requires_grad=True)
    generator(mel).wave[0, frame * 256 : (frame + 1) * 256].square().sum().backward()
    positions = mel.grad.abs().sum(dim=(0, 1)).nonzero().flatten() - frame
    return int(positions.min()), int(positions.max())


@pytest.mark.parametrize("lookahead", [None, 0, 1, 2, 3, 5])
def test_context_and_lookahead_equal_the_receptive_field(lookahead):
    """With 512 linearly spaced pairs, atoms extend over all L samples."""
    generator = build(small(atoms=512, spacing="linear", lookahead=lookahead))
    assert generator.lookahead == (5 if lookahead is None else lookahead)
    assert generator.left_context + generator.lookahead == {None: 10, 0: 9, 1: 9, 2: 10, 3: 10, 5: 10}[lookahead]
    assert receptive_field(generator, 20, 41) == (-generator.left_context, generator.lookahead)


@pytest.mark.parametrize("lookahead", [None, 0, 2])
@pytest.mark.parametrize("stride", [128, 64])
def test_receptive_field_with_several_weights_per_mel_frame(stride, lookahead):
    frames = replace(FAST.frames, stride=stride, basis_length=4 * stride)
    generator = build(replace(small(atoms=2 * stride, spacing="linear", lookahead=lookahead), frames=frames))
    assert receptive_field(generator, 20, 41) == (-generator.left_context, generator.lookahead)


def test_batch_items_are_independent():
    generator, mel = build(small()), torch.rand(3, 100, 9)
    expected = torch.cat([generator(item[None]).wave for item in mel])
    torch.testing.assert_close(generator(mel).wave, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("mel_config", ["paper", "hifigan", "bigvgan", "vocos"])
def test_spectrum_from_mel_of_white_noise(mel_config):
    """White noise of deviation σ has E|X|² = σ² Σ window², and its mean logarithm lies 0.29 nepers lower."""
    config = replace(FAST, mel=mel_config)
    noise = np.random.default_rng(0).normal(scale=0.1, size=96_000).astype(np.float32)
    mel = mel_spectrogram(noise, mel_config, config.frames)[:, 10:-10].mean(axis=1)
    frequencies = np.array([300.0, 1_000.0, 3_000.0, 6_000.0])
    matrix, offset = spectrum_from_mel(mel_config, 24_000, frequencies)
    window = {"paper": 1_200}.get(mel_config, 1_024)
    error = matrix @ mel + offset - np.log(0.1 * np.sqrt(3 / 8 * window))
    assert np.all((error > -0.35) & (error < 0.1)), error


def test_prior_at_the_ends_of_the_spectrum_equals_its_neighbor():
    """At 0 Hz and Nyquist one atom of the pair is zero; the other has no higher gain."""
    offset = build(small(atoms=513, spacing="fourier")).gains.offset
    torch.testing.assert_close(offset[[0, -1]], offset[[1, -2]])


@pytest.mark.parametrize("mel_config", ["paper", "vocos"])
def test_prior_with_random_phases_has_the_level_of_the_noise(mel_config):
    config = replace(small(atoms=256), mel=mel_config)
    generator = build(config)
    with torch.no_grad():  # random phases only
        generator.output_proj.weight.zero_()
        generator.head.forward = lambda _, gains: (
            gains.exp().repeat(1, 1, 1, 2)
            * torch.cat([torch.cos(phase := 6.3 * torch.rand_like(gains)), torch.sin(phase)], dim=-1)
        )
    noise = np.random.default_rng(0).normal(scale=0.1, size=96_000).astype(np.float32)
    mel = torch.from_numpy(mel_spectrogram(noise, mel_config, config.frames))[None]
    level = generator(mel).wave[0, 4_800:-4_800].std().item()
    assert 20 * np.log10(level / 0.1) == pytest.approx(-1.5, abs=1.5)


def test_targets_reconstruct_the_wave_if_atoms_are_a_tight_frame():
    generator = build(small(atoms=512, spacing="linear"))
    wave = torch.from_numpy(files.read(CLIP, 12_000, 40 * 256)[0])[None]
    targets = generator.targets(wave)
    assert targets.shape == (1, 1024, 40)
    reconstruction, inside = generator.basis(targets), slice(1024, -1024)
    error = (reconstruction - wave)[:, inside].square().sum() / wave[:, inside].square().sum()
    assert 10 * torch.log10(error) < -40.0


def test_size_and_cost_of_the_preset():
    cost = generator_cost(FAST)
    assert cost.model == "ConvNeXt with quadrature atoms"
    assert cost.parameters == pytest.approx(1.65e6, rel=0.02)
    assert cost.macs_per_second == pytest.approx(0.17e9, rel=0.03)


@pytest.mark.parametrize("sizes", [{"atoms": 512, "spacing": "linear"}, {"atoms": 96, "spacing": "mixed"}])
def test_cost_of_the_configuration_equals_that_of_the_model_file(sizes, tmp_path: Path):
    config = small(**sizes)
    path = tmp_path / "fast.safetensors"
    model_file.save(path, "vocoder", build(config).state_dict(), config, model_file.Origin(1, ""))
    info, cost = load_vocoder(path).info, generator_cost(config)
    assert (cost.parameters, cost.macs_per_second) == (info.parameters, info.macs_per_second)


def test_saved_generator_synthesizes_in_windows_like_the_whole(tmp_path: Path, monkeypatch):
    config = small(lookahead=2)
    generator = build(config)
    path = tmp_path / "fast.safetensors"
    model_file.save(path, "vocoder", generator.state_dict(), config, model_file.Origin(1, ""))
    mel = np.random.default_rng(0).random((100, 50), dtype=np.float32)
    monkeypatch.setattr("basis_melgan.inference.stream.WINDOW", 7)
    wave = load_vocoder(path)(mel)
    with torch.inference_mode():
        expected = generator(torch.from_numpy(mel)[None]).wave[0].numpy()
    np.testing.assert_allclose(wave, expected, atol=1e-5)


def test_invalid_sizes_and_shapes_are_refused():
    with pytest.raises(MelError, match=r"expected \(batch, 100 bands, at least 1 frame\)"):
        build(small())(torch.rand(1, 80, 5))
    for sizes, message in (
        ({"atoms": 0}, r"generator\.atoms: 0; use 1 or more"),
        ({"lookahead": -1}, r"generator\.lookahead: -1; use 0 \(causal\) or more"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            small(**sizes)
    with pytest.raises(ConfigurationError, match=r"frames\.basis_length: 30 over a stride of 15"):
        build(replace(small(), frames=FrameGeometry()))


def test_init_input_bias_maps_a_level_to_zero():
    """The first norm keeps directions only, so without this bias it could not distinguish scaled mels."""
    generator, steady = build(small()), torch.full((1, 11, 100), -5.0)
    assert generator.embed(steady).abs().max() > 0.1
    generator.init_input_bias(-5.0)
    torch.testing.assert_close(generator.embed(steady), torch.zeros(1, 9, 16), atol=1e-5, rtol=0.0)
