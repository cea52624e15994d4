"""What a second of speech costs: parameters and multiply–adds of the paper's generator and of HiFi-GAN.

What counts, `models.cost` says.
"""

import importlib.util
import json
import math
from dataclasses import asdict, dataclass

import torch
from torch import nn

from basis_melgan.config.schema import Config
from basis_melgan.inference.torch import macs_per_second
from basis_melgan.installation import install_command
from basis_melgan.models import model_file
from basis_melgan.models.cost import macs_per_frame, parameters
from basis_melgan.models.streaming_generator import StreamingGenerator

BANDS = 80  # of HiFi-GAN's mel
PUBLISHED_OURS = 7.95  # GFLOPs, arXiv 2106.13419, abstract
PUBLISHED_HIFIGAN_V1 = 17.74  # GFLOPs, ibidem


@dataclass(frozen=True)
class HiFiGAN:
    """Sizes of a HiFi-GAN generator (arXiv 2010.05646, appendix A.1)."""

    name: str
    channels: int  # halved by every upsampling
    rates: tuple[int, ...]
    rate_kernels: tuple[int, ...]
    kernels: tuple[int, ...]  # of the residual blocks, which run in parallel
    dilations: tuple[tuple[int, ...], ...]  # of each block
    paired: bool  # whether an undilated convolution follows every dilated one

    @property
    def hop(self) -> int:
        """Samples per mel frame."""
        return math.prod(self.rates)


V1 = HiFiGAN("HiFi-GAN V1", 512, (8, 8, 2, 2), (16, 16, 4, 4), (3, 7, 11), ((1, 3, 5),) * 3, True)
V2 = HiFiGAN("HiFi-GAN V2", 128, (8, 8, 2, 2), (16, 16, 4, 4), (3, 7, 11), ((1, 3, 5),) * 3, True)
V3 = HiFiGAN("HiFi-GAN V3", 256, (8, 8, 4), (16, 16, 8), (3, 5, 7), ((1, 2), (2, 6), (3, 12)), False)


@dataclass(frozen=True)
class Cost:
    """One row: a model, its parameters, its MACs per second of audio, and how they were counted."""

    model: str
    parameters: int
    macs_per_second: float
    counted: str


def generator_cost(config: Config) -> Cost:
    """Cost of the generator of `config` as it speaks, basis included."""
    generator = model_file.new_generator(config)
    per_second = macs_per_second(StreamingGenerator(generator), config.frames)
    name = "Basis-MelGAN" if config.generator.kind == "melgan" else "ConvNeXt over pairs"
    return Cost(name, parameters(generator), per_second, "on the module of this package")


