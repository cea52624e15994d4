"""Baselines without learning: Griffin-Lim, which reads the same mel spectrogram, and the WORLD vocoder."""

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.audio.files import Wave
from basis_melgan.audio.mel import MelConfig, mel_config, mel_filterbank, mel_to_magnitude
from basis_melgan.audio.stft import hann_window, stft
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.errors import AudioError, MelError
from basis_melgan.metrics.world import harvest_pitch, pyworld, spectral_envelope

Spectrum = npt.NDArray[np.complex64]

ITERATIONS = 60  # default of Griffin-Lim
MAGNITUDE_FLOOR = 1e-10  # the pseudo-inverse also gives negative values
MIN_WINDOW_POWER = 1e-3  # sum of squared windows below which a sample counts as outside all windows


def griffin_lim(
    mel: Float32Array, name: str, frames: FrameGeometry, iterations: int = ITERATIONS, seed: int = 0
) -> Wave:
    """Synthesize a mel spectrogram by Griffin-Lim (Griffin and Lim 1984, LSEE-MSTFTM), without momentum.

    Magnitudes are the pseudo-inverse of the filterbank, clipped to positive values. Starting from random phases, the
    inverse and the forward STFT alternate `iterations` times. De-emphasis follows.

    Args:
        mel: mel spectrogram (M, F).
        name: its mel config, a key of `basis_melgan.audio.mel.MEL_CONFIGS`.
        frames: hop in samples and sample rate in Hz.
        iterations: 0 keeps the random phases.
        seed: of the random phases.

    Returns:
        The wave (F·hop,); mel frame f begins at sample f·hop.

    Raises:
        MelError: the mel does not fit the mel config or has no frame, or the hop exceeds half the window.
    """
    config = mel_config(name)
    if mel.ndim != 2 or mel.shape[1] == 0:
        raise MelError(f"mel: shape {mel.shape}; expected ({config.bands}, F) with at least one frame")
    if frames.hop > config.window // 2:
        raise MelError(
            f"mel: frames.hop {frames.hop} exceeds half of {name}'s window, {config.window}; use a shorter hop"
        )
    inverse = np.linalg.pinv(mel_filterbank(name, frames.sample_rate))
    magnitude = np.maximum(inverse @ mel_to_magnitude(mel, name), MAGNITUDE_FLOOR).T
    cycles = np.random.default_rng(seed).random(magnitude.shape, dtype=np.float32)
    spectrum = magnitude * np.exp(2j * np.pi * cycles).astype(np.complex64)
    for _ in range(iterations):
        consistent = _stft(_istft(spectrum, config, frames.hop), config, frames.hop)
        spectrum = magnitude * consistent / np.maximum(np.abs(consistent), MAGNITUDE_FLOOR)
    left_pad = config.window // 2 if config.centered else (config.window - frames.hop) // 2
    wave = _istft(spectrum, config, frames.hop)[left_pad : left_pad + frames.samples(mel.shape[1])]
    return _deemphasis(wave, config.preemphasis)


def world(wave: Wave, rate: int) -> Wave:
    """Analyze and resynthesize a wave (T,) by WORLD (Morise 2016): Harvest, CheapTrick and D4C.

    DIO is faster than Harvest, but classifies a tenth more of the frames as unvoiced, which costs 0.25 PESQ.

    Raises:
        AudioError: the wave is empty or not finite.
    """
    if wave.size == 0 or not np.isfinite(wave).all():
        raise AudioError(f"wave: {wave.size} samples, empty or not finite; WORLD needs a finite wave")
    samples = wave.astype(np.float64)
    f0, times = harvest_pitch(samples, rate)
    aperiodicity = pyworld.d4c(samples, f0, times, rate)
    synthesis = pyworld.synthesize(f0, spectral_envelope(samples, f0, times, rate), aperiodicity, rate)[: wave.size]
    return np.pad(synthesis, (0, wave.size - synthesis.size)).astype(np.float32)


def _stft(wave: Float32Array, config: MelConfig, hop: int) -> Spectrum:
    """Spectra (F, bins) of all windows within a wave (T,).

    Windows start at sample 0 of the FFT; the phase shift against a centered window is the same in `_istft`.
    """
    return np.asarray(stft(wave, hann_window(config.window), hop, config.n_fft), np.complex64)


def _istft(spectrum: Spectrum, config: MelConfig, hop: int) -> Float32Array:
    """Least-squares inverse ((F − 1)·hop + window,) of spectra (F, bins) (eq. 6 of Griffin and Lim 1984)."""
    window = hann_window(config.window)
    segments = np.asarray(np.fft.irfft(spectrum, config.n_fft, axis=1), np.float32)[:, : config.window]
    power = _overlap_add(np.broadcast_to(np.square(window), segments.shape), hop)
    return np.divide(_overlap_add(segments * window, hop), np.maximum(power, MIN_WINDOW_POWER), dtype=np.float32)


def _overlap_add(segments: Float32Array, hop: int) -> Float32Array:
    """Overlap-add segments (F, window), one every `hop` samples, to a wave ((F − 1)·hop + window,)."""
    count, window = segments.shape
    blocks = -(-window // hop)
    padded = np.pad(segments, ((0, 0), (0, blocks * hop - window))).reshape(count, blocks, hop)
    total = np.zeros((count + blocks - 1, hop), dtype=np.float32)
    for block in range(blocks):
        total[block : block + count] += padded[:, block]
    return total.reshape(-1)[: (count - 1) * hop + window]


def _deemphasis(wave: Float32Array, factor: float) -> Wave:
    """Invert the pre-emphasis x[t] − factor·x[t−1] of a wave (T,).

    Vectorized by doubling: 1/(1 − az⁻¹) is the product of 1 + (az⁻¹)^(2^i) over i = 0, 1, ….
    """
    result, lag, power = wave.astype(np.float64), 1, factor
    while power > 1e-12 and lag < len(result):
        result[lag:] += power * result[:-lag]
        lag, power = 2 * lag, power * power
    return result.astype(np.float32)
