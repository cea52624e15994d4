"""The mel spectrogram of data, loss targets and inference: one function for four mel configs, in NumPy alone.

Common to all four: a periodic Hann window centered in the FFT, magnitudes (not powers), reflection at both ends of the
wave. The hop and the sample rate are settings (`FrameGeometry`); everything else is specific to each project and is not
scaled to other rates. `hifigan`, `bigvgan` and `vocos` models are trained at hop 256: at another hop their mels have
the same bands and levels at another frame rate.

Alignment: in a centered mel config the window of frame f is centered on sample f·hop, the first sample of its
[f·hop, (f+1)·hop), and T samples give 1 + T // hop frames. In an uncentered one it is centered on f·hop + hop/2, the
middle of its samples, and T samples give T // hop frames.
"""

import itertools
import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.arrays import Float32Array, Float64Array
from basis_melgan.audio.stft import hann_window, stft_magnitude
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.errors import MelError

# FFT points per block of frames, so that a block's windows and spectrum (1 MB) stay in the processor's cache.
_BLOCK = 1 << 17


class Decibels(NamedTuple):
    """Levels in dB over a reference, scaled so that `floor` becomes 0 and the reference becomes 1."""

    reference: float  # dB
    floor: float  # dB over the reference, negative


@dataclass(frozen=True)
class MelConfig:
    """Definition of a project's mel spectrogram."""

    bands: int  # M
    n_fft: int  # samples
    window: int  # samples, centered in the FFT
    fmin: float  # Hz, lower end of the lowest band
    fmax: float | None  # Hz, upper end of the highest band; None is half the sample rate
    scale: Literal["slaney", "htk"]  # of pitch: linear below 1 kHz and logarithmic above, or logarithmic of 1 + f/700
    equal_area: bool  # triangles of area 1 Hz (Slaney's norm) instead of height 1
    centered: bool
    minimum: float  # mel magnitudes are raised to it before the logarithm
    energy_offset: float = 0.0  # added to squared magnitudes before the square root
    preemphasis: float = 0.0  # a in x[t] − a·x[t−1]
    decibels: Decibels | None = None  # None is the natural logarithm, unscaled


# xcmyz/FastVocoder: hparams.py (num_freq 1025, 50 ms, 80 bands, fmin 40, preemphasis 0.97, −100 and 20 dB) and
# data/audio.py (librosa.filters.mel and librosa.stft by default: Slaney, centered; 20·log10(max(1e-5, mel)), clipped to
# [0, 1]). It calls filters.mel by position, hence librosa < 0.10, whose stft reflects (later ones pad with zeros).
_PAPER = MelConfig(
    bands=80,
    n_fft=2048,
    window=1200,
    fmin=40.0,
    fmax=None,
    scale="slaney",
    equal_area=True,
    centered=True,
    minimum=1e-5,
    preemphasis=0.97,
    decibels=Decibels(reference=20.0, floor=-100.0),
)
# jik876/hifi-gan: meldataset.py (padding (n_fft − hop)/2, sqrt(power + 1e-9), ln(max(1e-5, mel)), librosa's default
# filters) and config_v1.json (n_fft 1024, window 1024, 80 bands, 0 to 8000 Hz; for 22.05 kHz, none is for 24).
_HIFIGAN = MelConfig(
    bands=80,
    n_fft=1024,
    window=1024,
    fmin=0.0,
    fmax=8000.0,
    scale="slaney",
    equal_area=True,
    centered=False,
    minimum=1e-5,
    energy_offset=1e-9,
)
# NVIDIA/BigVGAN: meldataset.py (HiFi-GAN's formula) and configs/bigvgan_v2_24khz_100band_256x.json (fmax null).
_BIGVGAN = replace(_HIFIGAN, bands=100, fmax=None)
# gemelo-ai/vocos: vocos/feature_extractors.py and configs/vocos.yaml (n_fft 1024, 100 bands, padding center),
# vocos/modules.py (ln(max(1e-7, mel))); the rest is torchaudio.transforms.MelSpectrogram's default (htk, no norm).
_VOCOS = replace(_BIGVGAN, scale="htk", equal_area=False, centered=True, minimum=1e-7, energy_offset=0.0)

