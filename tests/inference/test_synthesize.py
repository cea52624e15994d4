"""Synthesis of mels, recordings and folders: lengths, formats and equality with one pass."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_vocoders import CLIPS, HOP, QUANTUM, RATE, mel_of, one_pass, read_speech, save_vocoder, vocode_file

from basis_melgan.audio import files, mel_chunks
from basis_melgan.audio.mel import mel_config, mel_spectrogram
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import MelConfigName
from basis_melgan.errors import AudioError, BasisMelGANError, ModelFileError, OutputError
from basis_melgan.inference import pretrained
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.vocoder import Vocoder

# Mels


@pytest.mark.parametrize("kind", ["float32", "float64", "float16"])
def test_output_length_is_frames_times_hop(kind: str, model: Path, tmp_path: Path) -> None:
    mel = mel_of(23).astype(kind)
    np.save(tmp_path / "mel.npy", mel)
    vocode_file(tmp_path / "mel.npy", tmp_path / "new" / "out.wav", model)
    wave, rate = files.read(tmp_path / "new" / "out.wav")
    assert (rate, wave.size) == (RATE, 23 * HOP)
    np.testing.assert_allclose(wave, one_pass(model, mel), atol=QUANTUM)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out.wav"]


def test_memory_order_of_a_mel_has_no_effect(model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", mel_of(9))
    np.save(tmp_path / "columns.npy", np.asfortranarray(mel_of(9)))
    for name in ("rows", "columns"):
        vocode_file(tmp_path / f"{name}.npy", tmp_path / f"{name}.wav", model)
    assert (tmp_path / "rows.wav").read_bytes() == (tmp_path / "columns.wav").read_bytes()


# Recordings


@pytest.mark.parametrize("name", ["paper", "hifigan", "bigvgan", "vocos"])
def test_resynthesis_keeps_the_length_of_a_recording(name: MelConfigName, tmp_path: Path) -> None:
    vocoder = load_vocoder(save_vocoder(tmp_path / "vocoder.safetensors", name))
    for samples in (1, 239, 240, 241, 4_800, 4_999):
        assert vocoder.resynthesize(read_speech(samples), RATE).shape == (samples,)
    for rate in (8_000, 16_000, 44_100):
        expected = files.resample(read_speech(4_999), rate, RATE).shape
        assert vocoder.resynthesize(read_speech(4_999), rate).shape == expected


def test_resynthesis_equals_synthesis_of_the_mel(model: Path, vocoder: Vocoder) -> None:
    wave = read_speech(24_001)
    mel = mel_spectrogram(wave, "paper", FrameGeometry())
    expected = one_pass(model, mel)[: wave.size]
    np.testing.assert_allclose(vocoder.resynthesize(wave, RATE), expected, atol=1e-5)


@pytest.mark.parametrize("name", ["paper", "hifigan"])
def test_chunked_resynthesis_equals_whole(name: MelConfigName, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(mel_chunks, "CHUNK", 5)
    vocoder = load_vocoder(save_vocoder(tmp_path / "vocoder.safetensors", name))
    wave = files.read(CLIPS[0], 20_000, 30_001)[0]
    expected = vocoder.resynthesize(wave, RATE)
    chunks = list(vocoder.resynthesize_chunks(np.split(wave, [1, 9_000, 9_000, 25_000])))
    assert len(chunks) > 2
    np.testing.assert_allclose(np.concatenate(chunks), expected, atol=1e-4)


def test_uncentered_mel_covers_the_end_of_the_wave(tmp_path: Path) -> None:
    vocoder = load_vocoder(save_vocoder(tmp_path / "vocoder.safetensors", "hifigan"))
    assert not mel_config("hifigan").centered
    assert vocoder.mel(read_speech(241), RATE).shape == (80, 2)
    padded = np.pad(read_speech(1_000), (0, 200))
    np.testing.assert_array_equal(
        vocoder.mel(read_speech(1_000), RATE), mel_spectrogram(padded, "hifigan", FrameGeometry())
    )


@pytest.mark.parametrize("rate", [24_000, 16_000, 44_100])
def test_sample_rate_and_channels_are_converted(rate: int, model: Path, vocoder: Vocoder, tmp_path: Path) -> None:
    stereo = np.stack([read_speech(), 0.2 * read_speech()], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, rate, subtype="FLOAT")
    vocode_file(tmp_path / "stereo.wav", tmp_path / "out.flac", model)
    wave, wave_rate = files.read(tmp_path / "out.flac")
    expected = vocoder.resynthesize(files.read(tmp_path / "stereo.wav")[0], rate)
    assert wave_rate == RATE
    assert wave.shape == expected.shape == files.resample(read_speech(), rate, RATE).shape
    np.testing.assert_allclose(wave, expected, atol=QUANTUM)


def test_pretrained_vocoder_is_the_default(tmp_path: Path, monkeypatch) -> None:
    vocode_file(CLIPS[0], tmp_path / "out.wav")
    assert files.length(tmp_path / "out.wav") == files.length(CLIPS[0])
    monkeypatch.setattr(pretrained, "PACKAGE", tmp_path / "package")
    with pytest.raises(ModelFileError, match=r"speech-24k: neither a file nor a model that comes with this package"):
        vocode_file(CLIPS[0], tmp_path / "other.wav")


# Folders


def test_folders_and_patterns_are_synthesized_file_by_file(model: Path, tmp_path: Path, capfd, monkeypatch) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name, frames in (("in/a", 5), ("in/b", 8), ("in/deep/c", 3)):
        np.save(tmp_path / f"{name}.npy", mel_of(frames))
    for name in ("notes.txt", "._a.wav", "report.json"):
        (tmp_path / "in" / name).write_text("no mel", encoding="utf-8")
    vocode_file(tmp_path / "in", tmp_path / "out", model)
    lengths = {
        path.relative_to(tmp_path / "out").as_posix(): files.length(path)[0]
        for path in (tmp_path / "out").rglob("*.wav")
    }
    assert lengths == {"a.wav": 5 * HOP, "b.wav": 8 * HOP, "deep/c.wav": 3 * HOP}
    with pytest.raises(OutputError, match=r"a\.wav: exists already"):
        vocode_file(tmp_path / "in", tmp_path / "out", model)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # outputs of the first run are not sources of the second
        vocode_file(tmp_path / "in", Path("in/out"), model, force=True)
    assert len(list((tmp_path / "in" / "out").rglob("*.wav"))) == 3
    shutil.rmtree(tmp_path / "in" / "out")
    vocode_file(tmp_path / "in" / "?.npy", tmp_path / "some", model)
    assert sorted(path.name for path in (tmp_path / "some").iterdir()) == ["a.wav", "b.wav"]
    with pytest.raises(AudioError, match="holds neither mels"):
        vocode_file(tmp_path / "in" / "*.flac", tmp_path / "none", model)
    np.save(tmp_path / "in" / "deep" / "d.npy", np.zeros((3, 3), np.float32))
    with pytest.raises(BasisMelGANError, match="1 of 4 files could not be synthesized"):
        vocode_file(tmp_path / "in", tmp_path / "others", model)
    assert re.search(r"^\S*d\.npy: mel of shape \(3, 3\): expected .*$", capfd.readouterr().err, re.MULTILINE)
    assert sorted(path.name for path in (tmp_path / "others").rglob("*.*")) == ["a.wav", "b.wav", "c.wav"]
