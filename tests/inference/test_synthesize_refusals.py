"""Refusal of invalid mels, recordings and outputs."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_vocoders import CLIPS, HOP, RATE, mel_of, read_speech, save_vocoder, vocode_file

from basis_melgan.audio import files
from basis_melgan.config.schema import Config
from basis_melgan.errors import AudioError, MelError, ModelFileError, OutputError
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.playback import play
from basis_melgan.inference.sources import read_mel
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.models import model_file


def with_value(value: float, frame: int) -> np.ndarray:
    mel = mel_of(20)
    mel[7, frame] = value
    return mel


@pytest.mark.parametrize(
    ("mel", "message"),
    [
        (np.zeros((20, 80), np.float32), r"shape \(20, 80\): looks like \(frames, bands\); .* so transpose it"),
        (np.zeros((100, 20), np.float32), r"shape \(100, 20\): expected \(80, F\) .*, the bands .* paper"),
        (np.zeros((2, 80, 20), np.float32), r"shape \(2, 80, 20\): holds 2 mels; save each to a file of its own"),
        (np.zeros(80, np.float32), r"shape \(80,\): expected \(80, F\)"),
        (np.zeros((80, 0), np.float32), r"shape \(80, 0\): holds no frame"),
        (np.zeros((80, 20), np.int16), "holds int16; expected floats"),
        (np.zeros((80, 20), np.complex64), "holds complex64; expected floats"),
        (with_value(np.nan, 13), "frame 13 holds NaN or infinite values"),
        (with_value(-np.inf, 4), "frame 4 holds NaN or infinite values"),
        (
            with_value(-11.5, 4),
            r"values from -11\.5 to .* the vocoder's mel config paper has 0 to 1; .* looks like natural log",
        ),
        (100 * mel_of(20), r"mel config paper has 0 to 1; this one looks like magnitudes: take decibels of them"),
        (-1e4 * mel_of(20), r"the vocoder's mel config paper has 0 to 1, so compute the mel with paper"),
    ],
)
def test_incompatible_mel_is_refused(
    mel: np.ndarray, message: str, model: Path, vocoder: Vocoder, tmp_path: Path
) -> None:
    if mel.ndim < 3:  # the Python interface accepts batches
        with pytest.raises(MelError, match=message):
            vocoder(mel)
    np.save(tmp_path / "mel.npy", mel)
    with pytest.raises(MelError, match=message):
        vocode_file(tmp_path / "mel.npy", tmp_path / "out.wav", model)
    assert [path.name for path in tmp_path.iterdir()] == ["mel.npy"]


def test_slightly_out_of_range_mel_is_accepted(vocoder: Vocoder) -> None:
    assert np.isfinite(vocoder(1.2 * mel_of(5) - 0.1)).all()


def test_decibels_are_refused_as_natural_logarithms(tmp_path: Path) -> None:
    vocoder = load_vocoder(save_vocoder(tmp_path / "vocoder.safetensors", "hifigan"))
    mel = vocoder.mel(read_speech(), RATE)
    assert vocoder(mel).size == mel.shape[1] * HOP
    with pytest.raises(MelError, match=r"the vocoder's mel config hifigan has -11\.51 to 10"):
        vocoder(20 / np.log(10) * mel)


def write_truncated(path: Path) -> None:
    np.save(path, mel_of(9))
    path.write_bytes(path.read_bytes()[:-100])


def write_pickle(path: Path) -> None:
    np.save(path, np.array([{"mel": 1}], dtype=object), allow_pickle=True)


def write_archive(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, mel=mel_of(9))


def write_huge_header(path: Path) -> None:
    np.save(path, mel_of(9))
    path.write_bytes(path.read_bytes().replace(b"9), }" + b" " * 30, b"9" * 31 + b"), }"))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: None, r"mel\.npy: no such file"),
        (lambda path: path.mkdir(), r"mel\.npy: damaged or no array"),
        (lambda path: path.write_bytes(b""), r"mel\.npy: damaged or no array"),
        (lambda path: path.write_bytes(b"not an array"), r"mel\.npy: damaged or no array"),
        (lambda path: path.write_bytes(b"PK\x03\x04" + bytes(50)), r"mel\.npy: damaged or no array"),
        (write_truncated, r"mel\.npy: damaged or no array"),
        (write_pickle, r"mel\.npy: damaged or no array"),
        (write_archive, r"mel\.npy: damaged or no array"),
        (write_huge_header, r"mel\.npy: damaged or no array"),
    ],
)
def test_file_without_a_mel_is_refused(write: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    write(tmp_path / "mel.npy")
    with pytest.raises(MelError, match=message):
        read_mel(tmp_path / "mel.npy")


def test_damage_of_any_header_byte_is_reported(tmp_path: Path) -> None:
    path, rng = tmp_path / "mel.npy", np.random.default_rng(0)
    np.save(path, mel_of(3))
    content = path.read_bytes()
    refusals = 0
    for position in range(128):
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            read_mel(path)
        except MelError:
            refusals += 1
    assert refusals > 40


def test_existing_output_is_kept_unless_forced(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.wav"
    out.write_text("existing", encoding="utf-8")
    with pytest.raises(OutputError, match=r"out\.wav: exists already; use --force"):
        vocode_file(tmp_path / "gone.npy", out, model)
    assert out.read_text(encoding="utf-8") == "existing"
    vocode_file(CLIPS[0], out, model, force=True)
    assert files.length(out) == files.length(CLIPS[0])


@pytest.mark.parametrize("name", ["mel.pth", "mel.txt", "speech"])
def test_unknown_source_format_is_refused(name: str, model: Path, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(AudioError, match=r"is neither a mel \(\.npy, \.npz, \.pt\) nor a sound file"):
        vocode_file(tmp_path / name, tmp_path / "out.wav", model)


def test_missing_source_and_folder_are_reported(model: Path, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"speech: no such file; expected a mel \(.*\) or a sound file"):
        vocode_file(tmp_path / "speech", tmp_path / "out.wav", model)
    with pytest.raises(AudioError, match=r"is a folder; name one file"):
        play(str(tmp_path), load_vocoder(model))
    (tmp_path / "speech").touch()
    with pytest.raises(OutputError, match=r"cannot be created because .*speech is a file; choose another place"):
        vocode_file(CLIPS[0].parent, tmp_path / "speech" / "out", model)


def test_unknown_output_format_is_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"out\.mp3: \.mp3 is no format"):
        vocode_file(CLIPS[0], tmp_path / "out.mp3", model)


def test_invalid_recording_is_refused(model: Path, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "empty.wav", np.zeros(0), RATE)
    soundfile.write(tmp_path / "broken.wav", np.array([0.0, np.nan, 0.0]), RATE, subtype="FLOAT")
    for name, message in (("empty", "holds no samples"), ("broken", "sample 1 .* is NaN"), ("gone", "no such file")):
        with pytest.raises(AudioError, match=rf"{name}\.wav: {message}"):
            vocode_file(tmp_path / f"{name}.wav", tmp_path / "out.wav", model)
    assert {path.name for path in tmp_path.iterdir()} == {"empty.wav", "broken.wav"}


def test_separator_is_refused_as_a_vocoder(tmp_path: Path) -> None:
    model_file.save(tmp_path / "separator.safetensors", "separator", {}, Config(), model_file.Origin(1, "none"))
    with pytest.raises(ModelFileError, match=r"separator\.safetensors: holds a separator; expected a vocoder"):
        load_vocoder(tmp_path / "separator.safetensors")
