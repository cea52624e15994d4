"""Generators that speak a mel chunk by chunk: what a later chunk needs of the earlier ones is kept, not computed again.

Every convolution keeps the last frames of its input; what it sees ahead makes its output late by as many frames. Where
the whole mel begins and ends, each layer finds what it finds there offline: zeros, or its reflection.
"""

from collections.abc import Iterable
from functools import cached_property
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from basis_melgan.models.bases.basis import Basis, Mirrored, mirrored, overlap_add
from basis_melgan.models.bases.modulated import Modulated, ModulatedBasis
from basis_melgan.models.convnext import Block, ConvNeXtGenerator, Convolution
from basis_melgan.models.melgan import MelGANGenerator, ResidualStack


class Cache:
    """One flat state (B, S), read from its start while the next one is written."""

    def __init__(self, state: Tensor) -> None:
        self.state, self.read = state, 0
        self.written: list[Tensor] = []

    def take(self, *shape: int) -> Tensor:
        """The next values, as (B, *shape)."""
        begin, self.read = self.read, self.read + torch.Size(shape).numel()
        return self.state[:, begin : self.read].reshape(self.state.shape[0], *shape)

    def keep(self, values: Tensor) -> None:
        """Leave (B, …) for the next chunk."""
        self.written.append(values.flatten(1))

    def join(self, hidden: Tensor, frames: int, axis: int) -> Tensor:
        """Frames along an axis of (B, …) with the `frames` before them, of which the last are kept."""
        shape = [*hidden.shape[1:axis], frames, *hidden.shape[axis + 1 :]]
        joined = torch.cat([self.take(*shape), hidden], dim=axis)
        self.keep(joined.narrow(axis, hidden.shape[axis], frames))
        return joined

    def next(self) -> Tensor:
        """The state (B, S) for the next chunk."""
        return torch.cat(self.written, dim=1)


