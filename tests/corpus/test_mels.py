"""Mels of clips: as in the whole clip where they are computed, and as they lie there where they were predicted."""

from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import Config
from basis_melgan.corpus import manifest
from basis_melgan.corpus.datasets import SpeechCrops
from basis_melgan.corpus.mels import Mels
from basis_melgan.errors import CorpusError

FRAMES = FrameGeometry()


@pytest.fixture(scope="module")
def clips(corpus: Path):
    return manifest.load_clips(manifest.load(corpus), "train")


@pytest.fixture
def predicted(tmp_path: Path, clips) -> Path:
    """Mels that no recording has, so that they are known again: frame f of band b is (f + b / 100) / 1000."""
    for path, clip in clips:
        frames = FRAMES.mel_frames(clip.samples)
        mel = np.arange(frames)[None] + np.arange(80)[:, None] / 100
        np.save(tmp_path / f"{path.stem}.npy", (mel / 1_000).astype(np.float32))
    return tmp_path


@pytest.mark.parametrize("first", [0, 2, 30])
def test_an_excerpt_is_as_in_the_whole_clip(clips, first: int) -> None:
    path, _ = clips[0]
    whole, _ = files.read(path)
    wave, mel = Mels("paper", FRAMES).excerpt(path, first, 20)
    np.testing.assert_array_equal(wave, whole[first * 240 : (first + 20) * 240])
    np.testing.assert_allclose(mel, mel_spectrogram(whole, "paper", FRAMES)[:, first : first + 20], atol=1e-4)


def test_a_predicted_mel_is_cut_where_the_wave_is(clips, config: Config, predicted: Path) -> None:
    mels = Mels("paper", FRAMES, predicted)
    mels.require(clips)
    crop = SpeechCrops(clips, config, None, mels)[0]
    name, first = crop["id"].split("@")
    assert (1_000 * crop["mel"][0]).round().tolist() == list(range(int(first), int(first) + 10))
    path = next(path for path, clip in clips if clip.id == name)
    whole, _ = files.read(path)
    np.testing.assert_array_equal(crop["wave"].numpy(), whole[int(first) * 240 :][:2_400])


def test_clips_of_one_name_have_no_mel_of_their_own(clips, predicted: Path) -> None:
    with pytest.raises(CorpusError, match=rf"{clips[0][0].stem}\.npy: would be the mel of 2 clips of that name"):
        Mels("paper", FRAMES, predicted).require([*clips, clips[0]])


def test_what_is_missing_or_of_another_shape_is_refused_by_name(clips, predicted: Path) -> None:
    mels, victim = Mels("paper", FRAMES, predicted), predicted / f"{clips[1][0].stem}.npy"
    whole = np.load(victim)
    np.save(victim, whole[:, :-1])
    mels.require(clips)  # a frame less is how some systems count
    for spoilt in (whole[:, :-2], whole[:79], whole[0]):
        np.save(victim, spoilt)
        with pytest.raises(CorpusError, match=rf"{victim.name}: a mel of shape .*; ru_\d+ needs \(80, \d+\)"):
            mels.require(clips)
    for spoilt, message in (
        (whole - 20, "the vocoder's mel config paper has 0 to 1"),
        (whole * np.nan, "frame 0 holds NaN"),
    ):
        np.save(victim, spoilt)
        with pytest.raises(CorpusError, match=rf"{victim.name}: mel: .*{message}"):
            mels.require(clips)
    victim.write_bytes(b"no array")
    with pytest.raises(CorpusError, match="damaged or no array"):
        mels.require(clips)
    victim.unlink()
    with pytest.raises(CorpusError, match="no such file; every clip needs its predicted mel"):
        mels.require(clips)