MEL_CONFIGS = {"paper": _PAPER, "hifigan": _HIFIGAN, "bigvgan": _BIGVGAN, "vocos": _VOCOS}


def mel_config(name: str) -> MelConfig:
    """The mel config called `name`.

    Raises:
        MelError: there is none; the message names the known ones.
    """
    if name not in MEL_CONFIGS:
        raise MelError(f"mel: unknown mel config {name!r}; use one of {', '.join(MEL_CONFIGS)}")
    return MEL_CONFIGS[name]


def mel_spectrogram(wave: Float32Array, name: str, frames: FrameGeometry) -> Float32Array:
    """Mel spectrogram of a wave.

    A wave too short to be reflected by half a window is padded with zeros. Memory beyond the wave and its mel
    is bounded, however long the wave.

    Args:
        wave: (T,) or (B, T), floats with full scale ±1.
        name: a key of `MEL_CONFIGS`.
        frames: gives the hop (samples) and the sample rate (Hz).

    Returns:
        mel (M, F) or (B, M, F), float32; F is `frame_count(T, name, frames)`.

    Raises:
        MelError: the wave is empty, shorter than one frame, not finite, not of floats or neither (T,) nor (B, T);
            the mel config is unknown or does not fit the hop or the sample rate.
    """
    kind = mel_config(name)
    wave = _validate_wave(wave)
    samples = wave.shape[-1]
    count = frame_count(samples, name, frames)
    groups = _filter_groups(name, frames.sample_rate)
    rows = wave.reshape(-1, samples)
    shortage = kind.window // 2 + 1 - samples  # reflecting n samples takes n + 1
    if shortage > 0:
        rows = np.pad(rows, ((0, 0), (0, shortage)))
    step = _BLOCK // kind.n_fft
    mel = np.empty((len(rows), kind.bands, count), dtype=np.float32)
    for row, output in zip(rows, mel, strict=True):
        for first in range(0, count, step):
            block = output[:, first : first + step]
            magnitudes = _magnitudes(row, first, block.shape[1], kind, frames.hop)
            for bands, bins, filters in groups:
                block[bands] = (magnitudes[:, bins] @ filters.T).T
            block[:] = _compress(block, kind)
    return mel.reshape(*wave.shape[:-1], kind.bands, count)


def mel_to_magnitude(mel: Float32Array, name: str) -> Float32Array:
    """Mel magnitudes filterbank · |STFT| of a mel (…, M, F), in the same shape: without logarithm and scaling.

    Exact up to rounding where the mel was not clipped; a clipped value gives the limit it was clipped to.

    Raises:
        MelError: the mel config is unknown, or the mel has other bands or a value that is not finite.
    """
    kind = mel_config(name)
    if mel.ndim not in (2, 3) or mel.shape[-2] != kind.bands:
        raise MelError(f"mel: shape {mel.shape}; {name} mels are ({kind.bands}, F) or (B, {kind.bands}, F)")
    if not np.isfinite(mel).all():
        raise MelError("mel: holds NaN or infinite values; compute it again from a recording")
    level: Float32Array = np.asarray(mel, dtype=np.float32)
    if kind.decibels is not None:
        decibels = (1.0 - np.clip(level, 0.0, 1.0)) * kind.decibels.floor + kind.decibels.reference
        level = decibels * np.float32(math.log(10.0) / 20.0)
    return np.asarray(np.exp(level))


def spectrum_from_mel(name: str, sample_rate: int, frequencies: Float64Array) -> tuple[Float32Array, Float32Array]:
    """Matrix (N, M) and offset (N,) by which ``matrix @ mel + offset`` is ln|X| of the wave at frequencies (N,) in Hz.

    A band's mel less the logarithm of its filter's sum is the mean magnitude there. Between the bands' centers it is
    interpolated in frequency, beyond the outermost it is constant; pre-emphasis is undone. |X| is the magnitude of an
    STFT with the mel config's window.

    Raises:
        MelError: the mel config is unknown, or its bands reach beyond half the sample rate.
    """
    kind, bank = mel_config(name), mel_filterbank(name, sample_rate).astype(np.float64)
    centers = bank.argmax(axis=1) * sample_rate / kind.n_fft
    matrix = np.stack([np.interp(frequencies, centers, band) for band in np.eye(kind.bands)], axis=1)
    offset = -matrix @ np.log(bank.sum(axis=1))
    if kind.decibels is not None:
        per_decibel = math.log(10.0) / 20.0
        offset += (kind.decibels.reference + kind.decibels.floor) * per_decibel
        matrix *= -kind.decibels.floor * per_decibel
    turns = frequencies / sample_rate
    offset -= np.log(np.abs(1.0 - kind.preemphasis * np.exp(-2j * np.pi * turns)))
    return matrix.astype(np.float32), offset.astype(np.float32)


