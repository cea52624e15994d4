"""Preparation of real speech: resuming, refusals, splits and ids; running again changes nothing."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from corpus_folders import speech, write_recordings
from hypothesis import given
from hypothesis import strategies as st

from basis_melgan.audio import files
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import Config, CorpusConfig
from basis_melgan.corpus import manifest
from basis_melgan.corpus.convert import Task
from basis_melgan.corpus.ids import assign_ids
from basis_melgan.corpus.listing import Entry
from basis_melgan.corpus.prepare import convert_all, prepare
from basis_melgan.corpus.splits import assign_splits
from basis_melgan.errors import CorpusError, OutputError

LENIENT = Config(corpus=CorpusConfig(max_unusable_fraction=0.9))


def _contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _reasons(out: Path) -> dict[str, str]:
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    return {Path(entry["file"]).name: entry["reason"] for entry in report["skipped"]}


def test_clips_equal_their_recordings(tmp_path):
    source = write_recordings(tmp_path / "in", 6)
    corpus = prepare("folder", tmp_path / "out", source, Config(), jobs=1)

    assert [clip.id for clip in corpus.clips] == [f"clip{index:02}" for index in range(6)]
    assert (corpus.name, corpus.recipe, corpus.sample_rate) == ("out", "folder", 24_000)
    for index, clip in enumerate(corpus.clips):
        wave, rate = files.read(corpus.path(clip))
        assert rate == 24_000
        assert soundfile.info(corpus.path(clip)).subtype == "PCM_16"
        np.testing.assert_array_equal(wave, speech(index))
        assert clip.sha256 == hashlib.sha256(corpus.path(clip).read_bytes()).hexdigest()
        assert clip.samples == 12_000
    assert corpus.seconds() == 3.0
    header = json.loads((tmp_path / "out" / "corpus.json").read_text(encoding="utf-8"))
    assert header["clips"] == {"train": 4, "validation": 1, "test": 1}
    assert header["hours"] == {"train": 0.0006, "validation": 0.0001, "test": 0.0001}
    assert manifest.load(tmp_path / "out") == (corpus,)


def test_one_unusable_recording_in_twenty_is_accepted_and_more_raise(tmp_path):
    source = write_recordings(tmp_path / "in", 19)
    (source / "bad0.wav").write_bytes(b"")
    assert len(prepare("folder", tmp_path / "out", source, Config(), jobs=1).clips) == 19

    soundfile.write(source / "bad1.wav", np.zeros(24_000), 24_000)
    soundfile.write(source / "bad2.wav", np.zeros(24_000), 24_000)
    with pytest.raises(
        CorpusError, match=r"3 of 22 recordings are unusable, most often: silent \(2\); the limit is 5%.*report\.json"
    ):
        prepare("folder", tmp_path / "out", source, Config(), jobs=1)
    assert _reasons(tmp_path / "out") == {"bad0.wav": "unreadable", "bad1.wav": "silent", "bad2.wav": "silent"}
    with pytest.raises(CorpusError, match=r"contains no corpus\.json"):
        manifest.load(tmp_path / "out")


def test_no_usable_recording_raises_at_any_limit(tmp_path):
    source = write_recordings(tmp_path / "in", 0)
    with pytest.raises(CorpusError, match="finds no recordings there"):
        prepare("folder", tmp_path / "out", source, LENIENT, jobs=1)
    (source / "bad.wav").write_bytes(b"")
    with pytest.raises(CorpusError, match=r"1 of 1 recordings are unusable, most often: unreadable \(1\)"):
        prepare("folder", tmp_path / "out", source, LENIENT, jobs=1)


def test_running_twice_changes_nothing_and_several_processes_write_the_same(tmp_path, capsys):
    source = write_recordings(tmp_path / "in", 20)
    (source / "bad.wav").write_bytes(b"")
    corpus = prepare("folder", tmp_path / "corpus", source, Config(), jobs=1)
    assert "× real time per core" in capsys.readouterr().err
    before = _contents(tmp_path / "corpus")
    again = prepare("folder", tmp_path / "corpus", source, Config(), jobs=2)
    assert again == corpus
    assert _contents(tmp_path / "corpus") == before
    assert "14 train, 3 validation, 3 test clips; 1 skipped (see " in capsys.readouterr().err

    prepare("folder", tmp_path / "other" / "corpus", source, Config(), jobs=2)
    parallel = _contents(tmp_path / "other" / "corpus")
    del before["sources.jsonl"], parallel["sources.jsonl"]  # they hold CPU seconds
    assert {name: entry[0] for name, entry in parallel.items()} == {name: entry[0] for name, entry in before.items()}


def test_an_interrupted_run_leaves_complete_clips_and_is_resumed(tmp_path, monkeypatch):
    source = write_recordings(tmp_path / "in", 8)
    uninterrupted = prepare("folder", tmp_path / "whole" / "out", source, Config(), jobs=1)
    written: list[str] = []
    write = files.write

    def interrupted_write(path: Path, wave: files.Wave, rate: int) -> None:
        if len(written) == 3:
            path.with_name(f".{path.name}.1.part").write_bytes(b"half a clip")
            raise KeyboardInterrupt
        written.append(path.stem)
        write(path, wave, rate)

    monkeypatch.setattr(files, "write", interrupted_write)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        prepare("folder", out, source, Config(), jobs=1)
    assert not (out / "corpus.json").exists()
    assert sorted(path.stem for path in (out / "flac").glob("[!.]*")) == ["clip00", "clip01", "clip02"]
    with (out / "sources.jsonl").open("a", encoding="utf-8") as lines:
        lines.write('{"id": "clip03", "sou')

    def recording_write(path: Path, wave: files.Wave, rate: int) -> None:
        written.append(path.stem)
        write(path, wave, rate)

    monkeypatch.setattr(files, "write", recording_write)
    resumed = prepare("folder", out, source, Config(), jobs=1)
    assert written == [f"clip{index:02}" for index in range(8)]
    assert resumed.clips == uninterrupted.clips
    assert [path.name for path in (out / "flac").iterdir() if path.suffix != ".flac"] == []


def test_only_changed_recordings_are_converted_again(tmp_path, monkeypatch):
    source = write_recordings(tmp_path / "in", 6)
    out = tmp_path / "out"
    before = prepare("folder", out, source, Config(), jobs=1)
    soundfile.write(source / "clip01.wav", speech(9), 24_000)
    os.utime(source / "clip01.wav", ns=(1, 1))
    (source / "clip02.wav").unlink()
    (out / "flac" / "clip03.flac").unlink()
    (out / "flac" / "clip04.flac").write_bytes(b"cut")
    soundfile.write(source / "new.wav", speech(10), 24_000)
    written: list[str] = []
    write = files.write
    monkeypatch.setattr(files, "write", lambda path, *wave: (written.append(path.stem), write(path, *wave)))
    after = prepare("folder", out, source, Config(), jobs=1)

    assert written == ["clip01", "clip03", "clip04", "new"]
    assert [clip.id for clip in after.clips] == ["clip00", "clip01", "clip03", "clip04", "clip05", "new"]
    assert after.clips[2].sha256 == before.clips[3].sha256
    assert after.data_hash != before.data_hash
    assert not (out / "flac" / "clip02.flac").exists()

    strict = replace(Config(), corpus=CorpusConfig(minimum_seconds=0.6, max_unusable_fraction=0.0))
    with pytest.raises(CorpusError, match=r"6 of 6 recordings are unusable, most often: too short \(6\)"):
        prepare("folder", out, source, strict, jobs=1)


def test_a_folder_with_another_corpus_or_other_files_is_refused(tmp_path):
    source, other_source = write_recordings(tmp_path / "in", 3), write_recordings(tmp_path / "other", 3)
    out = tmp_path / "out"
    prepare("folder", out, source, Config(), jobs=1)
    with pytest.raises(CorpusError, match="was prepared with recipe folder, not festvox-ru; choose another folder"):
        prepare("festvox-ru", out, source, Config(), jobs=1)
    with pytest.raises(CorpusError, match=r"was prepared with source .*in, not .*other"):
        prepare("folder", out, other_source, Config(), jobs=1)
    with pytest.raises(CorpusError, match="was prepared with sample_rate 24000, not 16000"):
        prepare("folder", out, source, Config(frames=FrameGeometry(sample_rate=16_000)), jobs=1)
    with pytest.raises(OutputError, match=r"holds unrelated files, such as clip00\.wav"):
        prepare("folder", other_source, source, Config(), jobs=1)
    with pytest.raises(CorpusError, match="lies inside the recordings"):
        prepare("folder", source / "prepared", source, Config(), jobs=1)
    assert len(list(other_source.iterdir())) == 3
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be created because"):
        prepare("folder", tmp_path / "file" / "out", source, Config(), jobs=1)


def test_a_run_without_recordings_leaves_nothing_behind(tmp_path):
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    for recipe, source, message in (
        ("folder", tmp_path / "mistyped", "no such folder"),
        ("folder", None, "needs a source"),
        ("folder", empty, "finds no recordings there"),
        ("ljspeech", empty, "is not laid out as ljspeech"),
        ("foldr", empty, "did you mean folder"),
    ):
        with pytest.raises(CorpusError, match=message):
            prepare(recipe, out, source, Config(), jobs=1)
        assert not out.exists()
    assert len(prepare("folder", out, write_recordings(tmp_path / "in", 3), Config(), jobs=1).clips) == 3


def test_progress_is_written_to_a_redirected_log(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("basis_melgan.progress.FIRST_LINE_SECONDS", 0.0)
    monkeypatch.setattr("basis_melgan.progress.LINE_INTERVAL_SECONDS", 0.0)
    prepare("folder", tmp_path / "out", write_recordings(tmp_path / "in", 3), Config(), jobs=1)
    *progress, summary = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in progress] == [f"prepare {count} of 3" for count in (1, 2, 3)]
    assert summary.startswith(f"{tmp_path / 'out'}: 0.00 h; 1 train, 1 validation, 1 test clips; 0 skipped; ")


def test_an_interrupted_download_is_resumed(tmp_path):
    package = tmp_path / "out" / "source" / "festvox-ru"
    (package / "etc").mkdir(parents=True)
    (package / "etc" / "txt.done.data").write_text("", encoding="utf-8")
    write_recordings(package / "wav", 3)
    assert len(prepare("festvox-ru", tmp_path / "out", None, Config(), jobs=1).clips) == 3
    (tmp_path / "out" / "sources.jsonl").unlink()
    with pytest.raises(OutputError, match=r"holds unrelated files, such as clips\.jsonl"):
        prepare("festvox-ru", tmp_path / "out", None, Config(), jobs=1)


def test_a_log_of_another_version_is_converted_again(tmp_path):
    source = write_recordings(tmp_path / "in", 3)
    corpus = prepare("folder", tmp_path / "out", source, Config(), jobs=1)
    log = tmp_path / "out" / "sources.jsonl"
    log.write_text(log.read_text("utf-8").replace('"source_stamp"', '"stamp"'), "utf-8")
    assert prepare("folder", tmp_path / "out", source, Config(), jobs=1) == corpus
    assert log.read_text("utf-8").count('"source_stamp"') == 3


def test_a_damaged_log_is_named(tmp_path):
    source = write_recordings(tmp_path / "in", 3)
    prepare("folder", tmp_path / "out", source, Config(), jobs=1)
    (tmp_path / "out" / "sources.jsonl").write_text("garbage\n")
    with pytest.raises(CorpusError, match=r"sources\.jsonl: damaged .*delete .*out and prepare it again"):
        prepare("folder", tmp_path / "out", source, Config(), jobs=1)


def test_a_random_sample_is_always_the_same(tmp_path):
    source = write_recordings(tmp_path / "in", 12)

    def drawn_ids(name: str, max_clips: int) -> list[str]:
        config = Config(corpus=CorpusConfig(max_clips=max_clips))
        return [clip.id for clip in prepare("folder", tmp_path / name, source, config, jobs=1).clips]

    first = drawn_ids("a", 5)
    assert len(set(first)) == 5
    assert first == sorted(first)
    assert drawn_ids("b", 5) == first
    assert first != [f"clip{index:02}" for index in range(5)]
    assert drawn_ids("a", 99) == [f"clip{index:02}" for index in range(12)]


@pytest.mark.parametrize(
    ("clips", "test", "validation", "expected"),
    [
        (1_100, 20, 20, (1_060, 20, 20)),
        (120, 20, 20, (80, 20, 20)),
        (119, 20, 20, (81, 19, 19)),
        (14, 20, 20, (10, 2, 2)),
        (3, 20, 20, (1, 1, 1)),
        (2, 20, 20, (2, 0, 0)),
        (30, 4, 4, (22, 4, 4)),
        (12, 6, 0, (8, 0, 4)),
        (9, 20, 10, (6, 1, 2)),
    ],
)
def test_splits_by_count(clips, test, validation, expected):
    splits = assign_splits(clips, test, validation)
    assert tuple(splits.count(split) for split in manifest.SPLITS) == expected
    assert splits == ["train"] * expected[0] + ["validation"] * expected[1] + ["test"] * expected[2]


@given(st.integers(1, 500), st.integers(0, 40), st.integers(0, 40))
def test_splits_always_leave_enough_to_train(clips, test, validation):
    splits = assign_splits(clips, test, validation)
    assert len(splits) == clips
    assert splits.count("test") <= test
    assert splits.count("validation") <= validation
    assert splits.count("train") >= max(1, clips / 3)


def test_splits_follow_the_sorted_file_names_whatever_the_order_of_listing():
    entries = [Entry(f"n{index}", Path(f"n{index}.wav"), "", "") for index in range(120)]
    assert [entry.id for entry in assign_ids(reversed(entries))] == sorted(f"n{index}" for index in range(120))


def test_ids_are_safe_and_unique_file_names():
    names = ["a/b", "a__b", "A/b", "x y:z", "ж/é", "../up", "a" * 400, "a" * 399 + "b", "bad\udcff", "語" * 100]
    ids = [entry.id for entry in assign_ids(Entry(name, Path(f"{name}.wav"), "", "") for name in names)]
    assert len({id.casefold() for id in ids}) == len(names)
    assert {"A__b", "x_y_z", "ж__é", "__up", "bad_"} <= set(ids)
    assert all(len(id.encode()) < 200 and "/" not in id and not id.startswith(".") for id in ids)


def test_names_in_any_script_and_of_invalid_utf8_are_handled(tmp_path):
    source = tmp_path / "in"
    (source / "говор").mkdir(parents=True)
    soundfile.write(source / "plain.wav", speech(), 24_000)
    (source / "plain.wav").rename(source / "говор" / "один.wav")
    for name in ("one.wav", "two.wav"):
        soundfile.write(source / name, speech(), 24_000)
    os.rename(source / "two.wav", os.fsencode(source) + b"/b\xff.wav")
    corpus = prepare("folder", tmp_path / "out", source, LENIENT, jobs=1)
    assert [clip.id for clip in corpus.clips] == ["one", "говор__один"]
    assert corpus == manifest.load(tmp_path / "out")[0]
    assert _reasons(tmp_path / "out") == {"b\udcff.wav": "unreadable"}  # soundfile opens no such name
    before = _contents(tmp_path / "out")
    prepare("folder", tmp_path / "out", source, LENIENT, jobs=1)
    assert _contents(tmp_path / "out") == before


def test_text_is_utf8_in_an_ascii_locale(tmp_path):
    voice = tmp_path / "voice"
    (voice / "etc").mkdir(parents=True)
    write_recordings(voice / "wav", 3)
    sentence = "Сон навалился\u2028на меня"  # str.splitlines splits there, JSON lines do not
    (voice / "etc" / "txt.done.data").write_text(f'( clip01 "{sentence}" )\n'.replace("\u2028", " "), encoding="utf-8")
    program = (
        "import sys; from pathlib import Path; from basis_melgan.config.schema import Config; "
        "from basis_melgan.corpus.prepare import prepare; "
        "prepare('festvox-ru', Path(sys.argv[1]), Path(sys.argv[2]), Config(), jobs=1); "
        "assert 'torch' not in sys.modules"
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "utf-8"}
    environment = {**os.environ, **locale, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, str(tmp_path / "out"), str(voice)]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    (corpus,) = manifest.load(tmp_path / "out")
    assert corpus.clips[1].text == "Сон навалился на меня"
    assert corpus.clips[1].speaker == "msu_ru_nsh"

    changed = replace(corpus, clips=tuple(replace(clip, text=sentence) for clip in corpus.clips))
    manifest.save(changed)
    assert manifest.load(tmp_path / "out") == (changed,)


class _ExitOnUnpickling:
    """Ends the process that receives it."""

    def __reduce__(self):
        return os._exit, (1,)


def test_a_killed_worker_is_not_reported_as_an_unusable_recording(tmp_path):
    tasks = [Task(str(index), "in.wav", "out.flac", 24_000, _ExitOnUnpickling()) for index in range(2)]
    with pytest.raises(CorpusError, match=r"one of 2 workers was killed.*fewer jobs"):
        list(convert_all(tasks, 2))
