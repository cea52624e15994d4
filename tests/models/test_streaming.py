"""Streaming generators: for any chunk sizes the output equals that of the whole mel."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.loading import load
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.inference.backend import UNKNOWN_LENGTH
from basis_melgan.models import model_file
from basis_melgan.models.melgan import MelGANGenerator
from basis_melgan.models.streaming import StreamState
from basis_melgan.models.streaming_generator import StreamingGenerator

TOLERANCE = 1e-5
FAST = load("convnext-24k")


def convnext(**changes) -> Config:
    frames = replace(FAST.frames, **{key: changes.pop(key) for key in ("basis_length", "stride") if key in changes})
    sizes = {"kernel": 5, "channels": 8, "hidden": 12, "blocks": 2, "atoms": 16, "spacing": "mixed"} | changes
    return replace(FAST, frames=frames, generator=ConvNeXtConfig(**sizes))


def melgan(hop: int = 240, **changes) -> Config:
    base = load("basis-melgan-paper")
    generator = replace(base.generator, channels=6, **changes)
    separator = replace(base.separator, atoms=6)
    return replace(base, frames=FrameGeometry(hop=hop), generator=generator, separator=separator)


CONFIGS = {
    "polar": convnext(),
    "causal": convnext(lookahead=0),
    "lookahead of 3": convnext(lookahead=3),
    "2 weights per mel frame": convnext(stride=128, basis_length=512),
    "4 weights per mel frame": convnext(stride=64, basis_length=256),
    "16 weights per mel frame": convnext(stride=16, basis_length=32),
    "linear pairs": convnext(spacing="linear", atoms=512),
    "linear pairs, 2 weights per mel frame": convnext(spacing="linear", atoms=256, stride=128, basis_length=512),
    "inverse STFT": convnext(spacing="fourier", atoms=513),
    "paper": melgan(),
    "paper, odd upsampling factors": melgan(hop=225, upsampling=(3, 5), stacks=2),
}


def build(config: Config) -> nn.Module:
    torch.manual_seed(0)
    generator = model_file.new_generator(config)
    if isinstance(generator, MelGANGenerator):
        generator.fold_weight_norm()
    for parameter in generator.parameters():  # large enough for every layer to affect the output
        scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.1
        parameter.data += scale * torch.randn_like(parameter)
    return generator.eval().requires_grad_(False)


GENERATORS = {name: build(config) for name, config in CONFIGS.items()}


def stream_chunks(model: StreamingGenerator, mel: Tensor, chunks: list[int]) -> Tensor:
    """Return the wave of a mel that is pushed in chunks of the given lengths, repeated in a cycle."""
    state, frame_offset, waves = torch.zeros(len(mel), model.state_size), 0, []

    def push(chunk: Tensor, total_frames: int) -> None:
        nonlocal state, frame_offset
        wave, state = model(chunk, state, torch.tensor(frame_offset), torch.tensor(total_frames))
        assert state.shape == (len(mel), model.state_size)
        frame_offset += chunk.shape[2]
        waves.append(wave)

    count, chunk_index = mel.shape[2], 0
    while frame_offset < count:
        push(mel[..., frame_offset : frame_offset + chunks[chunk_index % len(chunks)]], UNKNOWN_LENGTH)
        chunk_index += 1
    if model.lookahead:
        push(torch.full((len(mel), model.bands, model.lookahead), 9.0), count)  # values beyond the end are ignored
    return torch.cat(waves, dim=1)[:, model.lookahead * model.hop :]


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=12, deadline=None)
@given(frames=st.integers(3, 40), chunks=st.lists(st.integers(1, 12), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_chunked_synthesis_equals_whole(name: str, frames: int, chunks: list[int], seed: int) -> None:
    generator, frames = GENERATORS[name], max(frames, GENERATORS[name].min_frames)
    mel = torch.randn(2, generator.bands, frames, generator=torch.Generator().manual_seed(seed)) - 2
    model = StreamingGenerator(generator)
    with torch.inference_mode():
        expected = generator(mel).wave
        wave = stream_chunks(model, mel, chunks)
    peak = expected.abs().max()
    assert peak > 0.01  # well above rounding
    torch.testing.assert_close(wave / peak, expected / peak, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", CONFIGS)
def test_whole_mel_in_one_chunk_is_delayed_by_the_lookahead(name: str) -> None:
    generator = GENERATORS[name]
    model, mel = StreamingGenerator(generator), torch.randn(1, generator.bands, 24) - 2
    padded = nn.functional.pad(mel, (0, model.lookahead))
    state = StreamState(None, torch.tensor(0), torch.tensor(24), model.lookahead)
    with torch.inference_mode():
        wave, delay = generator(padded, state).wave, model.lookahead * model.hop
        basis = generator.basis
        alignment_pad = (state.lookahead * state.rate - state.delay) * basis.stride - basis.left_pad
        assert 0 <= alignment_pad <= delay
        assert not wave[:, :alignment_pad].any()
        expected = generator(mel).wave
    peak = expected.abs().max()
    torch.testing.assert_close(wave[:, delay:] / peak, expected / peak, atol=TOLERANCE, rtol=0)


def test_lookahead_of_the_configuration() -> None:
    assert StreamingGenerator(GENERATORS["causal"]).lookahead == 0
    assert StreamingGenerator(GENERATORS["lookahead of 3"]).lookahead == 3
