"""Mel scale check: true mels are accepted, and other scales are identified."""

import re
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import MelConfigName
from basis_melgan.errors import MelError
from basis_melgan.inference.mel_adapter import MelAdapter

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
LOGARITHMS: list[MelConfigName] = ["vocos", "hifigan", "bigvgan"]


def check(mel: np.ndarray, config: MelConfigName) -> str:
    """Return the error or the warning for a mel, or an empty string if it is accepted."""
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        try:
            MelAdapter(config, None).validate(mel)
        except MelError as error:
            return f"refused: {error}"
    return f"warning: {records[0].message}" if records else ""


@cache
def mels(config: MelConfigName) -> list[np.ndarray]:
    return [mel_spectrogram(files.read(clip)[0], config, FrameGeometry()) for clip in CLIPS]


@pytest.mark.parametrize("config", ["paper", *LOGARITHMS])
def test_recordings_of_any_level_are_accepted(config: MelConfigName) -> None:
    for clip in CLIPS:
        wave = files.read(clip)[0]
        for gain in (1.0, 0.1, 0.01):
            assert check(mel_spectrogram(wave * np.float32(gain), config, FrameGeometry()), config) == ""


@pytest.mark.parametrize("config", LOGARITHMS)
def test_silence_noise_and_short_mels_are_accepted(config: MelConfigName) -> None:
    silence = mel_spectrogram(np.zeros(48_000, np.float32), config, FrameGeometry())
    noise = 0.1 * np.random.default_rng(0).standard_normal(48_000).astype(np.float32)
    for mel in (silence, mel_spectrogram(noise, config, FrameGeometry()), mels(config)[0][:, :20]):
        assert check(mel, config) == ""


@pytest.mark.parametrize("config", LOGARITHMS)
@pytest.mark.parametrize("ratio", [30, 20, 10, 5, 0])
def test_noisy_recordings_are_accepted(config: MelConfigName, ratio: float) -> None:
    rng = np.random.default_rng(0)
    for clip in CLIPS:
        wave = files.read(clip)[0]
        noise = rng.standard_normal(wave.size) * wave.std() * 10 ** (-ratio / 20)
        assert check(mel_spectrogram((wave + noise).astype(np.float32), config, FrameGeometry()), config) == ""


@pytest.mark.parametrize("config", ["paper", *LOGARITHMS])
@pytest.mark.parametrize("blur", [0.5, 1.0, (1.0, 0.0), (0.0, 1.0)])
def test_smoothed_mels_are_accepted(config: MelConfigName, blur: float) -> None:
    for mel in mels(config):
        smooth = gaussian_filter(mel, blur, mode="nearest")
        assert check(smooth, config) == ""
        assert check(smooth.astype(np.float16), config) == ""
        for frames in (60, 90, 180):
            assert check(smooth[:, 50 : 50 + frames], config) == ""


def test_predicted_mel_of_the_examples_is_accepted() -> None:
    assert check(np.load(CLIPS[0].parents[1] / "predicted.npy"), "vocos") == ""


def sounds() -> dict[str, np.ndarray]:
    """Five seconds of sounds other than speech, within full scale."""
    time = np.arange(120_000) / 24_000
    noise = np.random.default_rng(1).standard_normal(time.size)
    click = np.zeros(time.size)
    click[60_000] = 1.0
    steps = 220 * 2 ** (np.floor(time / 0.4) * 7 % 24 / 12)  # Hz, a melody
    melody = sum(np.sin(2 * np.pi * np.cumsum(steps) / 24_000 * k) / k for k in range(1, 9)) * np.exp(-(time % 0.4) * 6)
    return {
        "silence": np.zeros(time.size),
        "click": click,
        "clicks": (np.arange(time.size) % 2400 == 0).astype(float),
        "sine": np.sin(2 * np.pi * 440 * time),
        "chord": sum(np.sin(2 * np.pi * f * time) for f in (220, 277.2, 329.6)) / 3,
        "melody": melody / 3,
        "melody over noise": melody / 3 + 1e-4 * noise,
        "full-scale noise": np.clip(noise / 3, -1, 1),
        "amplitude-modulated noise": noise / 5 * np.clip(np.sin(2 * np.pi * 1.5 * time), 0.01, 1),
        "sweep": np.sin(2 * np.pi * np.cumsum(50 * 200 ** (time / 5)) / 24_000),
        "constant": np.ones(time.size),
        "square": np.sign(np.sin(2 * np.pi * 110 * time)),
    }


@pytest.mark.parametrize("config", ["paper", *LOGARITHMS])
@pytest.mark.parametrize("sound", sounds())
def test_mels_of_other_sounds_are_not_refused(config: MelConfigName, sound: str) -> None:
    wave = sounds()[sound].astype(np.float32)
    for gain in (1.0, 0.01):
        mel = mel_spectrogram(wave * np.float32(gain), config, FrameGeometry())
        assert "refused" not in check(mel, config)


