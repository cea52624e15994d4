"""Each mel config against its own project's published formula, written here with librosa and torch."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import scipy.signal
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from basis_melgan.audio import mel as mels
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.errors import MelError

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))[:3]
FRAMES = FrameGeometry()
NAMES = list(mels.MEL_CONFIGS)


def clip(path: Path) -> np.ndarray:
    wave, rate = soundfile.read(path, dtype="float32")
    assert rate == FRAMES.sample_rate
    return wave


def noise(*shape: int) -> np.ndarray:
    return (0.1 * np.random.default_rng(5).standard_normal(shape)).astype(np.float32)


def paper(wave: np.ndarray, hop: int) -> np.ndarray:
    """FastVocoder's data/audio.py, with the reflection of the librosa of its day."""
    emphasized = scipy.signal.lfilter([1, -0.97], [1], wave.astype(np.float64))
    spectrum = np.abs(librosa.stft(emphasized, n_fft=2048, hop_length=hop, win_length=1200, pad_mode="reflect"))
    mel = librosa.filters.mel(sr=24000, n_fft=2048, n_mels=80, fmin=40) @ spectrum
    return np.clip((20 * np.log10(np.maximum(1e-5, mel)) - 20 + 100) / 100, 0, 1)


def hifigan(wave: np.ndarray, hop: int, bands: int = 80, fmax: float | None = 8000) -> np.ndarray:
    """HiFi-GAN's meldataset.py."""
    pad = (1024 - hop) // 2
    padded = torch.nn.functional.pad(torch.from_numpy(wave).double()[None], (pad, pad), mode="reflect")
    window = torch.hann_window(1024, dtype=torch.float64)
    spectrum = torch.stft(padded, 1024, hop, 1024, window, center=False, return_complex=True)
    magnitude = torch.sqrt(torch.view_as_real(spectrum).pow(2).sum(-1) + 1e-9)[0].numpy()
    mel = librosa.filters.mel(sr=24000, n_fft=1024, n_mels=bands, fmin=0, fmax=fmax) @ magnitude
    return np.log(np.maximum(1e-5, mel))


def bigvgan(wave: np.ndarray, hop: int) -> np.ndarray:
    return hifigan(wave, hop, bands=100, fmax=None)


def vocos(wave: np.ndarray, hop: int) -> np.ndarray:
    """torchaudio's MelSpectrogram(24000, n_fft=1024, n_mels=100, power=1) and Vocos's safe_log."""
    window = torch.hann_window(1024, dtype=torch.float64)
    spectrum = torch.stft(
        torch.from_numpy(wave).double(), 1024, hop, 1024, window, pad_mode="reflect", return_complex=True
    )
    filters = librosa.filters.mel(sr=24000, n_fft=1024, n_mels=100, htk=True, norm=None)
    return np.log(np.maximum(1e-7, filters @ spectrum.abs().numpy()))


