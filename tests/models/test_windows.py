"""Whole mels in windows: equal to one pass, whatever lies beyond their edges."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_vocoders import HOP, RATE, SMALL, build, mel_of, one_pass, set_window
from torch import nn

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import MelGANConfig, SeparatorConfig
from basis_melgan.config.schema import Config
from basis_melgan.errors import MelError
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.models.melgan import MelGANGenerator


@pytest.mark.parametrize("frames", [1, 2, 3, 39, 40, 41, 44, 49, 50, 80, 81, 130])
def test_windows_equal_one_pass_over_the_whole(frames: int, model: Path, vocoder: Vocoder, monkeypatch) -> None:
    set_window(40, monkeypatch)
    mel = mel_of(frames)
    expected = one_pass(model, mel)
    assert 0.01 < expected.std() < 0.3
    found = vocoder(mel)
    assert found.dtype == np.float32
    assert found.shape == (frames * HOP,)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_silence_is_silence_at_the_edges_of_windows_too(vocoder: Vocoder, monkeypatch) -> None:
    set_window(16, monkeypatch)
    assert np.abs(vocoder(np.zeros((80, 70), np.float32))).max() < 1e-5


@pytest.mark.parametrize(
    ("config", "frames"),
    [
        (SMALL, FrameGeometry()),
        (MelGANConfig(channels=16, upsampling=(2, 8), stacks=4), FrameGeometry()),
        (MelGANConfig(channels=16, upsampling=(3, 2), stacks=2), FrameGeometry(hop=60, stride=10)),
        (MelGANConfig(channels=16, upsampling=(2,), stacks=1), FrameGeometry(hop=30, stride=15, basis_length=75)),
    ],
)
def test_past_and_lookahead_are_what_the_gradient_measures(config: MelGANConfig, frames: FrameGeometry) -> None:
    torch.manual_seed(0)
    generator = MelGANGenerator(config, frames, 10).double()
    middle, count = 60, 121
    mel = torch.rand(1, 10, count, dtype=torch.float64, requires_grad=True)
    # No ReLU but the last: all frames of a linear network leave a trace.
    network = nn.Sequential(*(nn.Identity() if isinstance(m, nn.ReLU) else m for m in generator.network))
    for layer in generator.network.modules():
        if isinstance(layer, nn.LeakyReLU):
            layer.negative_slope = 1.0
    wave = nn.functional.conv_transpose1d(
        network(mel), generator.basis.signals[:, None].double(), stride=generator.basis.stride
    )
    wave[..., middle * frames.hop : (middle + 1) * frames.hop].square().sum().backward()
    assert mel.grad is not None
    seen = mel.grad.abs().sum(dim=(0, 1)).nonzero().flatten()
    assert generator.past - 1 <= middle - int(seen[0]) <= generator.past
    assert generator.lookahead - 1 <= int(seen[-1]) - middle <= generator.lookahead


def test_chunks_of_a_whole_mel_concatenate_to_its_wave(vocoder: Vocoder, monkeypatch) -> None:
    set_window(40, monkeypatch)
    for frames in (1, 40, 121):
        mel = mel_of(frames)
        chunks = list(vocoder.synthesize_chunks(mel))
        assert len(chunks) == -(-frames // 40) + 1
        np.testing.assert_array_equal(np.concatenate(chunks), vocoder(mel))


# Folding


def test_folding_weight_norm_changes_no_sample() -> None:
    config = Config(generator=SMALL, separator=SeparatorConfig(atoms=16))
    normed, folded = build(config), build(config)
    folded.fold_weight_norm()
    mel = torch.from_numpy(mel_of(25))[None]
    expected = normed(mel).wave
    assert expected.std() > 0.01
    torch.testing.assert_close(folded(mel).wave, expected, atol=1e-5, rtol=0.0)
    assert not any("parametrizations" in name for name in folded.state_dict())
    assert any("parametrizations" in name for name in normed.state_dict())


def test_waves_that_cannot_be_spoken_again_are_refused(vocoder: Vocoder) -> None:
    for wave, rate, message in (
        (np.zeros((100, 2), np.float32), RATE, r"wave of shape \(100, 2\) and type float32: expected one channel"),
        (np.zeros(100, np.int16), RATE, "type int16: expected one channel"),
        (np.zeros(100, np.float32), 0, "rate: 0 Hz"),
    ):
        with pytest.raises(MelError, match=message):
            vocoder.resynthesize(wave, rate)