def frame_count(samples: int, name: str, frames: FrameGeometry) -> int:
    """Mel frames of a wave of `samples`: 1 + samples // hop when centered, samples // hop otherwise.

    Raises:
        MelError: the wave holds no frame, the hop is longer than the window, or the mel config is unknown.
    """
    kind = mel_config(name)
    if frames.hop > kind.window:
        raise MelError(f"mel: frames.hop {frames.hop} exceeds {name}'s window of {kind.window}; use a shorter hop")
    count = frames.mel_frames(samples) + kind.centered
    if count == 0:
        raise MelError(f"wave: {samples} samples are less than one mel frame of {frames.hop}; use a longer recording")
    return count


@lru_cache(maxsize=16)
def mel_filterbank(name: str, sample_rate: int) -> Float32Array:
    """Triangular filters (M, n_fft // 2 + 1) of a mel config at a sample rate in Hz, read-only.

    Triangles as in Slaney's Auditory Toolbox (1998): each rises from its lower neighbor's center to its own and falls
    to its upper neighbor's; the centers are equally spaced on the mel scale.

    Raises:
        MelError: the mel config is unknown, or its bands reach beyond half the sample rate.
    """
    kind = mel_config(name)
    nyquist = sample_rate / 2
    top = nyquist if kind.fmax is None else kind.fmax
    if not kind.fmin < top <= nyquist:
        raise MelError(
            f"mel: {name} needs {kind.fmin:g} to {top:g} Hz, but {sample_rate} Hz sampling ends at {nyquist:g} Hz; "
            "use a higher frames.sample_rate or another mel config"
        )
    edges = _edges(kind.bands, (kind.fmin, top), kind.scale)
    triangles = _triangles(edges, kind.n_fft, sample_rate)
    if kind.equal_area:
        triangles *= 2.0 / (edges[2:, None] - edges[:-2, None])
    return _read_only(triangles)


def mel_triangles(bands: int, n_fft: int, sample_rate: int) -> Float32Array:
    """Filters (bands, n_fft // 2 + 1) of height 1 from 0 Hz to half the sample rate, equally spaced in HTK's mel."""
    return _triangles(_edges(bands, (0.0, sample_rate / 2), "htk"), n_fft, sample_rate).astype(np.float32)


def _edges(bands: int, span: tuple[float, float], scale: Literal["slaney", "htk"]) -> Float64Array:
    """Edges and peaks (bands + 2,) of `bands` triangles over a span in Hz, equally spaced in mel."""
    ends = _to_mel(np.array(span), scale)
    return _to_hz(np.linspace(ends[0], ends[1], bands + 2), scale)


def _triangles(edges: Float64Array, n_fft: int, sample_rate: int) -> Float64Array:
    """Triangles (M, n_fft // 2 + 1) of height 1 with edges (M + 2,) in Hz."""
    bins = np.linspace(0.0, sample_rate / 2, n_fft // 2 + 1)
    lower, center, upper = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - lower) / (center - lower), (upper - bins) / (upper - center)
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)))


@lru_cache(maxsize=16)
def _filter_groups(name: str, sample_rate: int) -> tuple[tuple[slice, slice, Float32Array], ...]:
    """The filterbank in groups of neighbors (bands, bins, filters), without the bins where a group is zero.

    The product with the full filterbank would take a quarter of all the time.
    """
    bank = mel_filterbank(name, sample_rate)
    edges = np.linspace(0, len(bank), 5, dtype=int).tolist()
    groups = []
    for low, high in itertools.pairwise(edges):
        used = bank[low:high].max(axis=0) > 0.0
        bins = slice(int(used.argmax()), used.size - int(used[::-1].argmax()))
        groups.append((slice(low, high), bins, np.ascontiguousarray(bank[low:high, bins])))
    return tuple(groups)


