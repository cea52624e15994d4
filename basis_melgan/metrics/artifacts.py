"""Whistle and buzz: what a vocoder adds in the top of the band where nobody speaks, or speaks without voice.

A small vocoder leaves tones that stay where they are, and noise, between 4 kHz and the top of the band. Voiced speech
covers them; silence and unvoiced sounds do not. PESQ and the predictors of opinion scores hardly notice.

The spectrum of a wave over such frames is the mean of their levels in dB: a loud moment counts no more than it lasts.
Its floor is its median over a kilohertz around each frequency, and lines are what stands 10 dB out of the floor. Buzz
is how far the floor of the estimate lies above the recording's; whistle is how much more its lines add to the noise of
a kilohertz around them. What nobody can hear is not to count, least of all against a pause gated to digital silence:
so white noise 70 dB below the recording is added to the power of every frame, of both waves.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from basis_melgan.audio.files import Wave
from basis_melgan.errors import AudioError
from basis_melgan.metrics.waves import Array, validate_pair
from basis_melgan.metrics.world import dio_pitch

BOTTOM = 4_000.0  # Hz; of what is looked at
WINDOW, STEP = 0.05, 0.005  # seconds, of frames
CORE = 0.01  # seconds to either side of a frame's middle that have to be unvoiced; a window there is down to a half
SPAN = 1_000.0  # Hz; about the width of the ear's filter at 9 kHz (Glasberg and Moore 1990)
LINE = 10.0  # dB over the floor; fainter lines drown in the noise of the span around them
SKIRT = 3  # bins that a Blackman window widens a line to either side
HUSH = -70.0  # dB over the recording: speech at 65 dB SPL puts it below the threshold of hearing
BAND = -50.0  # dB over the recording, white noise: where its mean spectrum falls below, its band has ended
PAUSE = -40.0  # dB over the loudest frame (the range ESTOI uses)
VOICED = 0.85  # share of the power below 4 kHz from which a frame may be voiced (D4C Love Train, Morise 2016): pitch
# trackers bridge an unvoiced sound between two voiced ones
TINY = 1e-30  # power per Hz, so that digital silence has a share too
FEWEST = 10  # frames, a tenth of a second; the fewer, the more noise looks like lines


class HighBandArtifacts(NamedTuple):
    """What an estimate adds to a recording, in dB; below 0 where it takes something away."""

    tonal_artifacts: float
    noise_floor_rise: float


class _Spectrum(NamedTuple):
    """Power per Hz, by frequency: of everything, and of everything but lines."""

    whole: Array
    floor: Array

    def lines(self) -> Array:
        """Power per Hz of lines."""
        out = self.whole > self.floor * 10.0 ** (LINE / 10.0)
        near = np.convolve(out, np.ones(2 * SKIRT + 1), mode="same") > 0.0
        return np.where(near, np.maximum(self.whole - self.floor, 0.0), 0.0)


def high_band_artifacts(reference: Wave, estimate: Wave, rate: int) -> HighBandArtifacts:
    """Lines and noise that an estimate (T,) has above a recording (T,), from 4 kHz up, in silence and unvoiced frames.

    Over the frames that are silent or unvoiced in the recording, S(f) is the geometric mean of the power per Hz, and
    the floor F(f) the median of S within 500 Hz of f. Lines L = S − F count where S is 10 dB above F. Of `reference`
    (r) and `estimate` (e), from 4 kHz to the top of the recording's own band:

        buzz = mean over f of 10 lg(F_e / F_r)
        whistle = 10 lg((1 + t_e) / (1 + t_r)),  t = ∫ L / max(F_e, F_r) df / 1 kHz

    So 0 dB is the recording; noise that raises its floor by 6 dB everywhere is 6 dB of buzz; and 10 dB of whistle is a
    tone with 9 times the power that the floor has in a kilohertz. Tones add up by power; those less than about 100 Hz
    apart are part of the floor. For random noise F is 2.5 dB below its mean power, which drops out of the buzz. Level
    counts. The design is ours: no standard measures this.

    Args:
        reference: the recording, full scale ±1.
        estimate: the wave to be judged, of the same length.
        rate: of both, in Hz.

    Raises:
        AudioError: lengths differ, a wave is constant or not finite, the recording has next to no frame without voice,
            or its band ends before 5 kHz.
    """
    clean, heard = validate_pair(reference, estimate)
    level = float(np.mean(np.square(clean))) / (rate / 2.0)
    hush = level * 10.0 ** (HUSH / 10.0)
    frames = _frames(clean, rate)
    quiet = _quiet(frames, clean, rate)
    width = rate / _window(rate)
    band = slice(round(BOTTOM / width), _top(frames, level * 10.0 ** (BAND / 10.0), width))
    recorded, found = (_spectrum(each[quiet] + hush, width) for each in (frames, _frames(heard, rate)))
    louder = np.maximum(recorded.floor, found.floor)
    tones = [1.0 + float((each.lines() / louder)[band].sum()) * width / SPAN for each in (found, recorded)]
    return HighBandArtifacts(
        tonal_artifacts=float(10.0 * np.log10(tones[0] / tones[1])),
        noise_floor_rise=float(10.0 * np.log10(found.floor / recorded.floor)[band].mean()),
    )


def _frames(wave: Array, rate: int) -> Array:
    """Power per Hz (F, bins) of the frames that lie within a wave (T,); none where it is shorter than a frame."""
    size = _window(rate)
    if len(wave) < size:
        return np.empty((0, size // 2 + 1))
    # The side lobes of a Hann window would be lines' own noise.
    window = np.blackman(size + 1)[:-1]
    spectra = np.fft.rfft(sliding_window_view(wave, size)[:: _step(rate)] * window, axis=1)
    return np.asarray(np.square(np.abs(spectra)) * 2.0 / (np.square(window).sum() * rate))


def _quiet(frames: Array, wave: Array, rate: int) -> npt.NDArray[np.bool_]:
    """Which frames (F,) of a recording (T,) are silent, or unvoiced around their middle."""
    power = frames.sum(axis=1)
    silent = power <= power.max(initial=0.0) * 10.0 ** (PAUSE / 10.0)
    f0, times = dio_pitch(wave, rate)
    middles = (np.arange(len(frames)) * _step(rate) + _window(rate) / 2.0) / rate
    voiced = np.interp(middles[:, None] + (-CORE, 0.0, CORE), times, f0).any(axis=1) & (
        _low_share(frames, rate) > VOICED
    )
    quiet: npt.NDArray[np.bool_] = silent | ~voiced
    if quiet.sum() < FEWEST:
        raise AudioError(
            f"tonal artifacts: {quiet.sum()} of {len(quiet)} frames of the recording are silent or unvoiced, "
            f"{FEWEST} are needed; use a clip with a pause"
        )
    return quiet


def _low_share(frames: Array, rate: int) -> Array:
    """Share (F,) of the power from 100 to 7 900 Hz that lies below 4 kHz, in frames (F, bins)."""
    low, middle, high = (round(edge * _window(rate) / rate) for edge in (100.0, 4_000.0, 7_900.0))
    return np.asarray(frames[:, low:middle].sum(axis=1) / np.maximum(frames[:, low:high].sum(axis=1), TINY))


def _top(frames: Array, level: float, width: float) -> int:
    """One beyond the last bin of a recording's band, in which its mean spectrum is above a level (power per Hz)."""
    inside = np.flatnonzero(_floor(frames.mean(axis=0), width) > level)
    top = int(inside[-1]) + 1 if inside.size else 0
    if top * width < BOTTOM + SPAN:
        raise AudioError(
            f"tonal artifacts: the recording's band ends at {top * width:.0f} Hz; they are measured from "
            f"{BOTTOM:.0f} Hz up, so use a recording with a band of at least {BOTTOM + SPAN:.0f} Hz"
        )
    return top


def _spectrum(frames: Array, width: float) -> _Spectrum:
    """Mean in dB over frames (F, bins), and its floor."""
    whole = np.exp(np.log(frames).mean(axis=0))
    return _Spectrum(whole, _floor(whole, width))


def _floor(spectrum: Array, width: float) -> Array:
    """Median (bins,) of a spectrum (bins,) over the span around each bin; mirrored at both ends."""
    reach = round(SPAN / 2.0 / width)
    return np.asarray(np.median(sliding_window_view(np.pad(spectrum, reach, mode="reflect"), 2 * reach + 1), axis=1))


def _window(rate: int) -> int:
    return round(WINDOW * rate)


def _step(rate: int) -> int:
    return round(STEP * rate)
