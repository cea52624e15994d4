"""Training items: pure functions of seed and index, mixed as configured, equal to stretches of the whole clip."""

from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import Config, MixtureConfig
from basis_melgan.corpus import manifest
from basis_melgan.corpus.datasets import Clips, MixtureCrops, SpeechCrops, StepSampler
from basis_melgan.errors import CorpusError

WHITE = MixtureConfig()
ANY_LEVEL = MixtureConfig(
    ("white", "pink", "brown", "babble"), noise_sigma=None, snr=(-6.0, 15.0), level=(-36.0, -16.0)
)


@pytest.fixture(scope="module")
def clips(corpus: Path) -> Clips:
    return manifest.load_clips(manifest.load(corpus), "train")


def mixtures(clips: Clips, config: Config, mixture: MixtureConfig) -> MixtureCrops:
    return MixtureCrops(clips, replace(config, mixture=mixture))


def tone() -> files.Wave:
    return (0.1 * np.sin(np.arange(600))).astype(np.float32)


def rms(wave: files.Wave) -> float:
    return float(np.sqrt(np.mean(np.square(wave, dtype=np.float64))))


def decibels(wave: files.Wave) -> float:
    return 20 * float(np.log10(rms(wave)))


def draw_mixtures(dataset: MixtureCrops, count: int) -> list[tuple[files.Wave, files.Wave]]:
    return [dataset.mix(np.random.default_rng(seed), tone(), rms(tone())) for seed in range(count)]


# Batches


@pytest.mark.parametrize("world", [1, 2, 4])
def test_processes_split_the_global_batch(world: int) -> None:
    batches = [list(StepSampler(range(3, 8), 4, rank, world)) for rank in range(world)]
    global_batches = [list(chain(*parts)) for parts in zip(*batches, strict=True)]
    assert global_batches == [list(range(step * 4, step * 4 + 4)) for step in range(3, 8)]
    assert {len(StepSampler(range(3, 8), 4, rank, world)) for rank in range(world)} == {5}


def test_a_resumed_training_continues_with_the_next_batch() -> None:
    batches = list(StepSampler(range(10), 2, 0, 1))
    assert list(StepSampler(range(6, 10), 2, 0, 1)) == batches[6:]


# Mixtures


def test_a_mixture_is_a_function_of_seed_and_index(clips: Clips, config: Config) -> None:
    first, second = mixtures(clips, config, ANY_LEVEL), mixtures(clips, config, ANY_LEVEL)
    for index in (5, 0, 123_456_789):
        assert first[index]["id"] == second[index]["id"]
        assert torch.equal(first[index]["sources"], second[index]["sources"])
    reseeded = MixtureCrops(clips, replace(config, seed=2))
    assert not torch.equal(first[5]["sources"], reseeded[5]["sources"])
    assert not torch.equal(first[5]["sources"], first[6]["sources"])


def test_speech_is_a_crop_of_a_clip(clips: Clips, config: Config) -> None:
    dataset = mixtures(clips, config, WHITE)
    paths = {clip.id: path for path, clip in clips}
    for index in range(10):
        item = dataset[index]
        name, start = item["id"].split("@")
        expected = files.read(paths[name], int(start), dataset.crop_samples)[0]
        assert item["sources"].shape == (2, 2_400)
        assert item["sources"].dtype == torch.float32
        np.testing.assert_array_equal(item["sources"][0].numpy(), expected)


def test_a_clip_shorter_than_the_crop_is_followed_by_silence(clips: Clips, config: Config) -> None:
    path, clip = min(clips, key=lambda entry: entry[1].samples)
    training = replace(config.separator_training, crop_samples=clip.samples + 500)
    dataset = MixtureCrops([(path, clip)], replace(config, mixture=WHITE, separator_training=training))
    speech = dataset[0]["sources"][0].numpy()
    np.testing.assert_array_equal(speech[: clip.samples], files.read(path)[0])
    np.testing.assert_array_equal(speech[clip.samples :], np.zeros(500))


