"""Streaming: layers with memory, and the state that carries their memory from one chunk of a mel to the next.

A network has one forward for whole mels and for streams. Without a state, its layers pad the edges of the whole mel.
With a `StreamState`, they take the last frames of the previous chunk in place of the padding, and every frame that a
layer looks ahead delays its output by one frame. Padding then appears only where the whole mel begins and ends.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class StreamState:
    """The memory of all layers of a network, and the place of the current chunk in the whole mel.

    Layers read their part of the packed memory and write the next one in the order in which they run, so the network's
    forward is also the layout of the packed state.

    Attributes:
        frame_offset: (), int64: index of the chunk's first frame in the whole mel.
        total_frames: (), int64: frames of the whole mel, or more than any mel has while that is unknown.
        lookahead: mel frames by which the network's wave is delayed.
        rate: frames per mel frame at the current layer.
        delay: frames, at that rate, by which the current layer's input is delayed.
    """

    def __init__(self, packed: Tensor | None, frame_offset: Tensor, total_frames: Tensor, lookahead: int) -> None:
        """Start a forward over one chunk.

        Args:
            packed: memory (B, S) after the previous chunk; None is all zeros, of whatever size the network needs.
            frame_offset: (), int64: index of the chunk's first frame.
            total_frames: (), int64: frames of the whole mel.
            lookahead: of the network, in mel frames.
        """
        self.frame_offset, self.total_frames, self.lookahead = frame_offset, total_frames, lookahead
        self.rate, self.delay = 1, 0
        self._packed, self._read = packed, 0
        self._next: list[Tensor] = []
        self._masks: dict[int, Tensor] = {}

    def load(self, like: Tensor, *shape: int) -> Tensor:
        """Read the next values of memory, as (B, *shape), for a layer whose input is `like` (B, …)."""
        if self._packed is None:
            return like.new_zeros(like.shape[0], *shape)
        start, self._read = self._read, self._read + torch.Size(shape).numel()
        return self._packed[:, start : self._read].reshape(self._packed.shape[0], *shape)

    def store(self, values: Tensor) -> None:
        """Write values (B, …) for the next chunk."""
        self._next.append(values.flatten(1))

    def pack(self) -> Tensor:
        """Memory (B, S) for the next chunk."""
        return torch.cat(self._next, dim=1)

    def prepend_context(self, frames: Tensor, count: int, axis: int) -> Tensor:
        """Frames along an axis of (B, …) after the `count` frames before them; the last `count` become memory."""
        if count == 0:
            return frames
        shape = [*frames.shape[1:axis], count, *frames.shape[axis + 1 :]]
        extended = torch.cat([self.load(frames, *shape), frames], dim=axis)
        self.store(extended.narrow(axis, frames.shape[axis], count))
        return extended

    def upsample(self, factor: int) -> None:
        """Follow the frames through a layer that makes `factor` frames of each."""
        self.rate, self.delay = self.rate * factor, self.delay * factor

    def positions(self, count: int) -> Tensor:
        """Indices (count,) of the current layer's frames in the whole, below 0 before it begins."""
        start = self.frame_offset * self.rate - self.delay
        return start + torch.arange(count, device=self.frame_offset.device)

    def mask(self, count: int, dtype: torch.dtype) -> Tensor:
        """1 for frames (count,) of the current layer that lie inside the whole, and 0 for those outside."""
        if self.rate not in self._masks:  # one for all layers of a rate: a graph of many small operators is slow
            earliest = (self.frame_offset - self.lookahead) * self.rate
            index = earliest + torch.arange(self.lookahead * self.rate + count, device=self.frame_offset.device)
            inside = (index >= 0) & (index < self.total_frames * self.rate)
            self._masks[self.rate] = inside.to(dtype)
        return self._masks[self.rate][self.lookahead * self.rate - self.delay : -self.delay or None]


