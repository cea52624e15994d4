"""How near a wave is to its recording: SI-SNR, PESQ-WB, ESTOI, mel-cepstral distortion, multi-resolution STFT distance.

Every metric is a pure function of (reference, estimate, rate): two waves (T,) of the same length, full scale ±1, at the
same sample rate in Hz. Sample n of one is compared with sample n of the other: nothing is shifted, warped or rescaled,
except where the metric's own definition says so. `METRICS` is the table of those that `evaluate` reports.
"""

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from pesq import PesqError, pesq
from pystoi import stoi

from basis_melgan.audio.files import Wave, resample
from basis_melgan.errors import AudioError
from basis_melgan.evaluation.baselines import envelope, pitch

Array = npt.NDArray[np.float64]

PESQ_RATE = 16_000  # Hz; wide-band PESQ knows no other
RESOLUTIONS = ((2048, 240, 1200), (1024, 120, 600), (512, 50, 240))  # FFT, hop, window in samples (arXiv 1910.11480)
POWER_FLOOR = 1e-8  # under each squared STFT magnitude, full scale ±1 (auraloss's)
CEPSTRUM_ORDER = 24  # coefficients c1 … c24; c0, the level, is left out
SPEECH_RANGE = 40.0  # dB; frames further below the loudest are pauses (the range ESTOI uses)
ENVELOPE_RANGE = 80.0  # dB below their highest point at which envelopes are cut off
RESAMPLES = 2_000  # of the bootstrap
LEVEL = 0.95  # of its interval


def common(reference: Wave, estimate: Wave, slack: int) -> tuple[Wave, Wave]:
    """Cut two waves (T,) that begin together to their common length.

    Args:
        reference: the recording.
        estimate: the wave to be judged.
        slack: samples that the lengths may differ by, usually one mel hop.

    Raises:
        AudioError: the lengths differ by more than `slack`.
    """
    if abs(len(reference) - len(estimate)) > slack:
        raise AudioError(
            f"lengths: {len(estimate)} samples against {len(reference)} recorded, more than {slack} apart; "
            "compare waves of the same clip at the same rate"
        )
    samples = min(len(reference), len(estimate))
    return reference[:samples], estimate[:samples]


def si_snr(reference: Wave, estimate: Wave) -> float:
    """Scale-invariant signal-to-noise ratio in dB of two waves (T,) (arXiv 1711.00541, eq. 6 to 8; arXiv 1811.02508).

    Both are made zero-mean; the signal is the projection of the estimate on the reference, the noise what is left.
    Infinite where nothing is left.

    Raises:
        AudioError: lengths differ, or one of the waves is constant or not finite.
    """
    clean, heard = _pair(reference, estimate)
    clean, heard = clean - clean.mean(), heard - heard.mean()
    signal = clean * (heard @ clean) / (clean @ clean)
    noise = heard - signal
    with np.errstate(divide="ignore"):
        return float(10.0 * np.log10(np.divide(signal @ signal, noise @ noise)))


def pesq_wb(reference: Wave, estimate: Wave, rate: int) -> float:
    """Wide-band PESQ (ITU-T P.862.2) as mean opinion score, 1.04 to 4.64, of two waves (T,) brought to 16 kHz.

    Raises:
        AudioError: lengths differ, a wave is silent, or PESQ finds no utterance or less than a quarter of a second.
    """
    _pair(reference, estimate)
    try:
        return float(pesq(PESQ_RATE, resample(reference, rate, PESQ_RATE), resample(estimate, rate, PESQ_RATE), "wb"))
    except (PesqError, ValueError) as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        raise AudioError(f"PESQ-WB: {reason}; use a clip with at least a quarter of a second of speech") from error


def estoi(reference: Wave, estimate: Wave, rate: int) -> float:
    """Extended short-time objective intelligibility, at most 1, of two waves (T,) (Jensen and Taal 2016; at 10 kHz).

    Raises:
        AudioError: lengths differ, a wave is silent, or less than 0.4 seconds remain without pauses.
    """
    _pair(reference, estimate)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(stoi(reference, estimate, rate, extended=True))
        except (RuntimeWarning, ValueError) as error:
            raise AudioError("ESTOI: less than 0.4 s of speech without pauses; use a longer clip") from error


