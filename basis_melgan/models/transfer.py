"""A trained vocoder's parameters for a generator that is narrower, or sees less ahead."""

import dataclasses
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.models.bases.basis import SIGNALS
from basis_melgan.models.bases.pairs import centers
from basis_melgan.models.convnext import own_pairs, reach

State = dict[str, Tensor]


def adaptable(was: Config, now: Config) -> bool:
    """Whether parameters of one generator are of use to another: of one kind, mel and geometry, and not wider."""
    if (was.frames, was.mel) != (now.frames, now.mel):
        return False
    source, target = was.generator, now.generator
    if not (isinstance(source, ConvNeXtConfig) and isinstance(target, ConvNeXtConfig)):
        return source == target
    alike = dataclasses.replace(source, hidden=target.hidden, lookahead=target.lookahead) == target
    return alike and source.hidden >= target.hidden


def adapted(state: State, was: Config, now: Config) -> State:
    """Parameters for the generator of `now`, from those of the generator of `was`, which is `adaptable`.

    Only frame-rate generators have what may differ, so those of others stay. Of each block's hidden channels the
    strongest stay: what a channel adds is at most the product of the norms of the weights into it and out of it. Taps
    keep their distance to the frame that they are for; those beyond what the generator may see ahead go. Where basis
    signals then begin later, phases turn as far as their frequencies do in between.
    """
    source, target = was.generator, now.generator
    if source == target or not (isinstance(source, ConvNeXtConfig) and isinstance(target, ConvNeXtConfig)):
        return state
    state = dict(state)
    for block in range(target.blocks):
        _narrow(state, f"trunk.{block}", target.hidden)
    (lead_was, ahead_was), (lead, ahead) = reach(source, was.frames), reach(target, now.frames)
    layers = ["embed", *(f"trunk.{block}.depthwise" for block in range(target.blocks))]
    for layer, seen, sees in zip(layers, ahead_was, ahead, strict=True):
        state[f"{layer}.weight"] = F.pad(state[f"{layer}.weight"], (seen - sees, sees - seen))
    if lead != lead_was:
        _turn(state, target, now.frames, lead - lead_was)
    return state


def _narrow(state: State, block: str, hidden: int) -> None:
    into, out = state[f"{block}.widen.weight"], state[f"{block}.narrow.weight"]
    scaled = state[f"{block}.narrow.scale"][:, None] * out
    strongest = (into.norm(dim=1) * scaled.norm(dim=0)).topk(hidden).indices.sort().values
    for name in ("weight", "bias"):
        state[f"{block}.widen.{name}"] = state[f"{block}.widen.{name}"][strongest]
    state[f"{block}.narrow.weight"] = out[:, strongest]


def _turn(state: State, sizes: ConvNeXtConfig, frames: FrameGeometry, samples: int) -> None:
    """Turn the phases that are said of pairs whose signals begin so many samples earlier."""
    signals = state.get(SIGNALS)
    if signals is None:
        frequencies = own_pairs(sizes, frames).frequencies
    else:
        frequencies = centers(signals.double().numpy(), frames.sample_rate)
    turns = torch.from_numpy(2.0 * math.pi * samples * frequencies / frames.sample_rate).float()
    bias = state["say.bias"].reshape(frames.weights_per_mel, -1).clone()
    bias[:, sizes.atoms :] += turns
    state["say.bias"] = bias.flatten()
