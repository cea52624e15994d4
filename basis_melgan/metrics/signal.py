"""Signal metrics against a recording: SI-SNR, PESQ-WB, STOI, ESTOI, multi-resolution STFT distance, mel L1.

Every metric is a pure function of (reference, estimate, rate): two waves (T,) of the same length, full scale ±1, at the
same sample rate in Hz. Sample n of one is compared with sample n of the other: nothing is shifted, warped or rescaled,
except where the metric's definition says so. `metrics.table.METRICS` lists the metrics that are reported.
"""

import warnings

import numpy as np
from pesq import PesqError, pesq
from pystoi import stoi as pystoi

from basis_melgan.audio.files import Wave, resample
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.audio.stft import center_frames, hann_window, stft_magnitude
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.errors import AudioError
from basis_melgan.metrics.waves import validate_pair

PESQ_RATE = 16_000  # Hz, of wide-band PESQ
RESOLUTIONS = ((2048, 240, 1200), (1024, 120, 600), (512, 50, 240))  # FFT, hop, window in samples (arXiv 1910.11480)
MAGNITUDE_FLOOR = 1e-4  # of STFT magnitudes, full scale ±1 (auraloss's floor of 1e-8 of their squares)


def trim_to_common_length(reference: Wave, estimate: Wave, slack: int) -> tuple[Wave, Wave]:
    """Trim two waves (T,) that begin together to their common length.

    Args:
        reference: the recording.
        estimate: the wave to be scored.
        slack: largest difference of the lengths in samples, usually one mel hop.

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

    Both are made zero-mean; the signal is the projection of the estimate on the reference, the noise is the remainder.
    Infinite where the remainder is zero.

    Raises:
        AudioError: lengths differ, or one of the waves is constant or not finite.
    """
    target, output = validate_pair(reference, estimate)
    target, output = target - target.mean(), output - output.mean()
    signal = target * (output @ target) / (target @ target)
    noise = output - signal
    with np.errstate(divide="ignore"):
        return float(10.0 * np.log10(np.divide(signal @ signal, noise @ noise)))


def pesq_wb(reference: Wave, estimate: Wave, rate: int) -> float:
    """Wide-band PESQ (ITU-T P.862.2) as mean opinion score, 1.04 to 4.64, of two waves (T,), resampled to 16 kHz.

    Raises:
        AudioError: lengths differ, a wave is silent, or PESQ finds no utterance or less than a quarter of a second.
    """
    validate_pair(reference, estimate)
    try:
        return float(pesq(PESQ_RATE, resample(reference, rate, PESQ_RATE), resample(estimate, rate, PESQ_RATE), "wb"))
    except (PesqError, ValueError) as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        raise AudioError(f"PESQ-WB: {reason}; use a clip with at least a quarter of a second of speech") from error


def stoi(reference: Wave, estimate: Wave, rate: int) -> float:
    """Short-time objective intelligibility, at most 1, of two waves (T,) (Taal et al. 2011; at 10 kHz).

    Raises:
        AudioError: lengths differ, a wave is silent, or less than 0.4 seconds remain without pauses.
    """
    return _intelligibility("STOI", reference, estimate, rate)


def estoi(reference: Wave, estimate: Wave, rate: int) -> float:
    """Extended short-time objective intelligibility, at most 1, of two waves (T,) (Jensen and Taal 2016; at 10 kHz).

    Raises:
        AudioError: lengths differ, a wave is silent, or less than 0.4 seconds remain without pauses.
    """
    return _intelligibility("ESTOI", reference, estimate, rate)


def _intelligibility(name: str, reference: Wave, estimate: Wave, rate: int) -> float:
    validate_pair(reference, estimate)
    state = np.random.get_state()
    np.random.seed(0)  # pystoi adds faint noise from the global generator
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", RuntimeWarning)
            return float(pystoi(reference, estimate, rate, extended=name == "ESTOI"))
    except (RuntimeWarning, ValueError) as error:
        raise AudioError(f"{name}: less than 0.4 s of speech without pauses; use a longer clip") from error
    finally:
        np.random.set_state(state)


def stft_distance(reference: Wave, estimate: Wave, rate: int) -> float:
    """Multi-resolution STFT distance of two waves (T,): spectral convergence + log magnitude, mean over resolutions.

    arXiv 1910.11480, eq. 4 to 6: ‖|S|−|Ŝ|‖/‖|S|‖ over the whole clip, plus the mean of |ln|S| − ln|Ŝ||. Sizes are in
    samples, as published for 24 kHz; `rate` only completes the signature. The same as auraloss's
    `MultiResolutionSTFTLoss` of (estimate, reference).

    Raises:
        AudioError: lengths differ, a wave is constant, not finite, or has 1 024 samples or fewer.
    """
    target, output = validate_pair(reference, estimate)
    if len(target) <= RESOLUTIONS[0][0] // 2:
        raise AudioError(f"STFT distance: {len(target)} samples; more than {RESOLUTIONS[0][0] // 2} are needed")
    total = 0.0
    for n_fft, hop, length in RESOLUTIONS:
        window = hann_window(length, np.float64)
        target_magnitude, magnitude = (
            np.maximum(stft_magnitude(center_frames(wave, length), window, hop, n_fft), MAGNITUDE_FLOOR)
            for wave in (target, output)
        )
        convergence = np.linalg.norm(target_magnitude - magnitude) / np.linalg.norm(target_magnitude)
        total += float(convergence + np.abs(np.log(target_magnitude) - np.log(magnitude)).mean())
    return total / len(RESOLUTIONS)


def mel_l1(reference: Wave, estimate: Wave, rate: int) -> float:
    """Mean |ln mel − ln mel̂| of two waves (T,) over frames and bands of BigVGAN's mel: 100 bands up to 12 kHz.

    The distance that HiFi-GAN (arXiv 2010.05646, eq. 3) and BigVGAN (arXiv 2206.04658) train on and report; magnitudes
    below 1e-5 count as 1e-5.

    Raises:
        AudioError: lengths differ, or a wave is constant or not finite.
        MelError: the wave is too short for one frame.
    """
    validate_pair(reference, estimate)
    frames = FrameGeometry(sample_rate=rate)
    target, mel = (mel_spectrogram(wave, "bigvgan", frames) for wave in (reference, estimate))
    return float(np.abs(target - mel).mean(dtype=np.float64))