def _magnitudes(wave: Float32Array, first: int, count: int, kind: MelConfig, hop: int) -> Float32Array:
    """STFT magnitudes (count, n_fft // 2 + 1) of the frames from `first` on of a wave (T,).

    Frames are as long as the window: their position in a longer FFT changes phases, not magnitudes.
    """
    left_context = kind.window // 2 if kind.centered else (kind.window - hop) // 2
    start = first * hop - left_context
    excerpt = _excerpt(wave, start, start + (count - 1) * hop + kind.window, kind.preemphasis)
    magnitudes = stft_magnitude(excerpt, hann_window(kind.window), hop, kind.n_fft)
    if kind.energy_offset:
        magnitudes = np.sqrt(magnitudes * magnitudes + np.float32(kind.energy_offset))
    return magnitudes


def _excerpt(wave: Float32Array, start: int, stop: int, preemphasis: float) -> Float32Array:
    """Samples [start, stop) of the pre-emphasized wave, which is reflected beyond both ends."""
    factor = np.float32(preemphasis)
    if start > 0 and stop <= wave.size:
        return wave[start:stop] - factor * wave[start - 1 : stop - 1]
    end = wave.size - 1
    indices = end - np.abs(end - np.abs(np.arange(start, stop)))
    return np.asarray(wave[indices] - factor * np.where(indices > 0, wave[indices - 1], np.float32(0.0)))


def _compress(magnitude: Float32Array, kind: MelConfig) -> Float32Array:
    """The logarithm of mel magnitudes, in the unit of the mel config."""
    logarithm: Float32Array = np.log(np.maximum(magnitude, np.float32(kind.minimum)))
    if kind.decibels is None:
        return logarithm
    level = logarithm * np.float32(20.0 / math.log(10.0)) - kind.decibels.reference
    return np.asarray(np.clip(1.0 - level / kind.decibels.floor, 0.0, 1.0))


def _validate_wave(wave: npt.NDArray[Any]) -> Float32Array:
    if wave.ndim not in (1, 2):
        raise MelError(f"wave: shape {wave.shape}; expected (T,) or (B, T)")
    if not np.issubdtype(wave.dtype, np.floating):
        raise MelError(f"wave: holds {wave.dtype}; expected floats with full scale ±1, so divide by full scale")
    if wave.size == 0:
        raise MelError(f"wave: shape {wave.shape} holds no samples; expected at least one")
    # NaN and infinity propagate to the extremes, which need no array as large as the wave.
    if not (np.isfinite(wave.min()) and np.isfinite(wave.max())):
        raise MelError("wave: holds NaN or infinite samples; repair or leave out the recording")
    return np.asarray(wave, dtype=np.float32)


# Slaney's scale: 3/200 mel per Hz up to 1 kHz (15 mel), then 27 mel for every factor of 6.4.
_KNEE_HZ, _KNEE_MEL, _MEL_PER_FOLD = 1000.0, 15.0, 27.0 / math.log(6.4)


def _to_mel(hertz: Float64Array, scale: str) -> Float64Array:
    if scale == "htk":
        return np.asarray(2595.0 * np.log10(1.0 + hertz / 700.0))
    above = _KNEE_MEL + _MEL_PER_FOLD * np.log(np.maximum(hertz, _KNEE_HZ) / _KNEE_HZ)
    return np.where(hertz < _KNEE_HZ, hertz * (_KNEE_MEL / _KNEE_HZ), above)


def _to_hz(mel: Float64Array, scale: str) -> Float64Array:
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
    above = _KNEE_HZ * np.exp((np.maximum(mel, _KNEE_MEL) - _KNEE_MEL) / _MEL_PER_FOLD)
    return np.where(mel < _KNEE_MEL, mel * (_KNEE_HZ / _KNEE_MEL), above)


def _read_only(values: Float64Array) -> Float32Array:
    """Single-precision values that a cache can share."""
    single = values.astype(np.float32)
    single.setflags(write=False)
    return single
