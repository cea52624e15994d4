"""Transfer of a trained vocoder's parameters to a generator with fewer hidden channels or less lookahead."""

import dataclasses
import math

import torch
from torch import Tensor
from torch.nn import functional as F

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.models.bases.basis import ATOMS
from basis_melgan.models.bases.modulated import BLOCK_LENGTH
from basis_melgan.models.bases.pairs import center_frequencies
from basis_melgan.models.convnext import generator_atoms, split_lookahead

State = dict[str, Tensor]


def can_adapt(source: Config, target: Config) -> bool:
    """Whether parameters of one generator can be adapted to another: same kind, mel and geometry, and not wider."""
    if (source.frames, source.mel) != (target.frames, target.mel):
        return False
    old, new = source.generator, target.generator
    if not (isinstance(old, ConvNeXtConfig) and isinstance(new, ConvNeXtConfig)):
        return old == new
    similar = dataclasses.replace(old, hidden=new.hidden, lookahead=new.lookahead) == new
    return similar and old.hidden >= new.hidden


def adapt_state(state: State, source: Config, target: Config) -> State:
    """Adapt parameters of the generator of `source` to that of `target`, where `can_adapt` allows it.

    Only ConvNeXt generators change. Each block keeps its strongest hidden channels: the contribution of a channel is at
    most the product of the norms of its input and output weights. Kernel taps keep their distance to the current
    frame; those beyond the new lookahead are dropped. Where atoms then begin later, the predicted phases advance by as
    much as their frequencies do in between.
    """
    old, new = source.generator, target.generator
    if old == new or not (isinstance(old, ConvNeXtConfig) and isinstance(new, ConvNeXtConfig)):
        return state
    state = dict(state)
    for block in range(new.blocks):
        _prune_channels(state, f"trunk.{block}", new.hidden)
    old_pad, old_lookaheads = split_lookahead(old, source.frames)
    new_pad, new_lookaheads = split_lookahead(new, target.frames)
    layers = ["embed", *(f"trunk.{block}.depthwise" for block in range(new.blocks))]
    for layer, before, after in zip(layers, old_lookaheads, new_lookaheads, strict=True):
        state[f"{layer}.weight"] = F.pad(state[f"{layer}.weight"], (before - after, after - before))
    if new_pad != old_pad:
        _advance_phases(state, new, target.frames, new_pad - old_pad)
    return state


def _prune_channels(state: State, block: str, hidden: int) -> None:
    """Keep the `hidden` strongest hidden channels of a block."""
    inward, outward = state[f"{block}.widen.weight"], state[f"{block}.narrow.weight"]
    scaled = state[f"{block}.narrow.scale"][:, None] * outward
    strongest = (inward.norm(dim=1) * scaled.norm(dim=0)).topk(hidden).indices.sort().values
    for name in ("weight", "bias"):
        state[f"{block}.widen.{name}"] = state[f"{block}.widen.{name}"][strongest]
    state[f"{block}.narrow.weight"] = outward[:, strongest]


def _advance_phases(state: State, config: ConvNeXtConfig, frames: FrameGeometry, samples: int) -> None:
    """Advance the predicted phases for atoms that begin `samples` samples earlier."""
    if ATOMS in state:
        frequencies = center_frequencies(state[ATOMS].double().numpy(), frames.sample_rate)
    else:
        frequencies = generator_atoms(config, frames, int(state[BLOCK_LENGTH])).frequencies
    radians = torch.from_numpy(2.0 * math.pi * samples * frequencies / frames.sample_rate).float()
    bias = state["output_proj.bias"].reshape(frames.weights_per_mel, -1).clone()
    bias[:, config.atoms :] += radians
    state["output_proj.bias"] = bias.flatten()
