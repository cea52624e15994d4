"""Complexity: parameters and multiply-adds equal closed forms and published sizes."""

import importlib.util
import json
import math
from functools import partial

import pytest
import torch
from torch import nn

from basis_melgan.benchmark import complexity
from basis_melgan.config.networks import DiscriminatorConfig
from basis_melgan.config.schema import Config
from basis_melgan.installation import install_command
from basis_melgan.models.cost import macs, macs_per_frame, parameters
from basis_melgan.models.discriminators import MultiResolutionDiscriminator, MultiScaleDiscriminator


def test_layers_cost_their_closed_forms() -> None:
    grouped, transposed = nn.Conv1d(6, 4, 5, padding=2, groups=2), nn.ConvTranspose1d(6, 4, 8, stride=4, padding=2)
    assert macs(lambda: grouped(torch.zeros(1, 6, 10))) == 10 * 4 * 3 * 5
    assert macs(lambda: transposed(torch.zeros(1, 6, 10))) == 10 * 6 * 4 * 8
    assert macs(lambda: nn.Linear(6, 4)(torch.zeros(10, 6))) == 10 * 6 * 4


def test_parameters_are_counted_with_weight_norm_merged() -> None:
    normed = nn.utils.parametrizations.weight_norm(nn.Conv1d(6, 4, 5))
    assert parameters(normed) == parameters(nn.Conv1d(6, 4, 5)) == 6 * 4 * 5 + 4


def test_the_paper_generator_has_the_reference_size_and_cost() -> None:
    cost = complexity.generator_cost(Config())
    assert cost.parameters == pytest.approx(3.17e6, rel=0.01)
    assert cost.macs_per_second == pytest.approx(2.24e9, rel=0.01)
    residual = 5 * 256 * 256 * 3 * (400 + 1600)
    upsampling = 8 * 256 * 256 * (100 + 400)
    assert cost.macs_per_second == 7 * 80 * 256 * 100 + upsampling + residual + 30 * 256 * 1600


@pytest.mark.parametrize(
    ("sizes", "millions", "giga"),
    [(complexity.V1, 13.92, 26.4), (complexity.V2, 0.92, 1.66), (complexity.V3, 1.46, 1.94)],
)
def test_hifigan_has_its_published_size(sizes: complexity.HiFiGAN, millions: float, giga: float) -> None:
    """Parameters from arXiv 2010.05646, table 1; costs at its own 22.05 kHz."""
    count, macs_per_second = complexity.hifigan_closed_form(sizes, 22_050)
    assert count / 1e6 == pytest.approx(millions, abs=0.01)
    assert macs_per_second / 1e9 == pytest.approx(giga, rel=0.01)


class ResidualBlock2(nn.Module):
    """HiFi-GAN V3's block, as its paper draws it: dilated convolutions, each with its own skip."""

    def __init__(self, channels: int, kernel: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(channels, channels, kernel, dilation=d, padding=kernel // 2 * d) for d in dilations
        )

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            hidden = hidden + layer(hidden)
        return hidden


class Stage(nn.Module):
    def __init__(self, channels: int, scale: int, kernel: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose1d(channels, channels // 2, kernel, scale, padding=(kernel - scale) // 2)
        pairs = zip(complexity.V3.kernels, complexity.V3.dilations, strict=True)
        self.blocks = nn.ModuleList(ResidualBlock2(channels // 2, k, dilations) for k, dilations in pairs)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        hidden = self.up(hidden)
        return torch.stack([block(hidden) for block in self.blocks]).mean(0)


def test_the_closed_form_equals_a_v3_built_of_real_layers() -> None:
    layers: list[nn.Module] = [nn.Conv1d(80, 256, 7, padding=3)]
    layers += [Stage(256 >> i, complexity.V3.upsampling[i], complexity.V3.upsampling_kernels[i]) for i in range(3)]
    module = nn.Sequential(*layers, nn.Conv1d(32, 1, 7, padding=3)).to("meta")
    per_frame = macs_per_frame(lambda frames: module(torch.zeros(1, 80, frames, device="meta")))
    assert module(torch.zeros(1, 80, 9, device="meta")).shape == (1, 1, 9 * 256)
    assert complexity.hifigan_closed_form(complexity.V3, 25_600) == (parameters(module), per_frame * 100)


@pytest.mark.parametrize("sizes", [complexity.V1, complexity.V2])
def test_the_closed_form_equals_the_library_module(sizes: complexity.HiFiGAN) -> None:
    cost = complexity.hifigan_cost(sizes, 24_000)
    count, macs_per_second = complexity.hifigan_closed_form(sizes, 24_000)
    assert cost.method == "the module SpeechT5HifiGan of transformers"
    assert cost.parameters == count
    assert cost.macs_per_second == pytest.approx(macs_per_second, rel=1e-12)


def test_without_transformers_the_row_names_the_extra_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    cost = complexity.hifigan_cost(complexity.V1, 24_000)
    assert cost.method == f"closed form; to count the module, {install_command('peers')}"
    assert cost.macs_per_second == pytest.approx(28.79e9, rel=0.001)
    assert complexity.hifigan_cost(complexity.V3, 24_000).method == "closed form"


def test_the_output_holds_counted_and_published_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    text = complexity.complexity(Config(), as_json=False)
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert [row[0] for row in table[2:]] == ["Basis-MelGAN", "HiFi-GAN V1", "HiFi-GAN V2", "HiFi-GAN V3"]
    assert table[2][1:5] == ["3.17", "2.25", "4.51", "7.95"]
    assert table[3][1:5] == ["13.93", "28.79", "57.57", "17.74"]
    document = json.loads(complexity.complexity(Config(), as_json=True))
    assert document["sample_rate"] == 24_000
    assert [model["published_gflops"] for model in document["models"]] == [7.95, 17.74, None, None]
    assert document["models"][0]["parameters"] == 3_171_072
    assert all(math.isfinite(model["macs_per_second"]) for model in document["models"])
    assert document["notes"] == text.split("\n\n")[1].splitlines()


def test_discriminators_cost_what_their_docstrings_state() -> None:
    wave, stft = MultiScaleDiscriminator(DiscriminatorConfig()), MultiResolutionDiscriminator(DiscriminatorConfig())
    for discriminator, millions, giga in ((wave, 4.6, 0.51), (stft, 0.28, 1.7)):
        counts = [macs(partial(discriminator, torch.zeros(1, samples))) for samples in (48_000, 24_000)]
        assert parameters(discriminator) / 1e6 == pytest.approx(millions, rel=0.02)
        assert (counts[0] - counts[1]) / 1e9 == pytest.approx(giga, rel=0.03)
