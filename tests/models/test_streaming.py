"""Generators in chunks: whatever the chunking, together they say what the generator says of the whole mel."""

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


def frame_rate(**changed) -> Config:
    frames = replace(FAST.frames, **{key: changed.pop(key) for key in ("basis_length", "stride") if key in changed})
    sizes = {"kernel": 5, "channels": 8, "hidden": 12, "blocks": 2, "atoms": 16, "spacing": "mixed"} | changed
    return replace(FAST, frames=frames, generator=ConvNeXtConfig(**sizes))


def paper(hop: int = 240, **changed) -> Config:
    base = load("basis-melgan-paper")
    generator = replace(base.generator, channels=6, **changed)
    separator = replace(base.separator, atoms=6)
    return replace(base, frames=FrameGeometry(hop=hop), generator=generator, separator=separator)


CONFIGS = {
    "polar": frame_rate(),
    "causal": frame_rate(lookahead=0),
    "a little ahead": frame_rate(lookahead=3),
    "2 weights a mel frame": frame_rate(stride=128, basis_length=512),
    "4 weights a mel frame": frame_rate(stride=64, basis_length=256),
    "16 weights a mel frame": frame_rate(stride=16, basis_length=32),
    "linear pairs": frame_rate(spacing="linear", atoms=512),
    "linear pairs, 2 weights a mel frame": frame_rate(spacing="linear", atoms=256, stride=128, basis_length=512),
    "inverse STFT": frame_rate(spacing="fourier", atoms=513),
    "paper": paper(),
    "paper, odd steps": paper(hop=225, upsampling=(3, 5), stacks=2),
}


def built(config: Config) -> nn.Module:
    torch.manual_seed(0)
    generator = model_file.new_generator(config)
    if isinstance(generator, MelGANGenerator):
        generator.fold_weight_norm()
    for parameter in generator.parameters():  # drawn so large that every part of the network counts
        scale = parameter[0].numel() ** -0.5 if parameter.ndim > 1 else 0.1
        parameter.data += scale * torch.randn_like(parameter)
    return generator.eval().requires_grad_(False)


BUILT = {name: built(config) for name, config in CONFIGS.items()}


def spoken(model: StreamingGenerator, mel: Tensor, chunks: list[int]) -> Tensor:
    """What a streamed generator says of a mel in chunks of these lengths, over and over."""
    state, first, waves = torch.zeros(len(mel), model.state_size), 0, []

    def push(chunk: Tensor, frames: int) -> None:
        nonlocal state, first
        wave, state = model(chunk, state, torch.tensor(first), torch.tensor(frames))
        assert state.shape == (len(mel), model.state_size)
        first += chunk.shape[2]
        waves.append(wave)

    count, turn = mel.shape[2], 0
    while first < count:
        push(mel[..., first : first + chunks[turn % len(chunks)]], UNKNOWN_LENGTH)
        turn += 1
    if model.lookahead:
        push(torch.full((len(mel), model.bands, model.lookahead), 9.0), count)  # beyond the end is anything
    return torch.cat(waves, dim=1)[:, model.lookahead * model.hop :]


@pytest.mark.parametrize("name", CONFIGS)
@settings(max_examples=12, deadline=None)
@given(frames=st.integers(3, 40), chunks=st.lists(st.integers(1, 12), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_every_chunking_says_what_the_whole_says(name: str, frames: int, chunks: list[int], seed: int) -> None:
    generator, frames = BUILT[name], max(frames, BUILT[name].min_frames)
    mel = torch.randn(2, generator.bands, frames, generator=torch.Generator().manual_seed(seed)) - 2
    model = StreamingGenerator(generator)
    with torch.inference_mode():
        whole = generator(mel).wave
        found = spoken(model, mel, chunks)
    peak = whole.abs().max()
    assert peak > 0.01  # or rounding were compared
    torch.testing.assert_close(found / peak, whole / peak, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_whole_in_one_chunk_is_late_by_the_lookahead(name: str) -> None:
    generator = BUILT[name]
    model, mel = StreamingGenerator(generator), torch.randn(1, generator.bands, 24) - 2
    padded = nn.functional.pad(mel, (0, model.lookahead))
    memory = StreamState(None, torch.tensor(0), torch.tensor(24), model.lookahead)
    with torch.inference_mode():
        wave, late = generator(padded, memory).wave, model.lookahead * model.hop
        basis = generator.basis
        alignment_pad = (memory.lookahead * memory.rate - memory.delay) * basis.stride - basis.left_pad
        assert 0 <= alignment_pad <= late
        assert not wave[:, :alignment_pad].any()
        whole = generator(mel).wave
    peak = whole.abs().max()
    torch.testing.assert_close(wave[:, late:] / peak, whole / peak, atol=TOLERANCE, rtol=0)


def test_causal_pairs_are_late_by_nothing() -> None:
    assert StreamingGenerator(BUILT["causal"]).lookahead == 0
    assert StreamingGenerator(BUILT["a little ahead"]).lookahead == 3
