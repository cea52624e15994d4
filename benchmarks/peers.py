"""Peers as their own packages build them, at our mel: what they speak is measured beside our vocoders.

Vocos: ``pip install --no-deps vocos``. HiFi-GAN: ``pip install transformers``, whose SpeechT5HifiGan is its generator.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

from torch import Tensor, nn

from basis_melgan.audio.mel import convention
from basis_melgan.config import Frames

BANDS = convention("vocos").bands
HOP = 256  # samples; Vocos's, and HiFi-GAN's four upsamplings together
FFT = 1024

FRAMES = Frames(hop=HOP, basis_length=FFT, stride=HOP)


@contextmanager
def _without_torchaudio() -> Iterator[None]:
    """Let `vocos` be imported where torchaudio and encodec are not: its backbone and head use neither."""
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


class Vocos(nn.Module):
    """Vocos (arXiv 2306.00814): mel (B, M, F) → wave (B, F·hop)."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        with _without_torchaudio():
            from vocos.heads import ISTFTHead
            from vocos.models import VocosBackbone
        self.backbone = VocosBackbone(input_channels=BANDS, dim=channels, intermediate_dim=hidden, num_layers=8)
        self.head = ISTFTHead(dim=channels, n_fft=FFT, hop_length=HOP, padding="same")

    def forward(self, mel: Tensor) -> Tensor:
        """Speak a mel."""
        wave: Tensor = self.head(self.backbone(mel))
        return wave


class HiFiGAN(nn.Module):
    """HiFi-GAN (arXiv 2010.05646): mel (B, M, F) → wave (B, F·hop); V1 has 512 channels, V2 128."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

        rates = {"upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4]}
        blocks = {"resblock_kernel_sizes": [3, 7, 11], "resblock_dilation_sizes": [[1, 3, 5]] * 3}
        sizes = SpeechT5HifiGanConfig(model_in_dim=BANDS, upsample_initial_channel=channels, **rates, **blocks)
        self.generator = SpeechT5HifiGan(sizes)
        self.generator.apply_weight_norm()

    def forward(self, mel: Tensor) -> Tensor:
        """Speak a mel."""
        wave: Tensor = self.generator(mel.transpose(1, 2))
        return wave


PEERS: dict[str, Callable[[], nn.Module]] = {
    "vocos": lambda: Vocos(512, 1536),  # as published
    "vocos-cut": lambda: Vocos(256, 768),  # to the cost of speech-24k
    "hifigan-v1": lambda: HiFiGAN(512),
    "hifigan-v2": lambda: HiFiGAN(128),
}
