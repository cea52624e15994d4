"""What a vocoder has to beat: Griffin-Lim, which knows the same mel and learns nothing, and the WORLD vocoder."""

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.files import Wave
from basis_melgan.audio.mel import MelConfig, mel_config, mel_filterbank, mel_to_magnitude
from basis_melgan.audio.stft import hann_window, stft
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.errors import AudioError, MelError
from basis_melgan.metrics.world import harvest_pitch, pyworld, spectral_envelope

Array = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex64]

ITERATIONS = 60  # of Griffin-Lim, where nothing else is said
MAGNITUDE_FLOOR = 1e-10  # the pseudo-inverse undershoots; a magnitude cannot
EMPTY = 1e-3  # overlap of squared windows below which a sample counts as outside every window


def griffin_lim(mel: Array, name: str, frames: FrameGeometry, iterations: int = ITERATIONS, seed: int = 0) -> Wave:
    """Wave from a mel alone by Griffin-Lim (Griffin and Lim 1984, LSEE-MSTFTM), without momentum.

    The plain textbook form: pseudo-inverse of the filterbank clipped to positive magnitudes, random phases, then
    `iterations` times the inverse and the forward STFT; pre-emphasis is undone at the end.

    Args:
        mel: mel spectrogram (M, F).
        name: its convention, a key of `basis_melgan.audio.mel.MEL_CONFIGS`.
        frames: gives the hop in samples and the sample rate in Hz.
        iterations: 0 leaves the phases random.
        seed: of the first phases; the same seed gives the same wave.

    Returns:
        The wave (F·hop,); sample f·hop is the first of mel frame f.

    Raises:
        MelError: the mel does not fit the convention, has no frame, or the hop exceeds half the convention's window.
    """
    kind = mel_config(name)
    if mel.ndim != 2 or mel.shape[1] == 0:
        raise MelError(f"mel: shape {mel.shape}; expected ({kind.bands}, F) with at least one frame")
    if frames.hop > kind.window // 2:
        raise MelError(
            f"mel: frames.hop {frames.hop} is more than half of {name}'s window, {kind.window}; use a shorter hop"
        )
    inverse = np.linalg.pinv(mel_filterbank(name, frames.sample_rate))
    magnitude = np.maximum(inverse @ mel_to_magnitude(mel, name), MAGNITUDE_FLOOR).T
    turns = np.random.default_rng(seed).random(magnitude.shape, dtype=np.float32)
    spectrum = magnitude * np.exp(2j * np.pi * turns).astype(np.complex64)
    for _ in range(iterations):
        found = _stft(_istft(spectrum, kind, frames.hop), kind, frames.hop)
        spectrum = magnitude * found / np.maximum(np.abs(found), MAGNITUDE_FLOOR)
    lead = kind.window // 2 if kind.centered else (kind.window - frames.hop) // 2
    wave = _istft(spectrum, kind, frames.hop)[lead : lead + frames.samples(mel.shape[1])]
    return _deemphasis(wave, kind.preemphasis)


def world(wave: Wave, rate: int) -> Wave:
    """Take a wave (T,) apart and put it together again, to T samples, by WORLD: Harvest, CheapTrick, D4C (Morise 2016).

    Harvest and not the faster DIO, which calls a tenth more of the frames unvoiced and costs a quarter point of PESQ.

    Raises:
        AudioError: the wave is empty or not finite.
    """
    if wave.size == 0 or not np.isfinite(wave).all():
        raise AudioError(f"wave: {wave.size} samples, not all of them finite, or none; WORLD needs a finite wave")
    sound = wave.astype(np.float64)
    f0, times = harvest_pitch(sound, rate)
    aperiodicity = pyworld.d4c(sound, f0, times, rate)
    spoken = pyworld.synthesize(f0, spectral_envelope(sound, f0, times, rate), aperiodicity, rate)[: wave.size]
    return np.pad(spoken, (0, wave.size - spoken.size)).astype(np.float32)


def _stft(wave: Array, kind: MelConfig, hop: int) -> Spectrum:
    """Spectra (F, bins) of all windows that lie within a wave (T,).

    Windows start at sample 0 of the FFT: that turns every phase the same way in `_istft`, and no magnitude.
    """
    return np.asarray(stft(wave, hann_window(kind.window), hop, kind.n_fft), np.complex64)


def _istft(spectrum: Spectrum, kind: MelConfig, hop: int) -> Array:
    """Wave ((F − 1)·hop + window,) whose STFT is nearest to spectra (F, bins) in least squares (eq. 6 of the paper)."""
    window = hann_window(kind.window)
    pieces = np.asarray(np.fft.irfft(spectrum, kind.n_fft, axis=1), np.float32)[:, : kind.window]
    weight = _overlap_add(np.broadcast_to(np.square(window), pieces.shape), hop)
    return np.divide(_overlap_add(pieces * window, hop), np.maximum(weight, EMPTY), dtype=np.float32)


def _overlap_add(pieces: Array, hop: int) -> Array:
    """Sum (F, window) pieces that begin `hop` samples after one another to ((F − 1)·hop + window,)."""
    count, window = pieces.shape
    blocks = -(-window // hop)
    padded = np.pad(pieces, ((0, 0), (0, blocks * hop - window))).reshape(count, blocks, hop)
    total = np.zeros((count + blocks - 1, hop), dtype=np.float32)
    for block in range(blocks):
        total[block : block + count] += padded[:, block]
    return total.reshape(-1)[: (count - 1) * hop + window]


def _deemphasis(wave: Array, factor: float) -> Wave:
    """Undo x[t] − factor·x[t−1] over a wave (T,) by doubling: 1/(1 − az⁻¹) is the product of all 1 + (az⁻¹)^(2^i)."""
    result, lag, power = wave.astype(np.float64), 1, factor
    while power > 1e-12 and lag < len(result):
        result[lag:] += power * result[:-lag]
        lag, power = 2 * lag, power * power
    return result.astype(np.float32)
