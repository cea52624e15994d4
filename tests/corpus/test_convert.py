"""What becomes of one recording: any format in, one format out, and a reason for each that is refused."""

import json
from pathlib import Path

import numpy as np
import soundfile
import soxr

from basis_melgan.audio import files
from basis_melgan.config.schema import Config, CorpusConfig
from basis_melgan.corpus.convert import judge
from basis_melgan.corpus.prepare import prepare

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
FORGIVING = Config(corpus=CorpusConfig(max_unusable_fraction=0.9))


def _speech(clip: int = 0, samples: int = 12_000) -> files.Wave:
    start = 12_000  # past the pause at the beginning
    return files.read(CLIPS[clip], start, samples)[0]


def _recordings(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        soundfile.write(folder / f"clip{index:02}.wav", _speech(index % len(CLIPS)), 24_000)
    return folder


def _reasons(out: Path) -> dict[str, str]:
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return {Path(entry["file"]).name: entry["reason"] for entry in report["skipped"]}


def test_any_rate_channel_count_and_format_is_brought_to_one(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    wave = _speech(samples=24_000)
    at48, at16, at8 = (soxr.resample(wave, 24_000, rate, quality="VHQ") for rate in (48_000, 16_000, 8_000))
    soundfile.write(source / "stereo48.wav", np.stack([at48, 0.5 * at48], axis=1), 48_000, subtype="PCM_24")
    soundfile.write(source / "eight.wav", wave, 24_000, subtype="PCM_U8")
    soundfile.write(source / "vorbis.ogg", at16, 16_000)
    soundfile.write(source / "law.au", at8, 8_000, subtype="ULAW")
    soundfile.write(source / "float.aiff", wave, 24_000, subtype="FLOAT")
    corpus = prepare("folder", tmp_path / "out", source, Config(), jobs=1)

    expected = {
        "stereo48": (0.75 * wave, 40.0),
        "eight": (wave, 20.0),  # 8 bits of a quiet voice
        "vorbis": (soxr.resample(at16, 16_000, 24_000, quality="VHQ"), 12.0),  # a lossy codec
        "law": (soxr.resample(at8, 8_000, 24_000, quality="VHQ"), 25.0),
        "float": (wave, 50.0),
    }
    assert {clip.id for clip in corpus.clips} == set(expected)
    for clip in corpus.clips:
        target, decibels = expected[clip.id]
        got, rate = files.read(corpus.path(clip))
        assert (rate, len(got)) == (24_000, 24_000)
        assert np.mean((got - target) ** 2) < np.mean(target**2) * 10 ** (-decibels / 10), clip.id


def test_every_kind_of_bad_recording_is_reported_with_its_reason(tmp_path):
    source = _recordings(tmp_path / "in", 2)
    wave = _speech()
    hole = wave.copy()
    hole[100] = np.nan
    blast = wave.copy()
    blast[7] = np.inf
    soundfile.write(source / "nan.wav", hole, 24_000, subtype="FLOAT")
    soundfile.write(source / "inf.wav", blast, 24_000, subtype="FLOAT")
    soundfile.write(source / "empty.wav", wave[:0], 24_000)
    soundfile.write(source / "short.wav", wave[:7_199], 24_000)
    soundfile.write(source / "enough.wav", wave[:7_200], 24_000)
    soundfile.write(source / "silent.wav", wave * 1e-4 / np.abs(wave).max(), 24_000, subtype="FLOAT")
    soundfile.write(source / "clipped.wav", np.clip(wave * 1_000, -1, 1), 24_000)
    soundfile.write(source / "clipped8.wav", np.clip(wave * 1_000, -1, 1), 24_000, subtype="PCM_U8")
    (source / "text.wav").write_text("RIFF, but not really")
    (source / "nothing.flac").write_bytes(b"")
    whole = CLIPS[0].read_bytes()
    (source / "damaged.flac").write_bytes(whole[:8] + b"\xff" * 2_000 + whole[2_008:])
    (source / "dangling.wav").symlink_to(source / "nowhere.wav")
    corpus = prepare("folder", tmp_path / "out", source, FORGIVING, jobs=1)

    assert [clip.id for clip in corpus.clips] == ["clip00", "clip01", "enough"]
    assert _reasons(tmp_path / "out") == {
        "nan.wav": "NaN or Inf",
        "inf.wav": "NaN or Inf",
        "empty.wav": "empty",
        "short.wav": "too short",
        "silent.wav": "silent",
        "clipped.wav": "clipped",
        "clipped8.wav": "clipped",
        "text.wav": "unreadable",
        "nothing.flac": "unreadable",
        "damaged.flac": "unreadable",
        "dangling.wav": "unreadable",
    }
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["recordings"] == 14
    assert report["reasons"]["unreadable"] == 4
    details = {Path(entry["file"]).name: entry["detail"] for entry in report["skipped"]}
    assert details["short.wav"] == "0.300 s; corpus.minimum_seconds is 0.3"
    assert sorted(path.stem for path in (tmp_path / "out" / "flac").iterdir()) == ["clip00", "clip01", "enough"]


def test_judge_draws_each_line_where_the_configuration_says():
    rules = CorpusConfig(minimum_seconds=0.1)
    wave = np.full(100, 0.00101, np.float32)
    assert judge(wave, 1_000, rules) == ("", "")
    assert judge(wave[:99], 1_000, rules)[0] == "too short"
    assert judge(wave * np.float32(0.98), 1_000, rules)[0] == "silent"
    wave[:5] = -1.0
    assert judge(wave, 1_000, rules) == ("", "")
    wave[5] = 1.0
    assert judge(wave, 1_000, rules) == (
        "clipped",
        "6.0% of samples at full scale; at most 5% may be",
    )
