"""STFT magnitudes of waves, which several losses read, with a gradient of their own."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from basis_melgan.config.networks import Resolution

# Added to STFT magnitudes, as noise near −72 dBFS would be. Without it the empty band of a 16 kHz recording, and pauses
# that are digital silence, would draw most of the gradient, and hold a generator that starts out quiet down.
MAGNITUDE_FLOOR = 5e-3


class Spectra:
    """STFT magnitudes of a wave (B, T): what several losses read at one resolution is transformed once."""

    def __init__(self, wave: Tensor) -> None:
        self.wave = wave.float()
        self._found: dict[Resolution, Tensor] = {}

    def at(self, resolution: Resolution) -> Tensor:
        """Magnitudes (B, T // hop + 1, bins), of `stft_magnitude`."""
        if resolution not in self._found:
            self._found[resolution] = stft_magnitude(self.wave, resolution)
        return self._found[resolution]


def stft_magnitude(wave: Tensor, resolution: Resolution) -> Tensor:
    """Magnitudes (B, T // hop + 1, bins) of a wave (B, T) under Hann windows about every hop-th sample.

    Beyond its ends there are zeros. Powers are raised by `MAGNITUDE_FLOOR` squared.
    """
    magnitude: Tensor = _Magnitude.apply(wave, *resolution)  # type: ignore[no-untyped-call]
    return magnitude


class _Magnitude(torch.autograd.Function):
    """Magnitudes of a wave, and the way back through one inverse transform of real frames.

    PyTorch's own way back from a real transform is a complex one, and from a complex magnitude it divides complex
    numbers; with both, a magnitude and its gradient take 2.7 times as long on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, wave: Tensor, size: int, hop: int, length: int) -> Tensor:
        """Magnitudes (B, K, bins) of a wave (B, T)."""
        window = torch.hann_window(length, dtype=wave.dtype, device=wave.device)
        lead = _lead(size, length)
        frames = F.pad(wave, (lead, length - lead)).unfold(1, length, hop) * window
        spectrum = torch.fft.rfft(frames, size)
        real, imaginary = torch.view_as_real(spectrum).unbind(-1)
        magnitude = real.square().addcmul_(imaginary, imaginary).add_(MAGNITUDE_FLOOR**2).sqrt_()
        ctx.save_for_backward(spectrum, magnitude, window)
        ctx.samples, ctx.size, ctx.hop = wave.shape[1], size, hop
        return magnitude

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        """Gradient of the wave (B, T)."""
        spectrum, magnitude, window = ctx.saved_tensors
        slope = gradient / magnitude  # of a spectrum, times itself
        slope[..., 1 : (ctx.size + 1) // 2] *= 0.5  # the inverse counts those twice, for negative frequencies too
        frames = torch.fft.irfft(spectrum * slope, ctx.size, norm="forward")[..., : len(window)] * window
        wave = _laid(frames, ctx.hop)
        lead = _lead(ctx.size, len(window))
        return F.pad(wave, (-lead, lead + ctx.samples - wave.shape[1])), None, None, None


def _lead(size: int, length: int) -> int:
    """Samples that a window begins before the one it is about."""
    return size // 2 - (size - length) // 2


def _laid(frames: Tensor, hop: int) -> Tensor:
    """Wave (B, K·hop or more) of frames (B, K, L), each laid a hop after the one before."""
    pieces = F.pad(frames, (0, -frames.shape[2] % hop))
    pieces = pieces.view(*frames.shape[:2], -1, hop)
    batch, count, each, _ = pieces.shape
    wave = frames.new_zeros(batch, count + each - 1, hop)
    for place in range(each):
        wave[:, place : place + count] += pieces[:, :, place]
    return wave.flatten(1)
