"""The MelGAN generator: sizes, response to silence, receptive field and gradients."""

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import MelGANConfig
from basis_melgan.errors import ConfigurationError, MelError
from basis_melgan.models.melgan import MelGANGenerator

CLIPS = Path(__file__).parents[2] / "examples" / "clips"
FRAMES = FrameGeometry()
SMALL = MelGANConfig(channels=16)
SHORT = FrameGeometry(hop=60, stride=10, basis_length=30)


def build(config: MelGANConfig = SMALL, bands: int = 10, frames: FrameGeometry = FRAMES) -> MelGANGenerator:
    """A generator with biases and gains large enough for its response to silence to matter."""
    torch.manual_seed(0)
    generator = MelGANGenerator(config, frames, bands)
    for name, parameter in generator.network.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)
        elif name.endswith("original0"):
            parameter.data.fill_(0.7)
    return generator


def network_weights(generator: MelGANGenerator, mel: torch.Tensor) -> torch.Tensor:
    """Return the weights of the network without subtracting the response to silence."""
    weights: torch.Tensor = generator.network(mel)
    return weights


def test_paper_sizes_have_the_reference_layers_and_parameters() -> None:
    generator = MelGANGenerator(MelGANConfig(), FRAMES, 80)
    convolutions = [m for m in generator.network.modules() if isinstance(m, nn.Conv1d | nn.ConvTranspose1d)]
    shapes = sorted((isinstance(m, nn.Conv1d), m.in_channels, m.kernel_size[0], m.dilation[0]) for m in convolutions)
    stack = [(True, 256, 1, 1)] * 2
    expected = [(True, 80, 7, 1), *[(False, 256, 8, 1)] * 2, *stack * 6]
    expected += [(True, 256, 3, dilation) for dilation in (1, 3, 9)] * 2
    assert shapes == sorted(expected)
    assert all(m.out_channels == 256 for m in convolutions)
    assert all(m.parametrizations.weight.original1.std().item() == pytest.approx(0.02, rel=0.02) for m in convolutions)
    merged = sum(m.weight.numel() + m.bias.numel() for m in convolutions)
    assert merged == 256 * (80 * 7 + 2 * 256 * 8 + 6 * 256 * 5) + 21 * 256
    assert merged + generator.basis.atoms.numel() == pytest.approx(3.17e6, rel=0.01)


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 10, 11, 12, 23])
def test_output_length_for_every_frame_count(frames: int) -> None:
    output = build()(torch.rand(2, 10, frames))
    assert output.wave.shape == (2, frames * 240)
    assert output.weights.shape == (2, 16, frames * 16)
    assert bool(output.wave.isfinite().all())


@pytest.mark.parametrize("frames", [4, 9, 10, 11, 12, 13, 20, 37])
@pytest.mark.parametrize(
    ("config", "geometry"),
    [
        (SMALL, FRAMES),
        (MelGANConfig(channels=16, upsampling=(2, 8), stacks=4), FRAMES),
        (MelGANConfig(channels=16, upsampling=(2, 2, 2, 2), stacks=2), FRAMES),
        (MelGANConfig(channels=16, upsampling=(3, 2), stacks=2), SHORT),
        (MelGANConfig(channels=16, upsampling=(16,), stacks=1), FRAMES),
    ],
)
def test_tiled_silence_response_equals_the_full_one(config: MelGANConfig, geometry: FrameGeometry, frames: int) -> None:
    generator = build(config, frames=geometry)
    generator.network.double()
    mel = torch.rand(1, 10, frames, dtype=torch.float64)
    if frames < generator.min_frames:
        mel = torch.nn.functional.pad(mel, (0, generator.min_frames - frames), mode="replicate")
    silence_response = network_weights(generator, torch.zeros_like(mel))
    assert silence_response.std() > 0.1
    torch.testing.assert_close(
        generator(mel).weights, network_weights(generator, mel) - silence_response, atol=1e-6, rtol=0.0
    )


def test_silence_response_differs_at_the_edges_only() -> None:
    generator = build()
    silence_response = network_weights(generator, torch.zeros(1, 10, 30)).reshape(1, 16, 30, 16)
    inside = silence_response[:, :, 15]
    deviations = [(silence_response[:, :, frame] - inside).abs().amax().item() for frame in range(30)]
    assert max(deviations[:4]) > 1e-2
    assert max(deviations[generator.edge : -generator.edge]) < 1e-5


def test_silent_mel_gives_silence() -> None:
    for frames in (1, 3, 8, 40):
        output = build()(torch.zeros(1, 10, frames))
        assert output.weights.abs().max() < 1e-5
        assert output.wave.abs().max() < 1e-5


def test_wave_is_the_synthesis_minus_that_of_the_silence_response() -> None:
    generator = build()
    mel = torch.rand(1, 10, 25)
    speech, silence = (generator.basis(network_weights(generator, m)) for m in (mel, torch.zeros_like(mel)))
    torch.testing.assert_close(generator(mel).wave, speech - silence, atol=1e-4, rtol=0.0)


def test_batch_items_are_independent() -> None:
    generator, mels = build(), torch.rand(3, 10, 20)
    batch_waves = generator(mels).wave
    for index, mel in enumerate(mels):
        torch.testing.assert_close(generator(mel[None]).wave[0], batch_waves[index], atol=1e-5, rtol=1e-5)


