"""Peer vocoders as their own packages build them, with mels of 100 bands and a hop of 256.

Vocos: ``pip install --no-deps vocos``. HiFi-GAN: ``pip install transformers``, whose SpeechT5HifiGan is its generator.
Multi-band MelGAN: ``pip install wheel pytest-runner h5py kaldiio``, then
``pip install --no-deps --no-build-isolation parallel_wavegan``.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from basis_melgan.audio.mel import mel_config
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.models.bases.basis import overlap_add

BANDS = mel_config("vocos").bands
HOP = 256  # samples; Vocos's, and HiFi-GAN's four upsamplings together
FFT = 1024

FRAMES = FrameGeometry(hop=HOP, basis_length=FFT, stride=HOP)


@contextmanager
def _without_torchaudio() -> Iterator[None]:
    """Make `vocos` importable without torchaudio and encodec: its backbone and head use neither."""
    names = {
        "torchaudio": [],
        "torchaudio.functional": [],
        "torchaudio.functional.functional": ["_hz_to_mel", "_mel_to_hz"],
        "encodec": ["EncodecModel"],
    }
    stubs = {name: ModuleType(name) for name in names if find_spec(name.split(".")[0]) is None}
    for name, stub in stubs.items():
        for attribute in names[name]:
            setattr(stub, attribute, None)
    sys.modules |= stubs
    try:
        yield
    finally:
        for name in stubs:
            del sys.modules[name]


class RealHead(nn.Module):
    """Vocos's head with its inverse STFT as a real matrix product: complex numbers cannot be exported to ONNX."""

    atoms: Tensor
    energy: Tensor

    def __init__(self, projection: nn.Module, window: Tensor, stride: int) -> None:
        super().__init__()
        self.out, self.stride = projection, stride
        impulses = torch.eye(FFT // 2 + 1)
        parts = torch.complex(impulses, torch.zeros(())), torch.complex(torch.zeros(()), impulses)
        self.register_buffer("atoms", torch.cat([torch.fft.irfft(part, FFT) for part in parts]) * window)
        self.register_buffer("energy", window.square()[None])

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden (B, F, channels) to wave (B, F·hop)."""
        magnitude, phase = self.out(hidden).transpose(1, 2).chunk(2, dim=1)
        magnitude = magnitude.exp().clip(max=1e2)
        weights = torch.cat([magnitude * phase.cos(), magnitude * phase.sin()], dim=1)
        side = (FFT - self.stride) // 2
        envelope = overlap_add(torch.ones_like(weights[:1, :1]), self.energy, self.stride)
        wave = overlap_add(weights, self.atoms, self.stride) / envelope.clamp(min=1e-11)
        return wave[:, side : side + hidden.shape[1] * self.stride]


class Vocos(nn.Module):
    """Vocos (arXiv 2306.00814): mel (B, M, F) to wave (B, F·hop)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        with _without_torchaudio():
            from vocos.heads import ISTFTHead
            from vocos.models import VocosBackbone
        self.backbone = VocosBackbone(input_channels=BANDS, dim=channels, intermediate_dim=hidden, num_layers=8)
        self.head = ISTFTHead(dim=channels, n_fft=FFT, hop_length=HOP, padding="same")

    def use_real_head(self) -> None:
        """Replace the head by one that can be exported."""
        istft = self.head.istft
        self.head = RealHead(self.head.out, istft.window, istft.hop_length)

    def forward(self, mel: Tensor) -> Tensor:
        """Mel (B, M, F) to wave (B, F·hop)."""
        wave: Tensor = self.head(self.backbone(mel))
        return wave


class HiFiGAN(nn.Module):
    """HiFi-GAN (arXiv 2010.05646): mel (B, M, F) to wave (B, F·hop); V1 has 512 channels, V2 128."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

        sizes = SpeechT5HifiGanConfig(
            model_in_dim=BANDS,
            upsample_initial_channel=channels,
            upsample_rates=[8, 8, 2, 2],
            upsample_kernel_sizes=[16, 16, 4, 4],
            resblock_kernel_sizes=[3, 7, 11],
            resblock_dilation_sizes=[[1, 3, 5]] * 3,
        )
        generator: Any = SpeechT5HifiGan(sizes)  # transformers does not type its weight norm
        generator.apply_weight_norm()
        self.generator = generator

    def forward(self, mel: Tensor) -> Tensor:
        """Mel (B, M, F) to wave (B, F·hop)."""
        wave: Tensor = self.generator(mel.transpose(1, 2))
        return wave


class MultiBandMelGAN(nn.Module):
    """Multi-band MelGAN (arXiv 2005.05106): mel (B, M, F) to wave (B, F·hop), by four bands and a filterbank."""

    def __init__(self) -> None:
        super().__init__()
        import scipy.signal

        scipy.signal.kaiser = scipy.signal.windows.kaiser  # the path at which parallel_wavegan imports it
        from parallel_wavegan.layers import PQMF
        from parallel_wavegan.models import MelGANGenerator

        self.generator = MelGANGenerator(BANDS, 4, channels=384, upsample_scales=[8, 4, 2], stacks=4)
        self.filterbank = PQMF(4)

    def forward(self, mel: Tensor) -> Tensor:
        """Mel (B, M, F) to wave (B, F·hop)."""
        wave: Tensor = self.filterbank.synthesis(self.generator(mel))[:, 0]
        return wave


PEERS: dict[str, Callable[[], nn.Module]] = {
    "vocos": lambda: Vocos(512, 1536),  # as published
    "vocos-cut": lambda: Vocos(256, 768),  # to the cost of speech-24k
    "vocos-small": lambda: Vocos(128, 384),  # to the cost of speech-24k-small
    "hifigan-v1": lambda: HiFiGAN(512),
    "hifigan-v2": lambda: HiFiGAN(128),
    "mb-melgan": MultiBandMelGAN,
}
