"""Parameters and multiply-adds of the configured generator and of HiFi-GAN, per second of audio.

`models.cost` defines what is counted.
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

BANDS = 80  # mel bands of HiFi-GAN
PUBLISHED_BASIS_MELGAN = 7.95  # GFLOPs, abstract of arXiv 2106.13419
PUBLISHED_HIFIGAN_V1 = 17.74  # GFLOPs, from the same abstract


@dataclass(frozen=True)
class HiFiGAN:
    """Architecture of a HiFi-GAN generator (arXiv 2010.05646, appendix A.1)."""

    name: str
    channels: int  # halved by every upsampling layer
    upsampling: tuple[int, ...]
    upsampling_kernels: tuple[int, ...]
    kernels: tuple[int, ...]  # of the parallel residual blocks
    dilations: tuple[tuple[int, ...], ...]  # per residual block
    has_undilated_layers: bool  # an undilated convolution follows every dilated one

    @property
    def hop(self) -> int:
        """Samples per mel frame."""
        return math.prod(self.upsampling)


V1 = HiFiGAN("HiFi-GAN V1", 512, (8, 8, 2, 2), (16, 16, 4, 4), (3, 7, 11), ((1, 3, 5),) * 3, True)
V2 = HiFiGAN("HiFi-GAN V2", 128, (8, 8, 2, 2), (16, 16, 4, 4), (3, 7, 11), ((1, 3, 5),) * 3, True)
V3 = HiFiGAN("HiFi-GAN V3", 256, (8, 8, 4), (16, 16, 8), (3, 5, 7), ((1, 2), (2, 6), (3, 12)), False)


@dataclass(frozen=True)
class Cost:
    """Cost of one model.

    Attributes:
        model: its name.
        parameters: number of parameters at inference.
        macs_per_second: multiply-adds per second of audio.
        method: how they were counted.
    """

    model: str
    parameters: int
    macs_per_second: float
    method: str


def generator_cost(config: Config) -> Cost:
    """Return the inference cost of the generator of `config`, basis included."""
    generator = model_file.new_generator(config)
    per_second = macs_per_second(StreamingGenerator(generator), config.frames)
    name = "Basis-MelGAN" if config.generator.kind == "melgan" else "ConvNeXt with quadrature atoms"
    return Cost(name, parameters(generator), per_second, "the module of this package")


def hifigan_closed_form(sizes: HiFiGAN, sample_rate: int) -> tuple[int, float]:
    """Return parameters and MACs per second of audio of a HiFi-GAN at `sample_rate` Hz, summed over its layers.

    A convolution costs in·out·kernel MACs per output frame, a transposed one the same per input frame.
    """
    channels, rate = sizes.channels, sample_rate / sizes.hop
    weights = BANDS * channels * 7
    count, macs = weights + channels, weights * rate
    for scale, scale_kernel in zip(sizes.upsampling, sizes.upsampling_kernels, strict=True):
        weights = channels * (channels // 2) * scale_kernel
        channels //= 2
        count += weights + channels
        macs += weights * rate
        rate *= scale
        for kernel, dilations in zip(sizes.kernels, sizes.dilations, strict=True):
            layers = len(dilations) * (2 if sizes.has_undilated_layers else 1)
            count += layers * (channels * channels * kernel + channels)
            macs += layers * channels * channels * kernel * rate
    weights = channels * 7
    return count + weights + 1, macs + weights * rate


def hifigan_module(sizes: HiFiGAN) -> nn.Module:
    """Return the HiFi-GAN of the transformers library: mel (1, F, bands) → wave (1, F·hop)."""
    from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

    settings = SpeechT5HifiGanConfig(
        model_in_dim=BANDS,
        upsample_initial_channel=sizes.channels,
        upsample_rates=list(sizes.upsampling),
        upsample_kernel_sizes=list(sizes.upsampling_kernels),
        resblock_kernel_sizes=list(sizes.kernels),
        resblock_dilation_sizes=[list(dilations) for dilations in sizes.dilations],
    )
    with torch.device("meta"):  # counting needs shapes alone
        module: nn.Module = SpeechT5HifiGan(settings)
    return module


def hifigan_cost(sizes: HiFiGAN, sample_rate: int) -> Cost:
    """Return the cost of a HiFi-GAN generator at `sample_rate` Hz, from transformers' module or in closed form."""
    if sizes.has_undilated_layers and importlib.util.find_spec("transformers") is not None:
        module = hifigan_module(sizes)
        per_frame = macs_per_frame(lambda frames: module(torch.zeros(1, frames, BANDS, device="meta")))
        method = "the module SpeechT5HifiGan of transformers"
        return Cost(sizes.name, parameters(module), per_frame * sample_rate / sizes.hop, method)
    method = (
        f"closed form; to count the module, {install_command('peers')}" if sizes.has_undilated_layers else "closed form"
    )
    return Cost(sizes.name, *hifigan_closed_form(sizes, sample_rate), method)