def hifigan_closed_form(sizes: HiFiGAN, sample_rate: int) -> tuple[int, float]:
    """Parameters and MACs per second of audio of a HiFi-GAN at `sample_rate` Hz, summed layer by layer.

    A convolution costs in·out·kernel MACs per output frame, a transposed one as much per input frame.
    """
    channels, rate = sizes.channels, sample_rate / sizes.hop
    weights = BANDS * channels * 7
    count, cost = weights + channels, weights * rate
    for scale, scale_kernel in zip(sizes.rates, sizes.rate_kernels, strict=True):
        weights = channels * (channels // 2) * scale_kernel
        channels //= 2
        count += weights + channels
        cost += weights * rate
        rate *= scale
        for kernel, dilations in zip(sizes.kernels, sizes.dilations, strict=True):
            layers = len(dilations) * (2 if sizes.paired else 1)
            count += layers * (channels * channels * kernel + channels)
            cost += layers * channels * channels * kernel * rate
    weights = channels * 7
    return count + weights + 1, cost + weights * rate


def hifigan_module(sizes: HiFiGAN) -> nn.Module:
    """HiFi-GAN with paired blocks as the transformers library builds it: mel (1, F, bands) → wave (1, F·hop)."""
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    settings = SpeechT5HifiGanConfig(
        model_in_dim=BANDS,
        upsample_initial_channel=sizes.channels,
        upsample_rates=list(sizes.rates),
        upsample_kernel_sizes=list(sizes.rate_kernels),
        resblock_kernel_sizes=list(sizes.kernels),
        resblock_dilation_sizes=[list(dilations) for dilations in sizes.dilations],
    )
    with torch.device("meta"):  # shapes are enough, and its weights would only be drawn at random
        module: nn.Module = SpeechT5HifiGan(settings)
    return module


def hifigan_cost(sizes: HiFiGAN, sample_rate: int) -> Cost:
    """Cost of a HiFi-GAN generator at `sample_rate` Hz: on transformers' module if it has one, else in closed form."""
    if sizes.paired and importlib.util.find_spec("transformers") is not None:
        module = hifigan_module(sizes)
        per_frame = macs_per_frame(lambda frames: module(torch.zeros(1, frames, BANDS, device="meta")))
        counted = "on transformers' SpeechT5HifiGan"
        return Cost(sizes.name, parameters(module), per_frame * sample_rate / sizes.hop, counted)
    counted = f"closed form; {install_command('peers')} counts the module" if sizes.paired else "closed form"
    return Cost(sizes.name, *hifigan_closed_form(sizes, sample_rate), counted)


def costs(config: Config) -> list[Cost]:
    """Cost of the paper's generator and of HiFi-GAN V1, V2 and V3, all at the sample rate of `config`."""
    rate = config.frames.sample_rate
    return [generator_cost(config), *(hifigan_cost(sizes, rate) for sizes in (V1, V2, V3))]


def complexity(config: Config, as_json: bool) -> str:
    """Text of `basis-melgan complexity`: the costs beside the published ones, as a Markdown table or as JSON."""
    rows = costs(config)
    notes = _notes(rows, config.frames.sample_rate)
    published = {"Basis-MelGAN": PUBLISHED_OURS, V1.name: PUBLISHED_HIFIGAN_V1}
    if as_json:
        models = [asdict(row) | {"published_gflops": published.get(row.model)} for row in rows]
        return json.dumps({"sample_rate": config.frames.sample_rate, "models": models, "notes": notes}, indent=2)
    lines = [
        "| model | parameters M | GMAC/s | GFLOP/s | published GFLOPs | counted |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        giga = row.macs_per_second / 1e9
        lines.append(
            f"| {row.model} | {row.parameters / 1e6:.2f} | {giga:.2f} | {2 * giga:.2f} "
            f"| {published.get(row.model, '–')} | {row.counted} |"
        )
    return "\n".join([*lines, "", *notes])


def _notes(rows: list[Cost], sample_rate: int) -> list[str]:
    ours, v1 = (row.macs_per_second / 1e9 for row in rows[:2])
    ours_seconds, v1_seconds = PUBLISHED_OURS / ours, PUBLISHED_HIFIGAN_V1 / v1
    return [
        f"Per second of audio at {sample_rate} Hz. Counted: multiply-adds (MACs) of convolutions and linear layers, "
        "1 MAC = 2 FLOPs. Parameters: at inference, weight norm merged, the basis included.",
        f"HiFi-GAN keeps its published shape: {V1.hop} samples per mel frame, hence {sample_rate / V1.hop:.2f} frames "
        "a second.",
        "Published: the abstract of arXiv 2106.13419 does not say for how much audio, nor whether a multiply-add is "
        f"one or two. {PUBLISHED_HIFIGAN_V1} would be HiFi-GAN V1 on {v1_seconds:.2f} s of audio if one, "
        f"{v1_seconds / 2:.2f} s if two; {PUBLISHED_OURS} would be this generator on {ours_seconds:.2f} s or "
        f"{ours_seconds / 2:.2f} s.",
        f"No one length gives both: published they stand {PUBLISHED_HIFIGAN_V1 / PUBLISHED_OURS:.2f} to 1, counted "
        f"{v1 / ours:.1f} to 1. So the published numbers count other networks, or these two by different rules.",
    ]
