"""How far the wave of a vocoder moves when its mel does by no more than a rounding, or comes in chunks."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from basis_melgan.inference.backend import Array
from basis_melgan.inference.vocoder import Vocoder

JITTER = 1e-6  # nepers, on every value of a mel: the last bit of those of quiet bands, near -10
MAX_CHANGE = 2e-3  # of full scale
MIN_SNR = 45.0  # dB


@dataclass(frozen=True)
class Response:
    """What a wave became where nothing should have changed.

    Attributes:
        change: greatest change of a sample, of full scale.
        snr: signal-to-noise ratio of the wave that changed most by that measure, dB; infinite where none changed.
        energy: of all changes together, squares of full scale.
    """

    change: float = 0.0
    snr: float = math.inf
    energy: float = 0.0

    def __or__(self, other: "Response") -> "Response":
        """Both together: the worse of each."""
        return Response(max(self.change, other.change), min(self.snr, other.snr), self.energy + other.energy)

    def __str__(self) -> str:
        """One line for reports."""
        return f"a sample moves by {self.change:.1e} of full scale, SNR {self.snr:.0f} dB"

    def within(self, reference: "Response") -> bool:
        """Whether it is in bounds, or no worse than a reference that is not."""
        return self.change <= max(MAX_CHANGE, reference.change) and self.snr >= min(MIN_SNR, reference.snr)


def jitter_response(vocoder: Vocoder, mels: Iterable[Array], seeds: int, size: float = JITTER) -> Response:
    """The worst response of a vocoder to uniform noise on mels.

    Args:
        vocoder: to be measured.
        mels: (M, F) each.
        seeds: how many noises each mel gets.
        size: greatest value of the noise, nepers.
    """
    worst = Response()
    for mel in mels:
        expected = vocoder(mel)
        for seed in range(seeds):
            noise = np.random.default_rng(seed).uniform(-size, size, mel.shape)
            worst |= response(expected, vocoder((mel + noise).astype(np.float32)))
    return worst


def chunk_response(vocoder: Vocoder, mels: Iterable[Array], sizes: Sequence[int]) -> Response:
    """The worst difference between streams of mels (M, F), in chunks of so many frames, and the mels as a whole."""
    worst = Response()
    for mel in mels:
        expected = vocoder(mel)
        for size in sizes:
            stream = vocoder.stream()
            waves = [stream.push(mel[:, start : start + size]) for start in range(0, mel.shape[1], size)]
            worst |= response(expected, np.concatenate([*waves, stream.flush()]))
    return worst


def response(expected: Array, wave: Array) -> Response:
    """How far a wave (T,) is from what was expected (T,)."""
    difference = np.abs(wave.astype(np.float64) - expected)
    energy, signal = float(np.square(difference).sum()), float(np.square(expected, dtype=np.float64).sum())
    snr = 10.0 * math.log10(max(signal, np.finfo(float).tiny) / energy) if energy else math.inf
    return Response(float(difference.max()), snr, energy)
