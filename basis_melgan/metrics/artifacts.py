"""Tonal artifacts and noise-floor rise: what a vocoder adds above 4 kHz in silence and in unvoiced sounds.

A small vocoder leaves stationary tones, and noise, between 4 kHz and the top of the band. Voiced speech masks them;
silence and unvoiced sounds do not. PESQ and the predictors of opinion scores hardly react to them.

The spectrum of a wave over such frames is the mean of their levels in dB, so that a loud moment counts by its duration
alone. The noise floor is the median of the spectrum over a kilohertz around each frequency; spectral lines are bins
10 dB above the floor. Noise-floor rise is the level of the estimate's floor above the recording's. Tonal artifacts
compare the power of lines with the noise in a kilohertz around them. Inaudible differences must not count, least of all
in pauses gated to digital silence: so white noise 70 dB below the recording is added to the power of every frame, of
both waves.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from basis_melgan.audio.arrays import Float64Array
from basis_melgan.audio.files import Wave
from basis_melgan.audio.stft import stft_magnitude
from basis_melgan.errors import AudioError
from basis_melgan.metrics.waves import validate_pair
from basis_melgan.metrics.world import dio_pitch

LOWEST = 4_000.0  # Hz, lower end of the measured band
WINDOW, STEP = 0.05, 0.005  # seconds, of frames
UNVOICED_CORE = 0.01  # seconds on either side of a frame's middle that must be unvoiced; the window falls to half there
SPAN = 1_000.0  # Hz; about the width of the auditory filter at 9 kHz (Glasberg and Moore 1990)
LINE = 10.0  # dB over the floor; fainter lines are masked by the noise of the span around them
LINE_SKIRT = 3  # bins by which a Blackman window widens a line on either side
MASKING_NOISE = -70.0  # dB relative to the recording: below the threshold of hearing for speech at 65 dB SPL
BAND_LEVEL = -50.0  # dB relative to the recording, white noise: the band ends where the mean spectrum falls below it
PAUSE = -40.0  # dB relative to the loudest frame (the range ESTOI uses)
# Fraction of the power below 4 kHz from which a frame may be voiced (D4C Love Train, Morise 2016): pitch trackers
# bridge an unvoiced sound between two voiced ones.
VOICED_FRACTION = 0.85
MIN_POWER = 1e-30  # power per Hz, which makes the fraction of digital silence finite
MIN_FRAMES = 10  # a tenth of a second; noise over fewer frames looks like lines


class HighBandArtifacts(NamedTuple):
    """What an estimate adds to a recording above 4 kHz, in dB; negative where it removes something."""

    tonal_artifacts: float
    noise_floor_rise: float


class _Spectrum(NamedTuple):
    """Power per Hz (bins,), with lines and without."""

    power: Float64Array
    floor: Float64Array

    def lines(self) -> Float64Array:
        """Power per Hz (bins,) of lines alone."""
        is_line = self.power > self.floor * 10.0 ** (LINE / 10.0)
        is_near_line = np.convolve(is_line, np.ones(2 * LINE_SKIRT + 1), mode="same") > 0.0
        return np.where(is_near_line, np.maximum(self.power - self.floor, 0.0), 0.0)


def high_band_artifacts(reference: Wave, estimate: Wave, rate: int) -> HighBandArtifacts:
    """Lines and noise that an estimate (T,) adds to a recording (T,) above 4 kHz, in silent and unvoiced frames.

    Over the frames that are silent or unvoiced in the recording, S(f) is the geometric mean of the power per Hz, and
    the floor F(f) the median of S within 500 Hz of f. Lines L = S − F count where S is 10 dB above F. Of `reference`
    (r) and `estimate` (e), from 4 kHz to the top of the recording's own band:

        noise-floor rise = mean over f of 10 lg(F_e / F_r)
        tonal artifacts = 10 lg((1 + t_e) / (1 + t_r)),  t = ∫ L / max(F_e, F_r) df / 1 kHz

    So the recording scores 0 dB; noise that raises its floor by 6 dB everywhere scores a rise of 6 dB; and tonal
    artifacts of 10 dB are a tone with 9 times the power that the floor has in a kilohertz. Tones add up by power; those
    less than about 100 Hz apart are part of the floor. For random noise F is 2.5 dB below its mean power, which cancels
    in the rise. Level counts. The design is this project's: no standard measures this.

    Args:
        reference: the recording, full scale ±1.
        estimate: the wave to be scored, of the same length.
        rate: of both, in Hz.

    Raises:
        AudioError: lengths differ, a wave is constant or not finite, the recording has too few unvoiced frames, or its
            band ends before 5 kHz.
    """
    reference_wave, estimate_wave = validate_pair(reference, estimate)
    level = float(np.mean(np.square(reference_wave))) / (rate / 2.0)
    masking_noise = level * 10.0 ** (MASKING_NOISE / 10.0)
    frames = _power_frames(reference_wave, rate)
    unvoiced = _unvoiced_frames(frames, reference_wave, rate)
    bin_width = rate / _window_length(rate)
    band = slice(round(LOWEST / bin_width), _band_stop(frames, level * 10.0 ** (BAND_LEVEL / 10.0), bin_width))
    target = _spectrum(frames[unvoiced] + masking_noise, bin_width)
    output = _spectrum(_power_frames(estimate_wave, rate)[unvoiced] + masking_noise, bin_width)
    floor = np.maximum(target.floor, output.floor)[band]
    target_tones, output_tones = (
        1.0 + float((spectrum.lines()[band] / floor).sum()) * bin_width / SPAN for spectrum in (target, output)
    )
    return HighBandArtifacts(
        tonal_artifacts=float(10.0 * np.log10(output_tones / target_tones)),
        noise_floor_rise=float(10.0 * np.log10(output.floor / target.floor)[band].mean()),
    )


def _power_frames(wave: Float64Array, rate: int) -> Float64Array:
    """Power per Hz (F, bins) of the frames within a wave (T,); F is 0 where the wave is shorter than a frame."""
    size = _window_length(rate)
    if len(wave) < size:
        return np.empty((0, size // 2 + 1))
    # The side lobes of a Hann window would raise lines of their own out of the noise.
    window = np.blackman(size + 1)[:-1]
    magnitudes = stft_magnitude(wave, window, _hop(rate))
    return np.asarray(np.square(magnitudes) * 2.0 / (np.square(window).sum() * rate))


def _unvoiced_frames(frames: Float64Array, wave: Float64Array, rate: int) -> npt.NDArray[np.bool_]:
    """Mask (F,) of the frames of a recording (T,) that are silent, or unvoiced around their middle."""
    power = frames.sum(axis=1)
    silent = power <= power.max(initial=0.0) * 10.0 ** (PAUSE / 10.0)
    f0, times = dio_pitch(wave, rate)
    middles = (np.arange(len(frames)) * _hop(rate) + _window_length(rate) / 2.0) / rate
    has_pitch = np.interp(middles[:, None] + (-UNVOICED_CORE, 0.0, UNVOICED_CORE), times, f0).any(axis=1)
    voiced = has_pitch & (_low_band_fraction(frames, rate) > VOICED_FRACTION)
    unvoiced: npt.NDArray[np.bool_] = silent | ~voiced
    if unvoiced.sum() < MIN_FRAMES:
        raise AudioError(
            f"tonal artifacts: {unvoiced.sum()} of {len(unvoiced)} frames of the recording are silent or unvoiced, "
            f"{MIN_FRAMES} are needed; use a clip with a pause"
        )
    return unvoiced


def _low_band_fraction(frames: Float64Array, rate: int) -> Float64Array:
    """Fraction (F,) of the power from 100 to 7 900 Hz that lies below 4 kHz, of frames (F, bins)."""
    low, middle, high = (round(edge * _window_length(rate) / rate) for edge in (100.0, 4_000.0, 7_900.0))
    return np.asarray(frames[:, low:middle].sum(axis=1) / np.maximum(frames[:, low:high].sum(axis=1), MIN_POWER))


def _band_stop(frames: Float64Array, level: float, bin_width: float) -> int:
    """The bin after the last whose floor of the recording's mean spectrum is above a level (power per Hz)."""
    bins = np.flatnonzero(_noise_floor(frames.mean(axis=0), bin_width) > level)
    stop = int(bins[-1]) + 1 if bins.size else 0
    if stop * bin_width < LOWEST + SPAN:
        raise AudioError(
            f"tonal artifacts: the recording's band ends at {stop * bin_width:.0f} Hz; they are measured from "
            f"{LOWEST:.0f} Hz up, so use a recording with a band of at least {LOWEST + SPAN:.0f} Hz"
        )
    return stop


def _spectrum(frames: Float64Array, bin_width: float) -> _Spectrum:
    """Mean in dB over frames (F, bins), and its floor."""
    power = np.exp(np.log(frames).mean(axis=0))
    return _Spectrum(power, _noise_floor(power, bin_width))


def _noise_floor(power: Float64Array, bin_width: float) -> Float64Array:
    """Median (bins,) of a spectrum (bins,) over the span around each bin; reflected at both ends."""
    reach = round(SPAN / 2.0 / bin_width)
    return np.asarray(np.median(sliding_window_view(np.pad(power, reach, mode="reflect"), 2 * reach + 1), axis=1))


def _window_length(rate: int) -> int:
    return round(WINDOW * rate)


def _hop(rate: int) -> int:
    return round(STEP * rate)
