"""Augmented crops: the recording at another speed and level, with the mel of the augmented wave."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import AugmentationConfig, Config
from basis_melgan.corpus import manifest
from basis_melgan.corpus.augmentation import NO_AUGMENTATION, Augmentation, draw
from basis_melgan.corpus.datasets import SpeechCrops
from basis_melgan.corpus.mels import MelSource
from basis_melgan.errors import ConfigurationError

FRAMES = FrameGeometry()
WIDE = AugmentationConfig(fraction=0.5, rate=(0.8, 1.25), level=(-12.0, 6.0), blur=(0.2, 1.0))


@pytest.fixture(scope="module")
def clips(corpus: Path):
    return manifest.load_clips(manifest.load(corpus), "train")


@pytest.mark.parametrize("rate", [0.8, 1.0, 1.25])
def test_pitch_follows_the_rate(rate: float) -> None:
    tone = (0.1 * np.sin(2 * np.pi * 1_000 * np.arange(24_000) / 24_000)).astype(np.float32)
    augmented = Augmentation(rate, 6.0)(tone, 24_000)
    assert len(augmented) == round(24_000 / rate)
    middle = augmented[2_400:14_400]
    assert np.argmax(np.abs(np.fft.rfft(middle))) * 2 == 1_000 * rate  # bins of 2 Hz
    assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.1 * 10 ** (6 / 20), rel=1e-3)


def test_the_level_is_limited_to_full_scale() -> None:
    wave = np.array([0.2, -0.8, 0.4], dtype=np.float32)
    np.testing.assert_allclose(Augmentation(level=20.0)(wave, 24_000), wave / 0.8, rtol=1e-6)
    assert not Augmentation(level=20.0)(np.zeros(3, dtype=np.float32), 24_000).any()


@given(st.integers(0, 2**32))
def test_draws_stay_within_the_configured_ranges(seed: int) -> None:
    rng = np.random.default_rng(seed)
    augmentation = draw(rng, replace(WIDE, fraction=1.0))
    assert 0.8 <= augmentation.rate <= 1.25
    assert -12 <= augmentation.level <= 6
    assert 0.2 <= augmentation.blur <= 1
    assert draw(rng, replace(WIDE, fraction=0.0)) is NO_AUGMENTATION


def test_the_configured_fraction_of_crops_is_augmented() -> None:
    rng = np.random.default_rng(0)
    augmented = sum(draw(rng, WIDE) is not NO_AUGMENTATION for _ in range(2_000))
    assert augmented == pytest.approx(1_000, abs=100)  # 4.5 standard deviations


@pytest.mark.parametrize("rate", [0.8, 1.25])
def test_an_augmented_excerpt_equals_the_augmented_clip(clips, rate: float) -> None:
    path, _ = clips[0]
    augmentation = Augmentation(rate, -6.0)
    augmented = augmentation(files.read(path)[0], 24_000)
    first = 40  # at both rates an integer number of augmented frames
    wave, mel = MelSource("paper", FRAMES).excerpt(path, first, 20, augmentation)
    start = round(first / rate)
    np.testing.assert_allclose(wave, augmented[start * 240 : (start + 20) * 240], atol=1e-3)
    np.testing.assert_allclose(mel, mel_spectrogram(augmented, "paper", FRAMES)[:, start : start + 20], atol=0.02)


def test_blur_smooths_the_mel_over_bands_and_frames_and_keeps_the_wave(clips) -> None:
    path, _ = clips[0]
    wave, mel = MelSource("paper", FRAMES).excerpt(path, 40, 20)
    blurred_wave, blurred_mel = MelSource("paper", FRAMES).excerpt(path, 40, 20, Augmentation(blur=1.0))
    np.testing.assert_array_equal(blurred_wave, wave)
    kernel = np.exp(-0.5 * np.arange(-4, 5) ** 2)
    kernel /= kernel.sum()
    over_frames = [np.convolve(band, kernel, mode="same") for band in mel]
    expected = np.array([np.convolve(frame, kernel, mode="same") for frame in np.transpose(over_frames)]).T
    np.testing.assert_allclose(blurred_mel[4:-4, 4:-4], expected[4:-4, 4:-4], atol=1e-3)


def test_augmented_crops_keep_their_length_and_depend_on_seed_and_index_alone(clips, config: Config) -> None:
    dataset = SpeechCrops(clips, replace(config, augmentation=replace(WIDE, fraction=1.0)), None)
    same = SpeechCrops(clips, replace(config, augmentation=replace(WIDE, fraction=1.0)), None)
    plain = SpeechCrops(clips, config, None)
    for index in range(40):
        item = dataset[index]
        assert item["wave"].shape == (2_400,)
        assert item["mel"].shape == (80, 10)
        np.testing.assert_array_equal(item["wave"], same[index]["wave"])
    assert not np.array_equal(dataset[0]["wave"], plain[0]["wave"])


def test_every_clip_drawn_is_long_enough_for_a_crop_without_augmentation(clips, config: Config) -> None:
    longest = max(clip.samples for _, clip in clips) // 240
    crop = replace(config.vocoder_training, crop_frames=longest - 13)  # and 6 frames at either end
    slow = AugmentationConfig(fraction=0.5, rate=(0.8, 0.9))
    dataset = SpeechCrops(clips, replace(config, vocoder_training=crop, augmentation=slow), None)
    long_enough = {clip.id for _, clip in clips if clip.samples // 240 >= longest - 1}
    assert len(long_enough) < len(clips)
    assert {dataset[index]["id"].split("@")[0] for index in range(20)} == long_enough


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fraction": 1.5}, "use 0 to 1"),
        ({"rate": (0.0, 1.0)}, "use factors above 0"),
        ({"rate": (1.2, 1.0)}, "give the lowest value first"),
        ({"level": (3.0, -3.0)}, "give the lowest value first"),
        ({"blur": (-1.0, 1.0)}, "use deviations from 0 upward"),
    ],
)
def test_invalid_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        AugmentationConfig(**settings)
