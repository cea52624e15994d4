"""STFT magnitudes in PyTorch with a fast gradient; losses, validation and discriminators share them."""

from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from basis_melgan.config.networks import Resolution


def stft_magnitude(
    wave: Tensor, resolution: Resolution, floor: float = 0.0, pad_mode: Literal["constant", "reflect"] = "constant"
) -> Tensor:
    """STFT magnitudes of a wave, under Hann windows centered on every hop-th sample.

    Args:
        wave: (B, T). With `reflect`, T must exceed half the window.
        resolution: (FFT, hop, window) in samples.
        floor: magnitudes become √(magnitude² + floor²).
        pad_mode: padding of both ends: zeros, or the wave mirrored.

    Returns:
        Magnitudes (B, T // hop + 1, bins).
    """
    size, hop, length = resolution
    left_pad = size // 2 - (size - length) // 2
    padded = F.pad(wave[:, None], (left_pad, length - left_pad), mode=pad_mode)[:, 0]
    magnitude: Tensor = _Magnitude.apply(padded, size, hop, length, floor)  # type: ignore[no-untyped-call]
    return magnitude


class _Magnitude(torch.autograd.Function):
    """Magnitudes of a padded wave, with a gradient that costs one inverse real transform.

    PyTorch differentiates a real transform by a complex one, and a complex magnitude by a complex division; with both,
    a magnitude and its gradient take 2.7 times as long on a CPU.
    """

    @staticmethod
    def forward(ctx: Any, wave: Tensor, size: int, hop: int, length: int, floor: float) -> Tensor:
        """Magnitudes (B, K, bins) of a padded wave (B, T)."""
        window = torch.hann_window(length, dtype=wave.dtype, device=wave.device)
        frames = wave.unfold(1, length, hop) * window
        spectrum = torch.fft.rfft(frames, size)
        real, imaginary = torch.view_as_real(spectrum).unbind(-1)
        magnitude = real.square().addcmul_(imaginary, imaginary).add_(floor**2).sqrt_()
        ctx.save_for_backward(spectrum, magnitude, window)
        ctx.samples, ctx.size, ctx.hop, ctx.floor = wave.shape[1], size, hop, floor
        return magnitude

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        """Gradient with respect to the padded wave (B, T)."""
        spectrum, magnitude, window = ctx.saved_tensors
        scale = gradient / magnitude  # times the spectrum it is the spectrum's gradient
        if ctx.floor == 0.0:
            scale = scale.masked_fill(magnitude == 0.0, 0.0)  # the subgradient PyTorch chooses for an absolute value
        scale[..., 1 : (ctx.size + 1) // 2] *= 0.5  # the inverse transform adds these bins' negative frequencies
        frames = torch.fft.irfft(spectrum * scale, ctx.size, norm="forward")[..., : len(window)] * window
        wave = _overlap_add(frames, ctx.hop)
        return F.pad(wave, (0, ctx.samples - wave.shape[1])), None, None, None, None


def _overlap_add(frames: Tensor, hop: int) -> Tensor:
    """Wave (B, at least K·hop) in which each frame (B, K, L) begins one hop after the previous one."""
    pieces = F.pad(frames, (0, -frames.shape[2] % hop))
    pieces = pieces.view(*frames.shape[:2], -1, hop)
    batch, frame_count, piece_count, _ = pieces.shape
    wave = frames.new_zeros(batch, frame_count + piece_count - 1, hop)
    for index in range(piece_count):
        wave[:, index : index + frame_count] += pieces[:, :, index]
    return wave.flatten(1)