def test_short_mel_is_padded_with_its_last_frame() -> None:
    generator, mel = build(), torch.rand(1, 10, 2)
    padded_mel = torch.cat([mel, mel[..., -1:].expand(-1, -1, 2)], dim=-1)
    torch.testing.assert_close(generator(mel).wave, generator(padded_mel).wave[:, :480], atol=1e-6, rtol=0.0)


def test_basis_is_frozen_by_default() -> None:
    generator = build()
    generator(torch.rand(1, 10, 8)).wave.square().mean().backward()
    assert generator.basis.atoms.grad is None
    weights = [p for name, p in generator.network.named_parameters() if name.endswith("original1")]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in weights)
    generator.basis.requires_grad_(True)
    generator(torch.rand(1, 10, 8)).wave.square().mean().backward()
    assert generator.basis.atoms.grad is not None
    assert generator.basis.atoms.grad.abs().sum() > 0


def test_subtracted_silence_response_has_gradients() -> None:
    generator = build()
    generator(torch.zeros(1, 10, 20)).weights.sum().backward()
    for parameter in generator.network.parameters():
        assert parameter.grad is not None
        # The gradients of both passes cancel; with one of them detached, they would be in the thousands.
        assert parameter.grad.abs().max() < 1e-2


def test_synthesis_is_float32_under_bf16() -> None:
    generator, mel = build(), torch.rand(1, 10, 20)
    for name, parameter in generator.network.named_parameters():
        if name.endswith("bias"):
            parameter.data.zero_()  # otherwise the rounding of the subtracted response exceeds the remaining signal
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wave, weights = generator(mel)
    assert wave.dtype == weights.dtype == torch.float32
    torch.testing.assert_close(wave, generator.basis(weights), atol=0.0, rtol=0.0)
    expected = generator(mel).wave
    assert (wave - expected).norm() < 0.05 * expected.norm()


def test_generator_overfits_one_clip() -> None:
    wave, _ = files.read(sorted(CLIPS.glob("*.flac"))[0], start=12_000, samples=24 * 240)
    mel = torch.from_numpy(mel_spectrogram(wave, "paper", FRAMES))[None, :, :24]
    target = torch.from_numpy(wave)[None]
    torch.manual_seed(0)
    generator = MelGANGenerator(MelGANConfig(channels=64, stacks=2), FRAMES, 80)
    optimizer = torch.optim.Adam([p for p in generator.parameters() if p.requires_grad], lr=3e-3)
    errors = []
    for _ in range(120):
        error = (generator(mel).wave - target).square().mean() / target.square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        errors.append(error.item())
    medians = [sorted(errors[i : i + 30])[15] for i in range(0, 120, 30)]
    assert all(later < earlier for earlier, later in pairwise(medians))
    assert min(errors) < 0.5


@pytest.mark.parametrize("shape", [(80, 9), (1, 9, 9), (1, 10, 0)])
def test_mel_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(MelError, match="expected \\(batch, 10 bands"):
        build()(torch.zeros(shape))


def test_upsampling_must_match_the_weight_frames() -> None:
    with pytest.raises(ConfigurationError, match=r"generator\.upsampling: \(4, 2\) makes 8 weight frames"):
        build(MelGANConfig(channels=16, upsampling=(4, 2)))


@pytest.mark.parametrize(
    ("config", "frames"),
    [
        (SMALL, FRAMES),
        (MelGANConfig(channels=16, upsampling=(2, 8), stacks=4), FRAMES),
        (MelGANConfig(channels=16, upsampling=(3, 2), stacks=2), FrameGeometry(hop=60, stride=10)),
        (MelGANConfig(channels=16, upsampling=(2,), stacks=1), FrameGeometry(hop=30, stride=15, basis_length=75)),
    ],
)
def test_context_and_lookahead_equal_the_receptive_field(config: MelGANConfig, frames: FrameGeometry) -> None:
    torch.manual_seed(0)
    generator = MelGANGenerator(config, frames, 10).double()
    middle, count = 60, 121
    mel = torch.rand(1, 10, count, dtype=torch.float64, requires_grad=True)
    # In a linear network no gradient vanishes.
    network = generator.network
    network.activation = nn.Identity()
    for layer in generator.network.modules():
        if isinstance(layer, nn.LeakyReLU):
            layer.negative_slope = 1.0
    wave = nn.functional.conv_transpose1d(
        network(mel), generator.basis.atoms[:, None].double(), stride=generator.basis.stride
    )
    wave[..., middle * frames.hop : (middle + 1) * frames.hop].square().sum().backward()
    assert mel.grad is not None
    receptive_field = mel.grad.abs().sum(dim=(0, 1)).nonzero().flatten()
    assert generator.left_context - 1 <= middle - int(receptive_field[0]) <= generator.left_context
    assert generator.lookahead - 1 <= int(receptive_field[-1]) - middle <= generator.lookahead


def test_folded_weight_norm_gives_the_same_wave() -> None:
    normed, folded = build(), build()
    for generator in (normed, folded):
        generator.basis.atoms.data *= 20.0  # so that differences exceed rounding
    folded.fold_weight_norm()
    mel = torch.rand(1, 10, 25)
    expected = normed(mel).wave
    assert expected.std() > 0.01
    torch.testing.assert_close(folded(mel).wave, expected, atol=1e-5, rtol=0.0)
    assert not any("parametrizations" in name for name in folded.state_dict())
    assert any("parametrizations" in name for name in normed.state_dict())
