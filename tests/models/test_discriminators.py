"""The discriminators: shapes, input transforms, gradients and precision."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch

from basis_melgan.audio import files
from basis_melgan.config.networks import DiscriminatorConfig
from basis_melgan.models.discriminators import (
    Discriminators,
    MultiPeriodDiscriminator,
    MultiResolutionDiscriminator,
    MultiScaleDiscriminator,
)

CLIPS = Path(__file__).parents[2] / "examples" / "clips"
SMALL = DiscriminatorConfig(channels=4, stft_channels=4, periods=(2, 3, 5))

Kind = MultiScaleDiscriminator | MultiResolutionDiscriminator | MultiPeriodDiscriminator
KINDS = [MultiScaleDiscriminator, MultiResolutionDiscriminator, MultiPeriodDiscriminator]


def clip(samples: int) -> torch.Tensor:
    return torch.from_numpy(files.read(sorted(CLIPS.glob("*.flac"))[1], start=12_000, samples=samples)[0])[None]


@pytest.mark.parametrize("samples", [4096, 5003])
@pytest.mark.parametrize("kind", KINDS)
def test_every_discriminator_returns_features_and_logits(kind: type[Kind], samples: int) -> None:
    outputs = kind(SMALL)(torch.randn(3, samples))
    assert len(outputs) == 3
    # A period discriminator has one batch item per phase of the period.
    items = [3 * period for period in SMALL.periods] if kind is MultiPeriodDiscriminator else [3, 3, 3]
    for features, count in zip(outputs, items, strict=True):
        assert all(len(feature) == count for feature in features)
        assert len(features) >= (5 if kind is MultiPeriodDiscriminator else 6)
        assert features[-1].shape[1] == 1
        assert features[-1].numel() > 0


def test_wave_discriminators_halve_the_rate_and_downsample_by_256() -> None:
    torch.manual_seed(0)
    outputs = MultiScaleDiscriminator(DiscriminatorConfig())(torch.randn(1, 8192))
    assert [[f.shape[1] for f in features] for features in outputs] == [[16, 64, 256, 512, 512, 512, 1]] * 3
    assert [features[0].shape[-1] for features in outputs] == [8192, 4096, 2048]
    assert [features[-1].shape[-1] for features in outputs] == [32, 16, 8]


def test_halved_wave_excludes_padding_from_the_average() -> None:
    halved = MultiScaleDiscriminator(SMALL).halve(torch.arange(8.0)[None, None])
    assert halved.flatten().tolist() == [1.0, 2.5, 4.5, 6.0]


def test_period_discriminators_group_every_pth_sample() -> None:
    """A change of one sample changes one row of the first feature map, that of its phase in the period."""
    torch.manual_seed(0)
    discriminator, wave = MultiPeriodDiscriminator(SMALL), torch.randn(2, 3000)
    changed = wave.clone()
    changed[1, 1501] += 1.0
    for period, features, changed_features in zip(
        SMALL.periods, discriminator(wave), discriminator(changed), strict=True
    ):
        rows = (features[0] != changed_features[0]).any(dim=2).any(dim=1).nonzero().flatten().tolist()
        assert rows == [period + 1501 % period]


def test_configuration_selects_the_discriminators() -> None:
    wave = torch.randn(1, 4096)
    assert list(Discriminators(DiscriminatorConfig())(wave)) == ["stft", "wave"]
    assert list(Discriminators(replace(SMALL, scales=0))(wave)) == ["stft", "period"]


def test_magnitudes_equal_an_independent_stft() -> None:
    wave = clip(6000)
    discriminator = MultiResolutionDiscriminator(DiscriminatorConfig())
    for index, (size, hop, length) in enumerate(DiscriminatorConfig().resolutions):
        window = np.zeros(size)
        window[(size - length) // 2 : (size + length) // 2] = scipy.signal.get_window("hann", length)
        padded = np.pad(wave[0].double().numpy(), size // 2, mode="reflect")
        frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
        expected = np.abs(np.fft.rfft(frames * window)).T / np.sqrt(np.sum(window**2))
        np.testing.assert_allclose(discriminator.magnitude(wave, index)[0, 0].numpy(), expected, atol=1e-5)


def test_magnitude_of_white_noise_is_its_deviation_at_every_resolution() -> None:
    torch.manual_seed(0)
    wave = 0.3 * torch.randn(1, 48_000)
    discriminator = MultiResolutionDiscriminator(DiscriminatorConfig())
    for index in range(3):
        assert discriminator.magnitude(wave, index).square().mean().sqrt().item() == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_every_parameter_and_the_wave_including_silence(
    kind: type[Kind],
) -> None:
    torch.manual_seed(0)
    discriminator = kind(SMALL)
    wave = torch.cat([clip(4096), torch.zeros(1, 4096)]).requires_grad_(True)
    torch.stack([features[-1].square().mean() for features in discriminator(wave)]).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in discriminator.parameters())
    assert wave.grad is not None
    assert bool(wave.grad.isfinite().all())
    assert wave.grad[0].abs().sum() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_discriminators_learn_to_separate_speech_from_noise(
    kind: type[Kind],
) -> None:
    torch.manual_seed(0)
    discriminator, speech = kind(SMALL), clip(8192)
    noise = speech.std() * torch.randn(1, 8192)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=5e-3)
    for _ in range(80 if kind is MultiPeriodDiscriminator else 30):
        pairs = zip(discriminator(speech), discriminator(noise), strict=True)
        loss = torch.stack([(real[-1] - 1).square().mean() + fake[-1].square().mean() for real, fake in pairs]).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * 3 * 0.5  # constant logits of 1/2 give a loss of 1/2 for each of three


def test_stft_is_float32_under_bf16() -> None:
    discriminator, wave = MultiResolutionDiscriminator(SMALL), clip(4096)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        magnitude = discriminator.magnitude(wave, 0)
        logits = discriminator(wave)[0][-1]
    assert magnitude.dtype == torch.float32
    assert logits.dtype == torch.bfloat16
    torch.testing.assert_close(magnitude, discriminator.magnitude(wave, 0), atol=0.0, rtol=0.0)