LN10 = float(np.log(10.0))
LOG10 = r"log10 of magnitudes \(mel config {0}:log10\)"
MEAN = r"normalized by a mean and a deviation: undo that \(mel config {0}:ln,DEVIATION,MEAN\)"
BANDS = "normalized band by band: undo that with the mean and the deviation of each band"


def normalize_bands(mel: np.ndarray) -> np.ndarray:
    return (mel - mel.mean(1, keepdims=True)) / np.maximum(mel.std(1, keepdims=True), 1e-3)


OTHER_SCALES = {
    "log10": (lambda mel: mel / LN10, LOG10),
    "log10 of a quiet wave": (lambda mel: (mel - 3.0) / LN10, LOG10),
    "decibels": (lambda mel: 20 * mel / LN10, r"decibels \(mel config {0}:db\)"),
    "powers": (lambda mel: 2 * mel, r"natural logarithms of powers \(mel config {0}:ln,0\.5,0\)"),
    "log2": (lambda mel: mel / np.log(2.0), r"log2 of magnitudes \(mel config {0}:ln,0\.693147,0\)"),
    "mean and deviation": (lambda mel: (mel - mel.mean()) / mel.std(), MEAN),
    "band by band": (normalize_bands, BANDS),
    "of the training data": (lambda mel: (mel + 5.0) / 2.4, MEAN),
    "0 to 1": (lambda mel: (mel - mel.min()) / np.ptp(mel), r"scaled to 0 to 1: undo that .*ln,RANGE,LEAST\)"),
    "-1 to 1": (lambda mel: 2 * (mel - mel.min()) / np.ptp(mel) - 1, r"scaled to -1 to 1: undo that .*FACTOR,OFFSET\)"),
    "-4 to 4": (lambda mel: 8 * (mel - mel.min()) / np.ptp(mel) - 4, r"scaled to -4 to 4: undo that .*FACTOR,OFFSET\)"),
    "ZipVoice": (lambda mel: mel / 10, r"such as ZipVoice's \(mel config {0}:ln,10,0\)"),
    "GPT-SoVITS": (lambda mel: (mel + 5) / 7, r"such as GPT-SoVITS's \(mel config {0}:ln,7,-5\)"),
    "16-bit integers": (
        lambda mel: mel + np.log(32768.0),
        r"wave of 16-bit integers \(mel config {0}:ln,1,-10\.3972\)",
    ),
    "magnitudes": (np.exp, "magnitudes: take the natural logarithm of magnitudes of at least 1e-0"),
    "ln(1 + x)": (lambda mel: np.log1p(np.exp(mel)), r"ln\(1 \+ magnitude\): take .*, which are exp\(mel\) - 1"),
}


@pytest.mark.parametrize("config", LOGARITHMS)
@pytest.mark.parametrize("scale", OTHER_SCALES)
def test_another_scale_is_identified(config: MelConfigName, scale: str) -> None:
    convert, hypothesis = OTHER_SCALES[scale]
    for mel in mels(config):
        for variant in (mel, gaussian_filter(mel, 0.7, mode="nearest")):
            assert re.search(hypothesis.format(config), check(convert(variant), config))


def test_two_matching_scales_are_both_named() -> None:
    for mel in mels("vocos"):
        text = check((mel - mel.mean()) / mel.std(), "vocos")
        assert text.startswith("refused")
        assert re.search(f"{LOG10}, or .*{MEAN}".format("vocos"), text)


@pytest.mark.parametrize("config", LOGARITHMS)
def test_transposed_mel_is_recognized(config: MelConfigName) -> None:
    assert re.search(r"looks like \(frames, bands\); .* so transpose it", check(mels(config)[0].T, config))


@pytest.mark.parametrize("config", LOGARITHMS)
def test_batch_with_one_mel_of_another_scale_is_refused(config: MelConfigName) -> None:
    mel = mels(config)[0]
    assert check(np.stack([mel, mel]), config) == ""
    assert check(np.stack([mel, (mel - mel.mean()) / mel.std()]), config).startswith("refused")


@pytest.mark.parametrize(
    ("convert", "hypothesis"),
    [
        (lambda levels: (levels - 0.8) / 0.0868589, r"natural logarithms of magnitudes \(mel config paper:ln\)"),
        (lambda levels: 100 * levels - 80, r"decibels \(mel config paper:db\)"),
        (lambda levels: 5 * levels - 4, r"log10 of magnitudes \(mel config paper:log10\)"),
        (lambda levels: 10 ** (5 * levels - 4), r"magnitudes: take decibels of them \(mel config paper:db\)"),
        (lambda levels: 2 * levels - 1, "scaled to -1 to 1: undo that"),
        (lambda levels: (levels - levels.mean()) / levels.std(), "normalized by a mean and a deviation: undo that"),
        (normalize_bands, BANDS),
    ],
)
def test_scales_other_than_normalized_levels_are_identified(convert, hypothesis: str) -> None:
    for mel in mels("paper"):
        assert re.search(f"refused: .* mel config paper has 0 to 1.*{hypothesis}", check(convert(mel), "paper"))