def mel_cepstral_distortion(reference: Wave, estimate: Wave, rate: int) -> float:
    """Mel-cepstral distortion in dB of two waves (T,): the mean over frames of 10/ln 10 · √(2 Σ_{m=1..24} Δc_m²).

    Kubichek 1993. Frames of 5 ms correspond one to one, without time warping. CheapTrick gives the envelopes of both
    waves, with the reference's pitch for both: so windows are the same, and what is measured is the envelope and not a
    pitch error. Frames in which the reference is 40 dB below its loudest frame are pauses and left out. Envelopes are
    cut off 80 dB below their highest point: in a recording of less bandwidth than its sample rate, rounding noise in
    the empty band would otherwise decide (17 dB instead of 2.6 for Griffin-Lim on festvox-ru). Level does not count.

    Raises:
        AudioError: lengths differ, or a wave is constant or not finite.
    """
    clean, heard = _pair(reference, estimate)
    f0, times = pitch(clean, rate)
    recorded = envelope(clean, f0, times, rate)
    power = recorded.mean(axis=1)
    spoken = power > power.max() * 10.0 ** (-SPEECH_RANGE / 10.0)
    depth = 10.0 ** (-ENVELOPE_RANGE / 10.0)
    target, cepstrum = (
        mel_cepstrum(np.maximum(found, found.max() * depth)[spoken], rate)
        for found in (recorded, envelope(heard, f0, times, rate))
    )
    squares = np.square(target - cepstrum)[:, 1:].sum(axis=1)
    return float(10.0 / np.log(10.0) * np.sqrt(2.0 * squares).mean())


def stft_distance(reference: Wave, estimate: Wave, rate: int) -> float:
    """Multi-resolution STFT distance of two waves (T,): spectral convergence + log magnitude, mean over resolutions.

    arXiv 1910.11480, eq. 4 to 6: ‖|S|−|Ŝ|‖/‖|S|‖ over the whole clip, plus the mean of |ln|S| − ln|Ŝ||. Sizes are in
    samples, as published for 24 kHz; `rate` only completes the signature. The same as auraloss's
    `MultiResolutionSTFTLoss` of (estimate, reference).

    Raises:
        AudioError: lengths differ, a wave is constant, not finite, or has 1 024 samples or fewer.
    """
    clean, heard = _pair(reference, estimate)
    if len(clean) <= RESOLUTIONS[0][0] // 2:
        raise AudioError(f"STFT distance: {len(clean)} samples; more than {RESOLUTIONS[0][0] // 2} are needed")
    total = 0.0
    for fft, hop, window in RESOLUTIONS:
        target, magnitude = _magnitude(clean, fft, hop, window), _magnitude(heard, fft, hop, window)
        convergence = np.linalg.norm(target - magnitude) / np.linalg.norm(target)
        total += float(convergence + np.abs(np.log(target) - np.log(magnitude)).mean())
    return total / len(RESOLUTIONS)


def mel_cepstrum(envelope: Array, rate: int) -> Array:
    """Mel-cepstrum (F, 25) of power envelopes (F, bins): ln|H(ω)| = Σ_m c_m cos(m ω̃) over the warped frequency ω̃.

    A true mel-cepstrum over the all-pass warping of Tokuda et al. 1994, c_m = (2 − δ_m0)/π ∫ ln|H(ω)| cos(m ω̃) dω̃, by
    the trapezoidal rule. `pyworld.code_spectral_envelope` is none: it takes the logarithm of the power over another mel
    scale, from 40 Hz up, and its coefficients come out √2 larger.
    """
    return np.asarray(0.5 * np.log(envelope) @ _warped_cosines(envelope.shape[1], rate))


