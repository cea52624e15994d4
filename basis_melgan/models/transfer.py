"""A trained vocoder's parameters for a generator that is narrower, sees less ahead, or has another activation."""

import dataclasses
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from basis_melgan.config.schema import Config
from basis_melgan.models.bases.basis import ATOMS
from basis_melgan.models.bases.modulated import BLOCK_LENGTH
from basis_melgan.models.bases.pairs import center_frequencies
from basis_melgan.models.convnext import generator_atoms, split_lookahead

State = dict[str, Tensor]


def adaptable(was: Config, now: Config) -> bool:
    """Whether parameters of one generator are of use to another: of one kind, mel and geometry, and not wider."""
    ours = now.generator
    theirs = dataclasses.replace(
        was.generator, hidden=ours.hidden, activation=ours.activation, lookahead=ours.lookahead
    )
    same = (theirs, was.frames, was.mel) == (ours, now.frames, now.mel)
    turnable = was.generator.lookahead == ours.lookahead or ours.head == "polar"
    return same and turnable and was.generator.hidden >= ours.hidden


def adapted(state: State, was: Config, now: Config) -> State:
    """Parameters for the generator of `now`, from those of the generator of `was`, which is `adaptable`.

    Only frame-rate generators have what may differ, so those of others stay. Of each block's hidden channels the
    strongest stay: what a channel adds is at most the product of the norms of the weights into it and out of it. Taps
    keep their distance to the frame that they are for; those beyond what the generator may see ahead go. Where basis
    signals then begin later, phases turn as far as their frequencies do in between.
    """
    if was.generator == now.generator or now.generator.kind != "convnext":
        return state
    state = dict(state)
    for block in range(now.generator.blocks):
        _narrow(state, f"trunk.{block}", now.generator.hidden)
    (lead_was, ahead_was), (lead, ahead) = (split_lookahead(config.generator, config.frames) for config in (was, now))
    layers = ["embed", *(f"trunk.{block}.depthwise" for block in range(now.generator.blocks))]
    for layer, seen, sees in zip(layers, ahead_was, ahead, strict=True):
        state[f"{layer}.weight"] = F.pad(state[f"{layer}.weight"], (seen - sees, sees - seen))
    if lead != lead_was:
        _turn(state, now, lead - lead_was)
    return state


def _narrow(state: State, block: str, hidden: int) -> None:
    into, out = state[f"{block}.widen.weight"], state[f"{block}.narrow.weight"]
    scaled = state[f"{block}.narrow.scale"][:, None] * out
    strongest = (into.norm(dim=1) * scaled.norm(dim=0)).topk(hidden).indices.sort().values
    for name in ("weight", "bias"):
        state[f"{block}.widen.{name}"] = state[f"{block}.widen.{name}"][strongest]
    state[f"{block}.narrow.weight"] = out[:, strongest]


def _turn(state: State, config: Config, samples: int) -> None:
    """Advance the predicted phases of atoms that begin `samples` samples earlier."""
    pairs, frames = config.generator.pairs, config.frames
    if ATOMS in state:
        frequencies = center_frequencies(state[ATOMS].double().numpy(), frames.sample_rate)
    else:
        frequencies = generator_atoms(config, int(state[BLOCK_LENGTH])).frequencies
    turns = torch.from_numpy(2.0 * math.pi * samples * frequencies / frames.sample_rate).float()
    bias = state["output_proj.bias"].reshape(frames.weights_per_mel, -1).clone()
    bias[:, pairs:] += turns
    state["output_proj.bias"] = bias.flatten()
