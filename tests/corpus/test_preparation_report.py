"""The report of a preparation: recordings used despite issues, and files that are not used."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from basis_melgan.audio import files
from basis_melgan.config.schema import Config, CorpusConfig
from basis_melgan.corpus import noise
from basis_melgan.corpus.prepare import prepare
from basis_melgan.errors import CorpusError, InputWarning

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
RATE = 24_000


def speech(clip: int = 0) -> files.Wave:
    wave = files.read(CLIPS[clip], 12_000, 24_000)[0]
    return wave / np.abs(wave).max()


def report(out: Path) -> dict:
    return json.loads((out / "report.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("jobs", [1, 2])
def test_level_changes_and_truncation_are_reported(
    jobs: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    soundfile.write(source / "loud.wav", 2.4 * speech(), RATE, subtype="FLOAT")
    soundfile.write(source / "inverted.wav", np.stack([speech(1), -speech(1)], axis=1), RATE)
    soundfile.write(source / "plain.wav", 0.5 * speech(2), RATE)
    soundfile.write(source / "cut.wav", 0.5 * speech(3), RATE)
    os.truncate(source / "cut.wav", 40_044)
    soundfile.write(source / "full.wav", np.sign(speech(4)) * np.abs(speech(4)) ** 0.3, 16_000)
    corpus = prepare("folder", out, source, Config(), jobs=jobs)

    waves = {clip.id: files.read(corpus.path(clip))[0] for clip in corpus.clips}
    np.testing.assert_allclose(waves["loud"], speech() * (1 - 2**-15), atol=2**-16 + 1e-6)
    np.testing.assert_allclose(waves["inverted"], speech(1), atol=2**-14)
    assert len(waves["cut"]) == 20_000
    assert report(out)["issues"] == {"incomplete": 1, "one channel used": 1, "scaled below full scale": 2}
    issues = {Path(entry["file"]).stem: entry for entry in report(out)["files_with_issues"]}
    assert issues["loud"]["scaled below full scale"].endswith("up to +7.6 dBFS; the recording is attenuated by 7.6 dB")
    assert issues["inverted"]["one channel used"].endswith("only channel 1 is used")
    assert "the end is missing" in issues["cut"]["incomplete"]
    assert "samples beyond full scale" in issues["full"]["scaled below full scale"]  # where it was resampled
    assert np.abs(waves["full"]).max() == pytest.approx(1 - 2**-15, abs=2**-15)
    summary = "0 skipped; 1 incomplete; 1 one channel used; 2 scaled below full scale (see "
    assert summary in capsys.readouterr().err

    before = (out / "report.json").read_bytes()
    prepare("folder", out, source, Config(), jobs=jobs)
    assert (out / "report.json").read_bytes() == before
    assert summary in capsys.readouterr().err


def test_floats_in_the_scale_of_integers_are_unusable(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    soundfile.write(source / "good.wav", speech(), RATE)
    soundfile.write(source / "integers.wav", 20_000 * speech(), RATE, subtype="FLOAT")
    prepare("folder", tmp_path / "out", source, Config(corpus=CorpusConfig(max_unusable_fraction=0.5)), jobs=1)
    (entry,) = report(tmp_path / "out")["skipped"]
    assert (Path(entry["file"]).name, entry["reason"]) == ("integers.wav", "unreadable")
    assert "as in the scale of 16-bit integers" in entry["detail"]


def test_unreadable_formats_count_as_unusable_and_other_files_are_listed(tmp_path: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    (source / "more").mkdir(parents=True)
    for index in range(4):
        soundfile.write(source / f"clip{index}.wav", speech(index), RATE)
        (source / "more" / f"clip{index}.m4a").write_bytes(b"\x00\x00\x00\x20ftypM4A ")
    for name in ("clip0.lab", "notes.TXT", "more/notes.txt", "README", ".hidden.m4a", "bare.raw"):
        (source / name).write_text("no sound", encoding="utf-8")
    (source / ".trash").mkdir()
    (source / ".trash" / "old.wav").touch()
    with pytest.raises(CorpusError, match=r"4 of 8 recordings are unusable, most often: unreadable \(4\)"):
        prepare("folder", out, source, Config(), jobs=1)
    corpus = prepare("folder", out, source, Config(corpus=CorpusConfig(max_unusable_fraction=0.5)), jobs=1)
    assert [clip.id for clip in corpus.clips] == ["clip0", "clip1", "clip2", "clip3"]
    assert report(out)["reasons"] == {"unreadable": 4}
    details = [entry["detail"] for entry in report(out)["skipped"]]
    assert all(".m4a cannot be read as sound here" in text and "ffmpeg -i IN OUT.wav" in text for text in details)
    assert report(out)["ignored_files"] == {"": 1, ".lab": 1, ".raw": 1, ".txt": 2}


def test_a_pipe_named_as_a_recording_is_reported_and_not_opened(tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    soundfile.write(source / "good.wav", speech(), RATE)
    os.mkfifo(source / "pipe.wav")
    prepare("folder", tmp_path / "out", source, Config(corpus=CorpusConfig(max_unusable_fraction=0.5)), jobs=1)
    (entry,) = report(tmp_path / "out")["skipped"]
    assert "is a pipe, a socket or a device" in entry["detail"]


def test_a_folder_of_noise_warns_of_files_that_cannot_be_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "rain.wav", speech(), RATE)
    for name in ("wind.m4a", "sea.opus.aac"):
        (tmp_path / name).touch()
    with pytest.warns(
        InputWarning,
        match=r"2 files \(\.aac, \.m4a\) are skipped because .* first .*sea\.opus\.aac; convert",
    ):
        assert files.find_files(tmp_path) == [tmp_path / "rain.wav"]


def test_a_noise_excerpt_is_finite_and_survives_channels_that_cancel(tmp_path: Path) -> None:
    inverted, with_nan = tmp_path / "inverted.wav", tmp_path / "with_nan.wav"
    soundfile.write(inverted, np.stack([speech(), -speech()], axis=1), RATE)
    part = noise.excerpt(np.random.default_rng(0), inverted, 4_000, RATE)
    assert np.square(part).mean() > 1e-4
    wave = speech().copy()
    wave[::100] = np.nan
    soundfile.write(with_nan, wave, RATE, subtype="FLOAT")
    with pytest.raises(
        CorpusError, match=r"with_nan\.wav: holds NaN or infinite samples; repair it or remove it from the noise folder"
    ):
        noise.excerpt(np.random.default_rng(0), with_nan, 4_000, RATE)
