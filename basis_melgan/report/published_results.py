"""Published results of other vocoders, with their sources."""

from typing import NamedTuple


class PublishedResult(NamedTuple):
    """PESQ-WB and cost of a vocoder as published."""

    name: str
    pesq_wb: float
    gmac_per_second: float  # multiply-adds in 1e9 per second of audio
    source: str


_SOURCE = (
    "PESQ on LJSpeech copy-synthesis as tabulated in arXiv 2507.20731; multiply-adds counted on the published module"
)

# On another corpus, at 22.05 kHz (Vocos: its 24 kHz module), after a million training steps on GPUs.
PEERS = (
    PublishedResult("Vocos", 3.52, 1.27, _SOURCE),
    PublishedResult("HiFi-GAN V1", 3.57, 26.4, _SOURCE),
    PublishedResult("HiFi-GAN V2", 2.85, 1.66, _SOURCE),
    PublishedResult("iSTFTNet", 3.54, 17.7, _SOURCE),
)