def costs(config: Config) -> list[Cost]:
    """Return the costs of the generator of `config` and of HiFi-GAN V1, V2 and V3, at the same sample rate."""
    rate = config.frames.sample_rate
    return [generator_cost(config), *(hifigan_cost(sizes, rate) for sizes in (V1, V2, V3))]


def complexity(config: Config, as_json: bool) -> str:
    """Return the output of `basis-melgan complexity`: costs and published values, as a Markdown table or as JSON."""
    rows = costs(config)
    notes = _notes(rows, config.frames.sample_rate)
    published = {"Basis-MelGAN": PUBLISHED_BASIS_MELGAN, V1.name: PUBLISHED_HIFIGAN_V1}
    if as_json:
        models = [asdict(row) | {"published_gflops": published.get(row.model)} for row in rows]
        return json.dumps({"sample_rate": config.frames.sample_rate, "models": models, "notes": notes}, indent=2)
    lines = [
        "| model | parameters (M) | GMAC per second of audio | GFLOP per second of audio | published GFLOP | method |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for row in rows:
        gmacs = row.macs_per_second / 1e9
        lines.append(
            f"| {row.model} | {row.parameters / 1e6:.2f} | {gmacs:.2f} | {2 * gmacs:.2f} "
            f"| {published.get(row.model, '–')} | {row.method} |"
        )
    return "\n".join([*lines, "", *notes])


def _notes(rows: list[Cost], sample_rate: int) -> list[str]:
    basis_melgan, hifigan = (row.macs_per_second / 1e9 for row in rows[:2])
    basis_melgan_seconds, hifigan_seconds = PUBLISHED_BASIS_MELGAN / basis_melgan, PUBLISHED_HIFIGAN_V1 / hifigan
    return [
        f"Sample rate: {sample_rate} Hz. Counted: multiply-adds (MACs) of convolutions and linear layers, 1 MAC = 2 "
        "FLOP. Parameters: at inference, with weight norm merged and the basis included.",
        f"HiFi-GAN has its published hop of {V1.hop} samples per mel frame, hence {sample_rate / V1.hop:.2f} frames "
        "per second.",
        "Published: the abstract of arXiv 2106.13419 states neither the duration of the audio nor whether a "
        f"multiply-add is one or two FLOP. With one, {PUBLISHED_HIFIGAN_V1} GFLOP would be HiFi-GAN V1 on "
        f"{hifigan_seconds:.2f} s of audio and {PUBLISHED_BASIS_MELGAN} GFLOP this generator on "
        f"{basis_melgan_seconds:.2f} s; with two, {hifigan_seconds / 2:.2f} s and {basis_melgan_seconds / 2:.2f} s.",
        f"No duration matches both: the published values have a ratio of "
        f"{PUBLISHED_HIFIGAN_V1 / PUBLISHED_BASIS_MELGAN:.2f}, the counted ones of {hifigan / basis_melgan:.1f}. The "
        "published values therefore count other networks, or count these two by different rules.",
    ]