@functools.lru_cache(maxsize=4)
def _warped_cosines(bins: int, rate: int) -> Array:
    """Quadrature matrix (bins, 25) of the integral in `mel_cepstrum`."""
    omega = np.linspace(0.0, np.pi, bins)
    alpha = warping(rate)
    slope = (1.0 - alpha**2) / (1.0 - 2.0 * alpha * np.cos(omega) + alpha**2)  # dω̃/dω
    step = np.full(bins, 1.0 / (bins - 1))
    step[[0, -1]] /= 2.0
    order = np.arange(CEPSTRUM_ORDER + 1)
    matrix = np.cos(np.outer(_warp(omega, alpha), order)) * (slope * step)[:, None]
    return np.asarray(matrix * np.where(order == 0, 1.0, 2.0))


@functools.lru_cache(maxsize=4)
def warping(rate: int) -> float:
    """All-pass constant α that warps a spectrum up to rate/2 Hz nearest, in least squares, to mel = ln(1 + f/1000)."""
    omega = np.linspace(0.0, np.pi, 1000)
    mel = np.log1p(omega / np.pi * rate / 2.0 / 1000.0)
    mel *= np.pi / mel[-1]
    candidates = np.arange(0.0, 1.0, 0.001)
    return float(min(candidates, key=lambda alpha: np.square(_warp(omega, alpha) - mel).sum()))


def _warp(omega: Array, alpha: float) -> Array:
    """Phase ω̃(ω) of the all-pass filter, both in radians."""
    return omega + 2.0 * np.arctan2(alpha * np.sin(omega), 1.0 - alpha * np.cos(omega))


def _magnitude(wave: Array, fft: int, hop: int, window: int) -> Array:
    """Floored STFT magnitudes (F, fft/2 + 1) of a wave (T,): centred frames, reflected edges, periodic Hann window."""
    side = (fft - window) // 2
    hann = np.pad(np.hanning(window + 1)[:-1], (side, fft - window - side))
    frames = sliding_window_view(np.pad(wave, fft // 2, mode="reflect"), fft)[::hop]
    spectrum = np.fft.rfft(frames * hann, axis=1)
    return np.asarray(np.sqrt(np.maximum(np.square(spectrum.real) + np.square(spectrum.imag), POWER_FLOOR)))


def _pair(reference: Wave, estimate: Wave) -> tuple[Array, Array]:
    """Both waves in double precision, once they can be compared."""
    if reference.ndim != 1 or reference.shape != estimate.shape:
        raise AudioError(f"shapes: {estimate.shape} against {reference.shape}; expected two waves (T,) of one length")
    for name, wave in (("recording", reference), ("estimate", estimate)):
        if not np.isfinite(wave).all():
            raise AudioError(f"{name}: holds NaN or Inf; expected finite samples")
        if wave.size == 0 or np.ptp(wave) == 0.0:
            raise AudioError(f"{name}: silent in all its {wave.size} samples; nothing to compare")
    return reference.astype(np.float64), estimate.astype(np.float64)


@dataclass(frozen=True)
class Metric:
    """One column of the report: its name, unit, function of (reference, estimate, rate in Hz), which way is better."""

    name: str
    unit: str  # empty for a score without one
    score: Callable[[Wave, Wave, int], float]
    higher_is_better: bool


METRICS = (
    Metric("PESQ-WB", "", pesq_wb, True),
    Metric("ESTOI", "", estoi, True),
    Metric("MCD", "dB", mel_cepstral_distortion, False),
    Metric("MR-STFT", "", stft_distance, False),
)


class Estimate(NamedTuple):
    """Mean of a metric over `clips` clips, and its bootstrap interval, which a single clip has not."""

    mean: float
    interval: tuple[float, float] | None
    clips: int


def estimated(scores: Sequence[float]) -> Estimate:
    """Mean of at least one score with its 95 % percentile bootstrap interval (Efron 1979), the same at every call."""
    values = np.asarray(scores, dtype=np.float64)
    if len(values) == 1:
        return Estimate(float(values[0]), None, 1)
    draw = np.random.default_rng(0)
    means = [values[draw.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    return Estimate(float(values.mean()), (float(low), float(high)), len(values))
