"""The frame-rate generator: shapes, lengths, receptive field, the mel's own level, and its way to a file and back."""

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


def small(**changed) -> Config:
    sizes = {"kernel": 3, "channels": 16, "hidden": 24, "blocks": 2, "atoms": 96, "spacing": "mixed"} | changed
    return replace(FAST, generator=ConvNeXtConfig(**sizes))


def built(config: Config) -> ConvNeXtGenerator:
    torch.manual_seed(0)
    return ConvNeXtGenerator(config.generator, config.frames, config.mel).eval()


@pytest.mark.parametrize("stride", [256, 128, 64])
def test_a_mel_becomes_exactly_its_hops(stride):
    config = replace(small(), frames=replace(FAST.frames, stride=stride))
    for frames in (1, 2, 13):
        spoken = built(config)(torch.rand(2, 100, frames))
        assert spoken.wave.shape == (2, frames * 256)
        assert spoken.weights.shape == (2, 192, frames * 256 // stride)
        assert torch.isfinite(spoken.wave).all()


GAINS = torch.tensor([0.5, -1.0, 9.0])  # the last beyond what any may be


def test_amplitudes_and_phases_become_weights():
    values = torch.tensor([[1.0, 0.0, 1.0], [0.0, np.pi / 2, np.pi]])  # of three pairs
    expected = torch.tensor([[np.e**1.5, 0.0, -(np.e**7)], [0.0, np.e**-1, 0.0]])
    weights = PolarHead()(values.flatten(), GAINS)
    torch.testing.assert_close(weights.view(2, 3), expected.float(), atol=1e-3, rtol=1e-4)


def seen_by_frame(generator: ConvNeXtGenerator, frame: int, count: int) -> tuple[int, int]:
    """The first and the last mel frame, relative to it, that a frame's samples depend on, by their gradient."""
    mel = torch.rand(1, 100, count, requires_grad=True)
    generator(mel).wave[0, frame * 256 : (frame + 1) * 256].square().sum().backward()
    seen = mel.grad.abs().sum(dim=(0, 1)).nonzero().flatten() - frame
    return int(seen.min()), int(seen.max())


@pytest.mark.parametrize("lookahead", [None, 0, 1, 2, 3, 5])
def test_a_frame_sees_as_far_back_and_ahead_as_the_generator_says(lookahead):
    """Pairs of 512 on a linear scale ring over the whole of L, so that nothing less is seen."""
    generator = built(small(atoms=512, spacing="linear", lookahead=lookahead))
    assert generator.lookahead == (5 if lookahead is None else lookahead)
    assert generator.left_context + generator.lookahead == {None: 10, 0: 9, 1: 9, 2: 10, 3: 10, 5: 10}[lookahead]
    assert seen_by_frame(generator, 20, 41) == (-generator.left_context, generator.lookahead)


@pytest.mark.parametrize("lookahead", [None, 0, 2])
@pytest.mark.parametrize("stride", [128, 64])
def test_a_frame_sees_no_farther_with_several_weights_a_mel_frame(stride, lookahead):
    frames = replace(FAST.frames, stride=stride, basis_length=4 * stride)
    generator = built(replace(small(atoms=2 * stride, spacing="linear", lookahead=lookahead), frames=frames))
    assert seen_by_frame(generator, 20, 41) == (-generator.left_context, generator.lookahead)


def test_a_batch_is_spoken_as_its_items_are():
    generator, mel = built(small()), torch.rand(3, 100, 9)
    alone = torch.cat([generator(item[None]).wave for item in mel])
    torch.testing.assert_close(generator(mel).wave, alone, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("convention", ["paper", "hifigan", "bigvgan", "vocos"])
def test_a_mel_says_the_spectrum_of_a_noise(convention):
    """White noise of deviation σ has E|X|² = σ² Σ window², and its mean logarithm lies 0.29 nepers lower."""
    config = replace(FAST, mel=convention)
    noise = np.random.default_rng(0).normal(scale=0.1, size=96_000).astype(np.float32)
    mel = mel_spectrogram(noise, convention, config.frames)[:, 10:-10].mean(axis=1)
    frequencies = np.array([300.0, 1_000.0, 3_000.0, 6_000.0])
    matrix, offset = spectrum_from_mel(convention, 24_000, frequencies)
    window = {"paper": 1_200}.get(convention, 1_024)
    found = matrix @ mel + offset - np.log(0.1 * np.sqrt(3 / 8 * window))
    assert np.all((found > -0.35) & (found < 0.1)), found


def test_the_prior_gives_the_ends_of_the_spectrum_no_more_than_their_neighbors():
    """There a cosine or a sine is silent, and its pair no louder for it."""
    offset = built(small(atoms=513, spacing="fourier")).gains.offset
    torch.testing.assert_close(offset[[0, -1]], offset[[1, -2]])


@pytest.mark.parametrize("convention", ["paper", "vocos"])
def test_the_prior_alone_gives_a_noise_its_level(convention):
    config = replace(small(atoms=256), mel=convention)
    generator = built(config)
    with torch.no_grad():  # say nothing but random phases
        generator.output_proj.weight.zero_()
        generator.head.forward = lambda _, gains: (
            gains.exp().repeat(1, 1, 1, 2)
            * torch.cat([torch.cos(phase := 6.3 * torch.rand_like(gains)), torch.sin(phase)], dim=-1)
        )
    noise = np.random.default_rng(0).normal(scale=0.1, size=96_000).astype(np.float32)
    mel = torch.from_numpy(mel_spectrogram(noise, convention, config.frames))[None]
    level = generator(mel).wave[0, 4_800:-4_800].std().item()
    assert 20 * np.log10(level / 0.1) == pytest.approx(-1.5, abs=1.5)


def test_targets_make_the_wave_again_where_pairs_are_a_tight_frame():
    generator = built(small(atoms=512, spacing="linear"))
    wave = torch.from_numpy(files.read(CLIP, 12_000, 40 * 256)[0])[None]
    targets = generator.targets(wave)
    assert targets.shape == (1, 1024, 40)
    again, inside = generator.basis(targets), slice(1024, -1024)
    error = (again - wave)[:, inside].square().sum() / wave[:, inside].square().sum()
    assert 10 * torch.log10(error) < -40.0


def test_the_size_is_what_the_preset_says():
    cost = generator_cost(FAST)
    assert cost.model == "ConvNeXt with quadrature atoms"
    assert cost.parameters == pytest.approx(1.65e6, rel=0.02)
    assert cost.macs_per_second == pytest.approx(0.17e9, rel=0.03)


@pytest.mark.parametrize("sizes", [{"atoms": 512, "spacing": "linear"}, {"atoms": 96, "spacing": "mixed"}])
def test_its_cost_is_what_its_file_says(sizes, tmp_path: Path):
    config = small(**sizes)
    path = tmp_path / "fast.safetensors"
    model_file.save(path, "vocoder", built(config).state_dict(), config, model_file.Origin(1, ""))
    info, cost = load_vocoder(path).info, generator_cost(config)
    assert (cost.parameters, cost.macs_per_second) == (info.parameters, info.macs_per_second)


def test_it_goes_into_a_file_and_speaks_from_there_piece_by_piece(tmp_path: Path, monkeypatch):
    config = small(lookahead=2)
    generator = built(config)
    path = tmp_path / "fast.safetensors"
    model_file.save(path, "vocoder", generator.state_dict(), config, model_file.Origin(1, ""))
    mel = np.random.default_rng(0).random((100, 50), dtype=np.float32)
    monkeypatch.setattr("basis_melgan.inference.stream.WINDOW", 7)
    spoken = load_vocoder(path)(mel)
    with torch.inference_mode():
        whole = generator(torch.from_numpy(mel)[None]).wave[0].numpy()
    np.testing.assert_allclose(spoken, whole, atol=1e-5)


def test_what_cannot_be_is_refused():
    with pytest.raises(MelError, match=r"expected \(batch, 100 bands, at least 1 frame\)"):
        built(small())(torch.rand(1, 80, 5))
    for sizes, message in (
        ({"atoms": 0}, r"generator\.atoms: 0; use 1 or more"),
        ({"lookahead": -1}, r"generator\.lookahead: -1; use 0 \(causal\) or more"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            small(**sizes)
    with pytest.raises(ConfigurationError, match=r"frames\.basis_length: 30 over a stride of 15"):
        built(replace(small(), frames=FrameGeometry()))


def test_a_generator_begins_at_a_level():
    """So the first norm, which keeps directions alone, tells a mel from another of twice its logarithms."""
    generator, steady = built(small()), torch.full((1, 11, 100), -5.0)
    assert generator.embed(steady).abs().max() > 0.1
    generator.init_input_bias(-5.0)
    torch.testing.assert_close(generator.embed(steady), torch.zeros(1, 9, 16), atol=1e-5, rtol=0.0)
