"""Mel-cepstral distortion: the distance of the spectral envelopes of two waves."""

import functools

import numpy as np

from basis_melgan.audio.arrays import Float64Array
from basis_melgan.audio.files import Wave
from basis_melgan.metrics.waves import validate_pair
from basis_melgan.metrics.world import dio_pitch, spectral_envelope

CEPSTRUM_ORDER = 24  # coefficients c1 … c24; c0, the level, is left out
SPEECH_RANGE = 40.0  # dB; frames further below the loudest are pauses (the range ESTOI uses)
ENVELOPE_RANGE = 80.0  # dB below their highest point at which envelopes are clipped


def mel_cepstral_distortion(reference: Wave, estimate: Wave, rate: int) -> float:
    """Mel-cepstral distortion in dB of two waves (T,): the mean over frames of 10/ln 10 · √(2 Σ_{m=1..24} Δc_m²).

    Kubichek 1993. Frames of 5 ms correspond one to one, without time warping. CheapTrick computes the envelopes of both
    waves at the reference's pitch, so that their windows are the same and pitch errors do not count. Pitch is
    interpolated linearly over unvoiced frames, so that voicing decisions do not matter: Harvest's pitch and DIO's give
    the same distortion within 0.03 dB, otherwise 0.2 dB (means over 16 validation clips, three systems). Frames in
    which the reference is 40 dB below its loudest frame are pauses and left out. Envelopes are clipped 80 dB below
    their highest point: in a recording of less bandwidth than its sample rate, rounding noise in the empty band would
    dominate otherwise (17 dB instead of 2.6 for Griffin-Lim on festvox-ru). Level does not count.

    Raises:
        AudioError: lengths differ, or a wave is constant or not finite.
    """
    reference_wave, estimate_wave = validate_pair(reference, estimate)
    f0, times = dio_pitch(reference_wave, rate)
    voiced = np.flatnonzero(f0)
    f0 = np.interp(np.arange(len(f0)), voiced, f0[voiced]) if voiced.size else f0
    reference_envelope = spectral_envelope(reference_wave, f0, times, rate)
    power = reference_envelope.mean(axis=1)
    is_speech = power > power.max() * 10.0 ** (-SPEECH_RANGE / 10.0)
    floor = 10.0 ** (-ENVELOPE_RANGE / 10.0)
    target, cepstrum = (
        mel_cepstrum(np.maximum(envelope, envelope.max() * floor)[is_speech], rate)
        for envelope in (reference_envelope, spectral_envelope(estimate_wave, f0, times, rate))
    )
    squares = np.square(target - cepstrum)[:, 1:].sum(axis=1)
    return float(10.0 / np.log(10.0) * np.sqrt(2.0 * squares).mean())


def mel_cepstrum(envelope: Float64Array, rate: int) -> Float64Array:
    """Mel-cepstrum (F, 25) of power envelopes (F, bins): ln|H(ω)| = Σ_m c_m cos(m ω̃) over the warped frequency ω̃.

    A true mel-cepstrum over the all-pass warping of Tokuda et al. 1994, c_m = (2 − δ_m0)/π ∫ ln|H(ω)| cos(m ω̃) dω̃, by
    the trapezoidal rule. `pyworld.code_spectral_envelope` is not: it takes the logarithm of the power over another mel
    scale, from 40 Hz up, and its coefficients are √2 larger.
    """
    return np.asarray(0.5 * np.log(envelope) @ _warped_cosines(envelope.shape[1], rate))


@functools.lru_cache(maxsize=4)
def _warped_cosines(bins: int, rate: int) -> Float64Array:
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


def _warp(omega: Float64Array, alpha: float) -> Float64Array:
    """Phase ω̃(ω) of the all-pass filter, both in radians."""
    return omega + 2.0 * np.arctan2(alpha * np.sin(omega), 1.0 - alpha * np.cos(omega))