class ZeroPad(nn.Module):
    """Zero padding of frames (B, F, C), for a convolution that sees frames back and ahead."""

    def __init__(self, left_context: int, lookahead: int) -> None:
        """Prepare for a kernel that sees `left_context` frames back and `lookahead` frames ahead."""
        super().__init__()
        self.left_context, self.lookahead = left_context, lookahead

    def forward(self, frames: Tensor, state: StreamState | None = None) -> tuple[Tensor, Tensor]:
        """Pad frames (B, F, C).

        Returns:
            Frames (B, left_context + F + lookahead, C) for the convolution, and the frames (B, F, C) that its output
            is aligned with.
        """
        if state is None:
            return F.pad(frames, (0, 0, self.left_context, self.lookahead)), frames
        inside = frames * state.mask(frames.shape[1], frames.dtype)[:, None]
        padded = state.prepend_context(inside, self.left_context + self.lookahead, axis=1)
        state.delay += self.lookahead
        return padded, padded[:, self.left_context : -self.lookahead or None]


class ReflectionPad(nn.Module):
    """Reflection padding of (B, C, F) by `reach` frames at either end."""

    def __init__(self, reach: int) -> None:
        super().__init__()
        self.reach = reach

    def forward(self, hidden: Tensor, state: StreamState | None = None) -> tuple[Tensor, Tensor]:
        """Pad (B, C, F).

        Returns:
            (B, C, reach + F + reach) for the convolution, and (B, C, F) that its output is aligned with.
        """
        reach, count = self.reach, hidden.shape[2]
        if state is None:
            return F.pad(hidden, (reach, reach), mode="reflect"), hidden
        extended = state.prepend_context(hidden, 2 * reach, axis=2)
        start, last = state.frame_offset * state.rate - state.delay - 2 * reach, state.total_frames * state.rate - 1
        reflected = (start + torch.arange(count + 2 * reach, device=hidden.device)).abs()
        reflected = torch.where(reflected > last, 2 * last - reflected, reflected)
        # Frames outside the whole are masked later, so what is gathered for them may be anything.
        index = (reflected - start).clamp(0, count + 2 * reach - 1)
        state.delay += reach
        return extended.index_select(2, index), extended[..., reach:-reach]


class StreamingConvTranspose1d(nn.ConvTranspose1d):
    """Transposed convolution of (B, C, F) with kernel 2·stride, which makes exactly `stride` frames of every frame."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__(
            channels, channels, 2 * stride, stride, padding=stride // 2 + stride % 2, output_padding=stride % 2
        )

    def forward(self, hidden: Tensor, state: StreamState | None = None) -> Tensor:  # type: ignore[override]
        """Upsample (B, C, F) to (B, C, F·stride)."""
        if state is None:
            return super().forward(hidden)
        stride, count = self.stride[0], hidden.shape[2]
        inside = hidden * state.mask(count, hidden.dtype)
        extended = F.conv_transpose1d(state.prepend_context(inside, 1, axis=2), self.weight, self.bias, stride)
        state.upsample(stride)
        state.delay += int(self.padding[0])
        return extended[..., stride:][..., : count * stride]


class Delay(nn.Module):
    """Delay of frames (B, F, C) by as much as the network has delayed the frames beside them."""

    def forward(self, frames: Tensor, state: StreamState | None = None) -> Tensor:
        """Return (B, F, C): the frames themselves where nothing is delayed."""
        if state is None:
            return frames
        return state.prepend_context(frames, state.delay, axis=1)[:, : frames.shape[1]]


class OverlapTail(nn.Module):
    """The ends of an overlap-added wave: samples outside the mel are cut; in a stream, unfinished ones are kept.

    Attributes:
        left_pad: samples by which an atom begins before its frame.
    """

    def __init__(self, length: int, stride: int, left_pad: int) -> None:
        """Prepare for atoms of `length` samples, `stride` samples apart."""
        super().__init__()
        self.length, self.stride, self.left_pad = length, stride, left_pad

    def forward(self, wave: Tensor, state: StreamState | None = None) -> Tensor:
        """Cut a wave (B, (K − 1)·stride + L) of K frames to (B, K·stride).

        In a stream the wave is delayed by `state.lookahead` mel frames in all.
        """
        samples = wave.shape[1] - self.length + self.stride
        if state is None:
            return wave[:, self.left_pad : self.left_pad + samples]
        # The delay so far is no whole number of mel frames.
        alignment_pad = (state.lookahead * state.rate - state.delay) * self.stride - self.left_pad
        tail = state.load(wave, alignment_pad + self.length - self.stride)
        aligned = F.pad(tail, (0, samples)) + F.pad(wave, (alignment_pad, 0))
        state.store(aligned[:, samples:])
        return aligned[:, :samples]
