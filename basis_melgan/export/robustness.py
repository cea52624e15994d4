"""Robustness of a vocoder: how far its wave changes when its mel changes by a rounding error, or comes in chunks."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.inference.vocoder import Vocoder

JITTER = 1e-6  # nepers, on every value of a mel: the last bit of values near -10, as in quiet bands
MAX_CHANGE = 2e-3  # of full scale
MIN_SNR = 45.0  # dB


@dataclass(frozen=True)
class Response:
    """Difference between two waves that should be equal, or the worst of several such differences.

    Attributes:
        change: largest change of a sample, as a fraction of full scale.
        snr: signal-to-noise ratio in dB; infinite if no sample changed.
        energy: sum of the squared changes, full scale 1.
    """

    change: float = 0.0
    snr: float = math.inf
    energy: float = 0.0

    def __or__(self, second: "Response") -> "Response":
        """Combine two responses: the larger change, the lower SNR, and the sum of energies."""
        return Response(max(self.change, second.change), min(self.snr, second.snr), self.energy + second.energy)

    def __str__(self) -> str:
        """One line for reports."""
        return f"samples change by up to {self.change:.1e} of full scale, SNR {self.snr:.0f} dB"

    def within(self, reference: "Response") -> bool:
        """Whether the response is within the limits, or no worse than a reference that exceeds them."""
        return self.change <= max(MAX_CHANGE, reference.change) and self.snr >= min(MIN_SNR, reference.snr)


def jitter_response(vocoder: Vocoder, mels: Iterable[Float32Array], seeds: int, size: float = JITTER) -> Response:
    """Return the worst response of a vocoder to uniform noise on mels.

    Args:
        vocoder: the vocoder to measure.
        mels: (M, F) each.
        seeds: number of noise draws per mel.
        size: largest absolute value of the noise, nepers.
    """
    worst = Response()
    for mel in mels:
        expected = vocoder(mel)
        for seed in range(seeds):
            noise = np.random.default_rng(seed).uniform(-size, size, mel.shape)
            worst |= response(expected, vocoder((mel + noise).astype(np.float32)))
    return worst


def chunk_response(vocoder: Vocoder, mels: Iterable[Float32Array], sizes: Sequence[int]) -> Response:
    """Return the worst difference between mels (M, F) streamed in chunks of `sizes` frames and synthesized whole."""
    worst = Response()
    for mel in mels:
        expected = vocoder(mel)
        for size in sizes:
            stream = vocoder.stream()
            waves = [stream.push(mel[:, start : start + size]) for start in range(0, mel.shape[1], size)]
            worst |= response(expected, np.concatenate([*waves, stream.flush()]))
    return worst


def response(expected: Float32Array, wave: Float32Array) -> Response:
    """Return the difference between a wave (T,) and the expected one (T,)."""
    difference = np.abs(wave.astype(np.float64) - expected)
    energy, signal = float(np.square(difference).sum()), float(np.square(expected, dtype=np.float64).sum())
    snr = 10.0 * math.log10(max(signal, np.finfo(float).tiny) / energy) if energy else math.inf
    return Response(float(difference.max()), snr, energy)