def test_clips_are_drawn_in_proportion_to_their_length(clips: Clips, config: Config) -> None:
    dataset = MixtureCrops(
        clips, replace(config, separator_training=replace(config.separator_training, crop_samples=16))
    )
    names = [dataset[index]["id"].split("@")[0] for index in range(1_000)]
    total = sum(clip.samples for _, clip in clips)
    for _, clip in clips:
        probability = clip.samples / total
        deviation = (probability * (1 - probability) / 1_000) ** 0.5
        assert abs(names.count(clip.id) / 1_000 - probability) < 4 * deviation


@pytest.mark.parametrize("kind", ["white", "pink", "brown", "babble"])
def test_a_fixed_sigma_is_the_rms_of_the_noise(clips: Clips, config: Config, kind: str) -> None:
    dataset = mixtures(clips, config, MixtureConfig((kind,), clean_fraction=0.0, noise_sigma=0.03125))
    for speech, noise in draw_mixtures(dataset, 5):
        np.testing.assert_array_equal(speech, tone())
        assert rms(noise) == pytest.approx(0.03125, rel=1e-5)


def test_the_configured_fraction_of_crops_gets_no_noise(clips: Clips, config: Config) -> None:
    silent = [not noise.any() for _, noise in draw_mixtures(mixtures(clips, config, WHITE), 2_000)]
    assert np.mean(silent) == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 2_000) ** 0.5)
    assert not any(
        not n.any() for _, n in draw_mixtures(mixtures(clips, config, replace(WHITE, clean_fraction=0.0)), 50)
    )
    assert all(not n.any() for _, n in draw_mixtures(mixtures(clips, config, replace(WHITE, clean_fraction=1.0)), 50))


def test_snr_and_level_are_drawn_uniformly(clips: Clips, config: Config) -> None:
    mixture = replace(ANY_LEVEL, noises=("white", "pink", "brown"), clean_fraction=0.0)
    pairs = draw_mixtures(mixtures(clips, config, mixture), 1_000)
    levels = np.array([decibels(speech) for speech, _ in pairs])
    ratios = levels - [decibels(noise) for _, noise in pairs]
    for values, (low, high) in ((levels, (-36.0, -16.0)), (ratios, (-6.0, 15.0))):
        assert low - 1e-3 <= values.min() < values.max() <= high + 1e-3
        quarters = np.histogram(values, bins=4, range=(low, high))[0] / len(values)
        np.testing.assert_allclose(quarters, 0.25, atol=0.06)
    assert abs(np.corrcoef(levels, ratios)[0, 1]) < 0.1


def test_level_and_snr_refer_to_the_clip_and_not_to_the_crop(clips: Clips, config: Config) -> None:
    dataset = mixtures(clips, config, replace(ANY_LEVEL, clean_fraction=0.0))
    for seed in range(5):
        loud, quiet, silent = (
            dataset.mix(np.random.default_rng(seed), gain * tone(), rms(tone()))
            for gain in np.array([1.0, 0.1, 0.0], dtype=np.float32)
        )
        np.testing.assert_array_equal(quiet[1], loud[1])
        np.testing.assert_allclose(quiet[0], 0.1 * loud[0], rtol=1e-5)
        np.testing.assert_array_equal(silent[1], loud[1])
        assert not silent[0].any()


def test_an_item_is_mixed_at_the_level_of_its_clip(clips: Clips, config: Config) -> None:
    dataset = mixtures(
        clips, config, replace(WHITE, clean_fraction=0.0, noise_sigma=None, snr=(6.0, 6.0), level=(-20.0, -20.0))
    )
    paths = {clip.id: path for path, clip in clips}
    for index in range(5):
        item = dataset[index]
        speech, noise = item["sources"].numpy()
        name, start = item["id"].split("@")
        wave = files.read(paths[name])[0]
        gain = 0.1 / rms(wave)
        np.testing.assert_allclose(speech, gain * wave[int(start) : int(start) + 2_400], atol=1e-6)
        assert decibels(noise) == pytest.approx(-26.0, abs=1e-3)


