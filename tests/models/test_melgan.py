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


def response(generator: MelGANGenerator, mel: torch.Tensor) -> torch.Tensor:
    """The network's own weights, nothing subtracted."""
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
def test_length_is_exact_for_every_number_of_frames(frames: int) -> None:
    spoken = build()(torch.rand(2, 10, frames))
    assert spoken.wave.shape == (2, frames * 240)
    assert spoken.weights.shape == (2, 16, frames * 16)
    assert bool(spoken.wave.isfinite().all())


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
def test_the_tiled_response_to_silence_equals_the_whole_one(
    config: MelGANConfig, geometry: FrameGeometry, frames: int
) -> None:
    generator = build(config, frames=geometry)
    generator.network.double()
    mel = torch.rand(1, 10, frames, dtype=torch.float64)
    if frames < generator.min_frames:
        mel = torch.nn.functional.pad(mel, (0, generator.min_frames - frames), mode="replicate")
    whole = response(generator, torch.zeros_like(mel))
    assert whole.std() > 0.1
    torch.testing.assert_close(generator(mel).weights, response(generator, mel) - whole, atol=1e-6, rtol=0.0)


def test_the_edges_of_the_response_to_silence_differ_from_its_inside() -> None:
    generator = build()
    whole = response(generator, torch.zeros(1, 10, 30)).reshape(1, 16, 30, 16)
    inside = whole[:, :, 15]
    reach = [(whole[:, :, frame] - inside).abs().amax().item() for frame in range(30)]
    assert max(reach[:4]) > 1e-2
    assert max(reach[generator.edge : -generator.edge]) < 1e-5


def test_silence_in_is_silence_out() -> None:
    for frames in (1, 3, 8, 40):
        spoken = build()(torch.zeros(1, 10, frames))
        assert spoken.weights.abs().max() < 1e-5
        assert spoken.wave.abs().max() < 1e-5


def test_the_wave_loses_exactly_its_own_response_to_silence() -> None:
    generator = build()
    mel = torch.rand(1, 10, 25)
    speech, silence = (generator.basis(response(generator, m)) for m in (mel, torch.zeros_like(mel)))
    torch.testing.assert_close(generator(mel).wave, speech - silence, atol=1e-4, rtol=0.0)


def test_clips_of_a_batch_do_not_see_one_another() -> None:
    generator, mels = build(), torch.rand(3, 10, 20)
    together = generator(mels).wave
    for index, mel in enumerate(mels):
        torch.testing.assert_close(generator(mel[None]).wave[0], together[index], atol=1e-5, rtol=1e-5)


def test_a_short_mel_speaks_as_if_its_last_frame_were_held() -> None:
    generator, mel = build(), torch.rand(1, 10, 2)
    held = torch.cat([mel, mel[..., -1:].expand(-1, -1, 2)], dim=-1)
    torch.testing.assert_close(generator(mel).wave, generator(held).wave[:, :480], atol=1e-6, rtol=0.0)


def test_the_basis_is_frozen_until_it_is_opened() -> None:
    generator = build()
    generator(torch.rand(1, 10, 8)).wave.square().mean().backward()
    assert generator.basis.atoms.grad is None
    weights = [p for name, p in generator.network.named_parameters() if name.endswith("original1")]
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in weights)
    generator.basis.requires_grad_(True)
    generator(torch.rand(1, 10, 8)).wave.square().mean().backward()
    assert generator.basis.atoms.grad is not None
    assert generator.basis.atoms.grad.abs().sum() > 0


def test_bias_removal_carries_gradients() -> None:
    generator = build()
    generator(torch.zeros(1, 10, 20)).weights.sum().backward()
    for parameter in generator.network.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().max() < 1e-2  # both passes cancel; a detached one would leave thousands


def test_under_bf16_the_wave_is_float32_and_synthesized_in_float32() -> None:
    generator, mel = build(), torch.rand(1, 10, 20)
    for name, parameter in generator.network.named_parameters():
        if name.endswith("bias"):
            parameter.data.zero_()  # else bfloat16 rounds what is subtracted more than what is left
    with torch.autocast("cpu", dtype=torch.bfloat16):
        wave, weights = generator(mel)
    assert wave.dtype == weights.dtype == torch.float32
    torch.testing.assert_close(wave, generator.basis(weights), atol=0.0, rtol=0.0)
    full = generator(mel).wave
    assert (wave - full).norm() < 0.05 * full.norm()


def test_a_real_clip_can_be_learned_by_heart() -> None:
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
def test_a_mel_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(MelError, match="expected \\(batch, 10 bands"):
        build()(torch.zeros(shape))


def test_upsampling_must_lead_to_weight_frames() -> None:
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
def test_past_and_lookahead_are_what_the_gradient_measures(config: MelGANConfig, frames: FrameGeometry) -> None:
    torch.manual_seed(0)
    generator = MelGANGenerator(config, frames, 10).double()
    middle, count = 60, 121
    mel = torch.rand(1, 10, count, dtype=torch.float64, requires_grad=True)
    # All frames of a linear network leave a trace.
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
    seen = mel.grad.abs().sum(dim=(0, 1)).nonzero().flatten()
    assert generator.left_context - 1 <= middle - int(seen[0]) <= generator.left_context
    assert generator.lookahead - 1 <= int(seen[-1]) - middle <= generator.lookahead


def test_folding_weight_norm_changes_no_sample() -> None:
    normed, folded = build(), build()
    for generator in (normed, folded):
        generator.basis.atoms.data *= 20.0  # loud enough to be compared
    folded.fold_weight_norm()
    mel = torch.rand(1, 10, 25)
    expected = normed(mel).wave
    assert expected.std() > 0.01
    torch.testing.assert_close(folded(mel).wave, expected, atol=1e-5, rtol=0.0)
    assert not any("parametrizations" in name for name in folded.state_dict())
    assert any("parametrizations" in name for name in normed.state_dict())