ORACLES = {"paper": paper, "hifigan": hifigan, "bigvgan": bigvgan, "vocos": vocos}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("hop", [240, 256])
def test_equals_the_projects_own_formula(name: str, hop: int) -> None:
    frames = FrameGeometry(hop=hop, basis_length=2 * hop // 16, stride=hop // 16)
    for path in CLIPS:
        wave = clip(path)
        expected = ORACLES[name](wave, hop)
        mel = mels.mel_spectrogram(wave, name, frames)
        assert mel.dtype == np.float32
        assert mel.shape == expected.shape
        magnitude = mels.mel_to_magnitude(expected, name)
        peak = magnitude.max(axis=0)
        assert (np.abs(mels.mel_to_magnitude(mel, name) - magnitude) / peak).max() < 5e-6
        # Far below the frame's peak the logarithm magnifies the rounding of a single-precision FFT.
        assert np.abs(mel - expected)[magnitude > 1e-3 * peak].max() < 1e-4
        assert np.abs(mel - expected).mean() < 5e-5


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000, 48_000])
def test_filterbank_equals_librosa(name: str, rate: int) -> None:
    kind = mels.mel_config(name)
    expected = librosa.filters.mel(
        sr=rate,
        n_fft=kind.n_fft,
        n_mels=kind.bands,
        fmin=kind.fmin,
        fmax=kind.fmax,
        htk=kind.scale == "htk",
        norm="slaney" if kind.equal_area else None,
    )
    np.testing.assert_allclose(mels.mel_filterbank(name, rate), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_batch_equals_its_rows(name: str) -> None:
    batch = noise(3, 40_000)
    expected = np.stack([mels.mel_spectrogram(row, name, FRAMES) for row in batch])
    np.testing.assert_array_equal(mels.mel_spectrogram(batch, name, FRAMES), expected)


@pytest.mark.parametrize("name", NAMES)
def test_blocks_leave_no_seams(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wave = noise(30_000)
    expected = mels.mel_spectrogram(wave, name, FRAMES)
    monkeypatch.setattr(mels, "_BLOCK", 7 * mels.mel_config(name).n_fft)
    np.testing.assert_allclose(mels.mel_spectrogram(wave, name, FRAMES), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "floor"), [("paper", 0.0), ("hifigan", None), ("bigvgan", None), ("vocos", np.log(1e-7))]
)
def test_silence_is_the_floor(name: str, floor: float | None) -> None:
    mel = mels.mel_spectrogram(np.zeros(24_000, np.float32), name, FRAMES)
    if floor is None:  # of HiFi-GAN's kind: every bin has magnitude sqrt(1e-9)
        band = mels.mel_filterbank(name, 24_000).sum(axis=1) * np.sqrt(1e-9)
        expected = np.broadcast_to(np.log(np.maximum(1e-5, band))[:, None], mel.shape)
    else:
        expected = np.full(mel.shape, floor)
    np.testing.assert_allclose(mel, expected, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_tone_peaks_in_the_band_that_holds_it(name: str) -> None:
    wave = (0.5 * np.sin(2 * np.pi * 1500 * np.arange(24_000) / 24_000)).astype(np.float32)
    filters = mels.mel_filterbank(name, 24_000)
    bin_of_tone = 1500 * mels.mel_config(name).n_fft // 24_000
    middle = mels.mel_spectrogram(wave, name, FRAMES)[:, 50]
    assert middle.argmax() == filters[:, bin_of_tone].argmax()


@pytest.mark.parametrize("name", NAMES)
def test_magnitude_undoes_the_logarithm(name: str) -> None:
    mel = mels.mel_spectrogram(clip(CLIPS[0]), name, FRAMES)
    magnitude = mels.mel_to_magnitude(mel, name)
    kind = mels.mel_config(name)
    again = np.log(magnitude) if kind.decibels is None else (20 * np.log10(magnitude) + 80) / 100
    np.testing.assert_allclose(again, mel, atol=1e-5)


def test_magnitude_is_filterbank_times_stft() -> None:
    wave = clip(CLIPS[0])
    spectrum = np.abs(librosa.stft(wave, n_fft=1024, hop_length=240, pad_mode="reflect"))
    magnitude = mels.mel_to_magnitude(mels.mel_spectrogram(wave, "vocos", FRAMES), "vocos")
    np.testing.assert_allclose(magnitude, mels.mel_filterbank("vocos", 24_000) @ spectrum, rtol=2e-3, atol=1e-5)


@given(samples=st.integers(1, 6_000), hop=st.sampled_from([90, 240, 256, 600]), name=st.sampled_from(NAMES))
@settings(max_examples=60, deadline=None)
def test_frames_of_any_length(samples: int, hop: int, name: str) -> None:
    frames = FrameGeometry(hop=hop, stride=hop // 2, basis_length=hop)
    kind = mels.mel_config(name)
    expected = samples // hop + kind.centered
    if expected == 0:
        with pytest.raises(MelError, match=f"{samples} samples are less than one mel frame"):
            mels.mel_spectrogram(noise(samples), name, frames)
        return
    mel = mels.mel_spectrogram(noise(samples), name, frames)
    assert mel.shape == (kind.bands, expected)
    assert np.isfinite(mel).all()


@pytest.mark.parametrize("name", NAMES)
def test_short_wave_counts_as_followed_by_silence(name: str) -> None:
    wave = noise(300)
    extended = np.pad(wave, (0, 3_000))
    short, long = (mels.mel_spectrogram(w, name, FRAMES) for w in (wave, extended))
    np.testing.assert_allclose(short[:, 0], long[:, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("wave", "message"),
    [
        (np.zeros(0, np.float32), "holds no samples"),
        (np.zeros((0, 500), np.float32), "holds no samples"),
        (np.zeros((2, 2, 500), np.float32), r"expected \(T,\) or \(B, T\)"),
        (np.float32(0.0), r"expected \(T,\) or \(B, T\)"),
        (np.zeros(500, np.int16), "holds int16"),
        (np.array([0.0, np.nan] * 300, np.float32), "NaN or infinite"),
        (np.array([0.0, -np.inf] * 300, np.float32), "NaN or infinite"),
    ],
)
def test_invalid_waves(wave: np.ndarray, message: str) -> None:
    with pytest.raises(MelError, match=message):
        mels.mel_spectrogram(np.asarray(wave), "paper", FRAMES)


def test_an_unknown_mel_config_names_the_known_ones() -> None:
    with pytest.raises(MelError, match="unknown mel config 'tacotron'; use one of paper, hifigan, bigvgan, vocos"):
        mels.mel_spectrogram(noise(24_000), "tacotron", FRAMES)


def test_bands_beyond_half_the_sample_rate() -> None:
    with pytest.raises(MelError, match="hifigan needs 0 to 8000 Hz, but 8000 Hz sampling ends at 4000 Hz"):
        mels.mel_spectrogram(noise(24_000), "hifigan", FrameGeometry(sample_rate=8_000))


def test_hop_beyond_the_window() -> None:
    with pytest.raises(MelError, match="hop 1200 exceeds vocos's window of 1024"):
        mels.mel_spectrogram(noise(24_000), "vocos", FrameGeometry(hop=1_200))


@pytest.mark.parametrize("shape", [(81, 5), (80,), (1, 1, 80, 5), (5, 80)])
def test_mel_of_another_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(MelError, match=r"paper mels are \(80, F\) or \(B, 80, F\)"):
        mels.mel_to_magnitude(np.zeros(shape, np.float32), "paper")


def test_mel_with_nan() -> None:
    with pytest.raises(MelError, match="NaN"):
        mels.mel_to_magnitude(np.full((80, 4), np.nan, np.float32), "paper")


def test_cached_filterbanks_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        mels.mel_filterbank("paper", 24_000)[0] = 1.0


@pytest.mark.parametrize(("window", "bands"), [(2048, 160), (1024, 80), (128, 10)])
def test_triangles_of_height_one_equal_librosa(window, bands):
    expected = librosa.filters.mel(sr=24_000, n_fft=window, n_mels=bands, htk=True, norm=None)
    np.testing.assert_allclose(mels.mel_triangles(bands, window, 24_000), expected, atol=1e-6)
