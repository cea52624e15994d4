"""Training mels: computed excerpts equal those of the whole clip, and predicted mels are read and validated."""

from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import Config
from basis_melgan.corpus import manifest
from basis_melgan.corpus.datasets import SpeechCrops
from basis_melgan.corpus.mels import MelSource
from basis_melgan.errors import CorpusError

FRAMES = FrameGeometry()


@pytest.fixture(scope="module")
def clips(corpus: Path):
    return manifest.load_clips(manifest.load(corpus), "train")


@pytest.fixture
def predicted(tmp_path: Path, clips) -> Path:
    """Artificial mels that identify their frames: frame f of band b is (f + b / 100) / 1000."""
    for path, clip in clips:
        frames = FRAMES.mel_frames(clip.samples)
        mel = np.arange(frames)[None] + np.arange(80)[:, None] / 100
        np.save(tmp_path / f"{path.stem}.npy", (mel / 1_000).astype(np.float32))
    return tmp_path


@pytest.mark.parametrize("first", [0, 2, 30])
def test_an_excerpt_equals_the_whole_clip(clips, first: int) -> None:
    path, _ = clips[0]
    clip_wave, _ = files.read(path)
    wave, mel = MelSource("paper", FRAMES).excerpt(path, first, 20)
    np.testing.assert_array_equal(wave, clip_wave[first * 240 : (first + 20) * 240])
    np.testing.assert_allclose(mel, mel_spectrogram(clip_wave, "paper", FRAMES)[:, first : first + 20], atol=1e-4)


def test_a_predicted_mel_is_cropped_with_the_wave(clips, config: Config, predicted: Path) -> None:
    mels = MelSource("paper", FRAMES, predicted)
    mels.require(clips)
    crop = SpeechCrops(clips, config, None, mels)[0]
    name, first = crop["id"].split("@")
    assert (1_000 * crop["mel"][0]).round().tolist() == list(range(int(first), int(first) + 10))
    path = next(path for path, clip in clips if clip.id == name)
    clip_wave, _ = files.read(path)
    np.testing.assert_array_equal(crop["wave"].numpy(), clip_wave[int(first) * 240 :][:2_400])


def test_clips_that_share_a_name_are_refused(clips, predicted: Path) -> None:
    with pytest.raises(CorpusError, match=rf"{clips[0][0].stem}\.npy: 2 clips share this name"):
        MelSource("paper", FRAMES, predicted).require([*clips, clips[0]])


def test_a_missing_or_malformed_predicted_mel_is_named(clips, predicted: Path) -> None:
    mels, path = MelSource("paper", FRAMES, predicted), predicted / f"{clips[1][0].stem}.npy"
    mel = np.load(path)
    np.save(path, mel[:, :-1])
    mels.require(clips)  # some systems count one frame less
    for damaged_mel in (mel[:, :-2], mel[:79], mel[0]):
        np.save(path, damaged_mel)
        with pytest.raises(CorpusError, match=rf"{path.name}: has shape .*; ru_\d+ needs \(80, \d+\)"):
            mels.require(clips)
    for damaged_mel, message in (
        (mel - 20, "the vocoder's mel config paper has 0 to 1"),
        (mel * np.nan, "frame 0 holds NaN"),
    ):
        np.save(path, damaged_mel)
        with pytest.raises(CorpusError, match=rf"{path.name}: mel: .*{message}"):
            mels.require(clips)
    path.write_bytes(b"not an array")
    with pytest.raises(CorpusError, match="damaged or not an array"):
        mels.require(clips)
    path.unlink()
    with pytest.raises(CorpusError, match="no such file; every clip needs its predicted mel"):
        mels.require(clips)