def test_a_silent_clip_stays_silent(clips: Clips, config: Config) -> None:
    dataset = mixtures(clips, config, replace(ANY_LEVEL, clean_fraction=0.0))
    speech, noise = dataset.mix(np.random.default_rng(0), np.zeros(600, dtype=np.float32), 0.0)
    assert not speech.any()
    assert not noise.any()


def test_recorded_noise_comes_from_the_folder(tmp_path: Path, clips: Clips, config: Config) -> None:
    mixture = MixtureConfig(("recorded",), clean_fraction=0.0, noise_sigma=0.1, recorded=str(tmp_path))
    with pytest.raises(CorpusError, match=r"mixture\.recorded: .* contains no sound files"):
        mixtures(clips, config, mixture)
    (tmp_path / "deep").mkdir()
    hum = 0.3 * np.sin(2 * np.pi * 50 * np.arange(24_000) / 24_000)
    soundfile.write(tmp_path / "deep" / "hum.wav", hum, 24_000)
    for name in ("readme.txt", "._hum.wav", "take.raw"):
        (tmp_path / name).write_text("not sound")
    noise = mixtures(clips, config, mixture)[0]["sources"][1].numpy()  # 2400 samples: 5 periods of 50 Hz
    strength = np.abs(np.fft.rfft(noise))
    assert strength[5] ** 2 > 0.999 * np.sum(strength**2)


# Speech and mel


def test_speech_is_a_function_of_seed_and_index(clips: Clips, config: Config) -> None:
    crops, same_crops = SpeechCrops(clips, config, None), SpeechCrops(clips, config, None)
    for index in (7, 0, 99_999_999):
        first, second = crops[index], same_crops[index]
        assert first["id"] == second["id"]
        assert torch.equal(first["wave"], second["wave"])
        assert torch.equal(first["mel"], second["mel"])
    assert crops[7]["id"] != crops[8]["id"]


@pytest.mark.parametrize("mel_config", ["paper", "hifigan", "vocos"])
@pytest.mark.parametrize("hop", [240, 120])
def test_a_crop_equals_the_whole_clip(clips: Clips, config: Config, mel_config: str, hop: int) -> None:
    dataset = SpeechCrops(clips, replace(config, mel=mel_config, frames=FrameGeometry(hop=hop)), None)
    paths = {clip.id: path for path, clip in clips}
    for index in range(6):
        item = dataset[index]
        name, first = item["id"].split("@")
        wave = files.read(paths[name])[0]
        start, stop = int(first), int(first) + 10
        mel = mel_spectrogram(wave, mel_config, dataset.frames)[:, start:stop]
        np.testing.assert_allclose(item["mel"].numpy(), mel, atol=1e-4)
        np.testing.assert_array_equal(item["wave"].numpy(), wave[start * hop : stop * hop])
        assert item["weights"].numel() == 0


def test_a_crop_longer_than_every_clip_is_refused(clips: Clips, config: Config) -> None:
    training = replace(config.vocoder_training, crop_frames=10_000)
    with pytest.raises(
        CorpusError,
        match=r"longest clip has \d+ samples, but a crop needs 2402880; lower vocoder_training\.crop_frames",
    ):
        SpeechCrops(clips, replace(config, vocoder_training=training), None)


def test_clips_shorter_than_the_crop_are_ignored(clips: Clips, config: Config) -> None:
    lengths = sorted(clip.samples for _, clip in clips)
    crop = lengths[len(lengths) // 2] // 240 - 12  # with 6 frames at either end, half of the clips hold it
    dataset = SpeechCrops(
        clips, replace(config, vocoder_training=replace(config.vocoder_training, crop_frames=crop)), None
    )
    long = {clip.id for _, clip in clips if clip.samples // 240 >= crop + 12}
    assert len(long) == len(lengths) - len(lengths) // 2
    assert {dataset[index]["id"].split("@")[0] for index in range(40)} == long
