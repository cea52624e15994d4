"""Figures that others published, to stand beside ours with their sources."""

from typing import NamedTuple


class Published(NamedTuple):
    """A vocoder as its publication measured it."""

    name: str
    pesq_wb: float
    gmac_per_second: float  # multiply-adds in 1e9 per second of audio
    source: str


_TABLE = (
    "PESQ on LJSpeech copy-synthesis as tabulated in arXiv 2507.20731; multiply-adds counted on the published module"
)

# On another corpus, at 22.05 kHz (Vocos: its 24 kHz module), after a million steps on GPUs.
PEERS = (
    Published("Vocos", 3.52, 1.27, _TABLE),
    Published("HiFi-GAN V1", 3.57, 26.4, _TABLE),
    Published("HiFi-GAN V2", 2.85, 1.66, _TABLE),
    Published("iSTFTNet", 3.54, 17.7, _TABLE),
)