class Streamed(nn.Module):
    """A generator that is given a mel in chunks.

    Attributes:
        bands, hop: of its mel.
        lookahead: mel frames by which its wave is late.
        shortest: mel frames that a whole mel must have.
    """

    def __init__(self, generator: MelGANGenerator | ConvNeXtGenerator, late: int) -> None:
        """Stream a generator whose weights are `late` weight frames late."""
        super().__init__()
        self.generator = generator
        self.bands, self.hop, self.lookahead = generator.bands, generator.hop, generator.lookahead
        self.shortest = generator.shortest
        basis = generator.basis
        self.spare = self.lookahead * self.hop - late * basis.stride - basis.lead  # samples, to be late by whole frames
        self.rings = self.spare + basis.length - basis.stride  # samples that a chunk leaves unfinished

    @cached_property
    def size(self) -> int:
        """Numbers of state that are kept from chunk to chunk, S."""
        counting, nothing = _Counting(), torch.tensor(0)
        with torch.no_grad():
            self._ring(torch.zeros(1, self.bands, 1), counting, nothing, nothing)
        return counting.read + self.rings

    def forward(self, mel: Tensor, state: Tensor, first: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Speak a chunk.

        Args:
            mel: the chunk (B, M, n), n from 1 upward.
            state: (B, S), what the chunk before left; zeros before the first.
            first: (), int64: which frame of the whole mel the chunk begins with.
            frames: (), int64: how many the whole mel has; `UNKNOWN_LENGTH` as long as that is not known.
                What a chunk holds beyond does not count. `lookahead` frames more bring out what is late.

        Returns:
            The wave (B, n·hop), late by lookahead·hop samples, and the state (B, S) for the next chunk.
        """
        cache = Cache(state)
        ring = self._ring(mel, cache, first, frames)
        samples = mel.shape[2] * self.hop
        begun = F.pad(cache.take(self.rings), (0, samples))
        wave = begun + F.pad(ring, (self.spare, 0))
        cache.keep(wave[:, samples:])
        return wave[:, :samples], cache.next()

    def _ring(self, mel: Tensor, cache: Cache, first: Tensor, frames: Tensor) -> Tensor:
        """The wave of a chunk's weights, to where its last frame ends; they are 0 where the whole mel is not."""
        raise NotImplementedError


class _Counting(Cache):
    """A state of zeros of any size that counts what is read."""

    def __init__(self) -> None:
        super().__init__(torch.zeros(1, 0))

    def take(self, *shape: int) -> Tensor:
        self.read += torch.Size(shape).numel()
        return torch.zeros(1, *shape)


def _places(first: Tensor, late: int, count: int) -> Tensor:
    """Which frames (count,) of the whole a chunk's are that begins with `first`, when they are `late` frames late."""
    return first - late + torch.arange(count, device=first.device)


def _within(hidden: Tensor, places: Tensor, frames: Tensor) -> Tensor:
    """Frames (B, C, n), 0 where their places are not from 0 to `frames`."""
    return hidden * _inside(places, frames, hidden.dtype)


def _inside(places: Tensor, frames: Tensor, kind: torch.dtype) -> Tensor:
    """1 where places (n,) are from 0 to `frames`, 0 elsewhere."""
    return ((places >= 0) & (places < frames)).to(kind)


class StreamedFrameRate(Streamed):
    """A generator at the frame rate in chunks."""

    generator: ConvNeXtGenerator

    def __init__(self, generator: ConvNeXtGenerator) -> None:
        super().__init__(generator, generator.late * generator.weights_per_mel)
        self.basis = _synthesis(generator.basis)  # exported layers are called after it

    def _ring(self, mel: Tensor, cache: Cache, first: Tensor, frames: Tensor) -> Tensor:
        net, count = self.generator, mel.shape[2]
        places = _places(first, net.late, net.late + count)  # from those of the last layer to the mel's own
        inside = _inside(places, frames, mel.dtype)[:, None]

        def within(rows: Tensor, late: int) -> Tensor:
            return rows * inside[net.late - late : -late or None]

        heard = within(mel.transpose(1, 2), 0)
        seen, _ = _convolve(net.embed, heard, cache)
        late = net.embed.around[1]
        hidden = within(net.first_norm(seen), late)
        for block in cast(Iterable[Block], net.trunk):
            seen, passed = _convolve(block.depthwise, hidden, cache)
            late += block.depthwise.around[1]
            hidden = within(passed + block.mix(seen), late)
        said = net.predict_weights(hidden, cache.join(heard, late, 1)[:, :count])
        spoken = inside[:count].repeat_interleave(net.weights_per_mel, dim=0)
        cosines, sines = (weights * spoken for weights in said)
        if self.basis is not None:
            wave: Tensor = self.basis(cosines, sines)
            return wave
        return overlap_add(torch.cat([cosines, sines], dim=2).transpose(1, 2), net.basis.signals, net.basis.stride)


def _synthesis(basis: Basis | ModulatedBasis) -> Modulated | Mirrored | None:
    """What adds up weights of a basis's pairs at fewer multiply-adds than `overlap_add`; none where nothing does."""
    if isinstance(basis, ModulatedBasis):
        return basis.synthesis
    return Mirrored(basis) if mirrored(basis) else None


def _convolve(convolution: Convolution, rows: Tensor, cache: Cache) -> tuple[Tensor, Tensor]:
    """What a convolution makes of its last n frames (B, n, C), late by what it sees ahead, and those frames as late."""
    back, ahead = convolution.around
    joined = cache.join(rows, back + ahead, 1)
    return convolution(joined), joined[:, back : -ahead or None]


class StreamedMelGAN(Streamed):
    """The paper's generator in chunks."""

    generator: MelGANGenerator
    at_rest: Tensor

    def __init__(self, generator: MelGANGenerator) -> None:
        """Stream a generator whose weight norm has been folded."""
        super().__init__(generator, _late(generator))
        self.rate = generator.weights_per_mel
        self.longest = max(2 * generator.edge + 1, generator.shortest)  # a mel with every kind of frame there is
        lengths = range(generator.shortest, self.longest + 1)
        with torch.no_grad():
            rests = [generator.rest(torch.zeros(1, generator.bands, frames))[0].T for frames in lengths]
        padded = [F.pad(rest, (0, 0, 0, self.longest * self.rate - len(rest))) for rest in rests]
        self.register_buffer("at_rest", torch.cat(padded))

    def _ring(self, mel: Tensor, cache: Cache, first: Tensor, frames: Tensor) -> Tensor:
        hidden, rate, late = mel, 1, 0
        for layer in self.generator.network:
            if isinstance(layer, nn.ReflectionPad1d):
                reach = layer.padding[0]
                hidden, _ = _reflect(hidden, reach, cache, first * rate - late, frames * rate)
                late += reach
            elif isinstance(layer, ResidualStack):
                padded, passed = _reflect(hidden, layer.reach, cache, first * rate - late, frames * rate)
                hidden = layer.skip(passed) + layer.body[2:](layer.body[0](padded))  # all but its own reflection
                late += layer.reach
            elif isinstance(layer, nn.ConvTranspose1d):
                stride, count = layer.stride[0], hidden.shape[2]
                hidden = _within(hidden, _places(first * rate, late, count), frames * rate)
                made = F.conv_transpose1d(cache.join(hidden, 1, 2), layer.weight, layer.bias, stride)
                hidden = made[..., stride:][..., : count * stride]
                late, rate = late * stride + int(layer.padding[0]), rate * stride
            else:
                hidden = layer(hidden)
        places = _places(first * rate, late, mel.shape[2] * rate)
        weights = _within(hidden - self._rest(places, frames), places, frames * rate)
        basis = self.generator.basis
        return overlap_add(weights, basis.signals, basis.stride)

    def _rest(self, places: Tensor, frames: Tensor) -> Tensor:
        """Response (1, N, K) to an all-zero mel of so many frames at places (K,)."""
        rate, edge, shortest = self.rate, self.generator.edge * self.rate, self.generator.shortest
        kept = frames.clamp(shortest, self.longest)
        from_end = places - (frames - kept) * rate
        inside = torch.where(places < edge, places, edge + places % rate)
        found = torch.where(from_end >= kept * rate - edge, from_end, inside)
        found = torch.where(frames <= self.longest, places, found).clamp(0, self.longest * rate - 1)
        rows = (kept - shortest) * self.longest * rate + found
        return self.at_rest[rows].T[None]


def _late(generator: MelGANGenerator) -> int:
    """Weight frames that the paper's generator sees ahead."""
    late = 0
    for layer in generator.network:
        if isinstance(layer, nn.ReflectionPad1d):
            late += layer.padding[0]
        elif isinstance(layer, ResidualStack):
            late += layer.reach
        elif isinstance(layer, nn.ConvTranspose1d):
            late = late * layer.stride[0] + int(layer.padding[0])
    return late


def _reflect(hidden: Tensor, reach: int, cache: Cache, first: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Frames (B, C, n) that begin with `first` of `frames`, as a convolution reads them that needs a reflection.

    Returns:
        Frames (B, C, n + 2·reach), reflected where the whole begins and ends; and the n frames in their middle.
    """
    count = hidden.shape[2]
    joined = cache.join(hidden, 2 * reach, 2)
    start, last = first - 2 * reach, frames - 1
    places = (start + torch.arange(count + 2 * reach, device=hidden.device)).abs()
    places = torch.where(places > last, 2 * last - places, places)
    inside = (places - start).clamp(0, count + 2 * reach - 1)  # what no frame of the whole needs may be anything
    return joined.index_select(2, inside), joined[..., reach:-reach]


def streamed(generator: MelGANGenerator | ConvNeXtGenerator) -> Streamed:
    """The streamed form of a generator that is ready to infer."""
    return StreamedMelGAN(generator) if isinstance(generator, MelGANGenerator) else StreamedFrameRate(generator)
