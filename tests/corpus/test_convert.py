"""Conversion of single recordings: any input format, one output format, and a reason for each skipped one."""

import json
from pathlib import Path

import numpy as np
import soundfile
import soxr
from corpus_folders import CLIPS, speech, write_recordings

from basis_melgan.audio import files
from basis_melgan.config.schema import Config, CorpusConfig
from basis_melgan.corpus.convert import find_defect
from basis_melgan.corpus.prepare import prepare

LENIENT = Config(corpus=CorpusConfig(max_unusable_fraction=0.9))


def _reasons(out: Path) -> dict[str, str]:
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return {Path(entry["file"]).name: entry["reason"] for entry in report["skipped"]}


def test_every_rate_channel_count_and_format_is_converted(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    wave = speech(samples=24_000)
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
        converted, rate = files.read(corpus.path(clip))
        assert (rate, len(converted)) == (24_000, 24_000)
        assert np.mean((converted - target) ** 2) < np.mean(target**2) * 10 ** (-decibels / 10), clip.id


def test_every_kind_of_unusable_recording_is_reported_with_its_reason(tmp_path):
    source = write_recordings(tmp_path / "in", 2)
    wave = speech()
    with_nan = wave.copy()
    with_nan[100] = np.nan
    with_inf = wave.copy()
    with_inf[7] = np.inf
    soundfile.write(source / "nan.wav", with_nan, 24_000, subtype="FLOAT")
    soundfile.write(source / "inf.wav", with_inf, 24_000, subtype="FLOAT")
    soundfile.write(source / "empty.wav", wave[:0], 24_000)
    soundfile.write(source / "short.wav", wave[:7_199], 24_000)
    soundfile.write(source / "enough.wav", wave[:7_200], 24_000)
    soundfile.write(source / "silent.wav", wave * 1e-4 / np.abs(wave).max(), 24_000, subtype="FLOAT")
    soundfile.write(source / "clipped.wav", np.clip(wave * 1_000, -1, 1), 24_000)
    soundfile.write(source / "clipped8.wav", np.clip(wave * 1_000, -1, 1), 24_000, subtype="PCM_U8")
    (source / "text.wav").write_text("RIFF, but not really")
    (source / "nothing.flac").write_bytes(b"")
    content = CLIPS[0].read_bytes()
    (source / "damaged.flac").write_bytes(content[:8] + b"\xff" * 2_000 + content[2_008:])
    (source / "dangling.wav").symlink_to(source / "nowhere.wav")
    corpus = prepare("folder", tmp_path / "out", source, LENIENT, jobs=1)

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


def test_defects_follow_the_configured_limits():
    rules = CorpusConfig(minimum_seconds=0.1)
    wave = np.full(100, 0.00101, np.float32)
    assert find_defect(wave, 1_000, rules) == ("", "")
    assert find_defect(wave[:99], 1_000, rules)[0] == "too short"
    assert find_defect(wave * np.float32(0.98), 1_000, rules)[0] == "silent"
    wave[:5] = -1.0
    assert find_defect(wave, 1_000, rules) == ("", "")
    wave[5] = 1.0
    assert find_defect(wave, 1_000, rules) == (
        "clipped",
        "6.0% of samples at full scale; the limit is 5%",
    )
