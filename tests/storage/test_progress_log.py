"""Progress logs: entries of the same run are resumed, those of another run and damaged lines are not."""

import json
from pathlib import Path

import pytest

from basis_melgan.errors import OutputError
from basis_melgan.storage.progress_log import ProgressLog

METADATA = {"data": "abc", "systems": [["x", "x"]]}


@pytest.fixture
def log(tmp_path: Path) -> ProgressLog:
    return ProgressLog(tmp_path / "new" / "progress.jsonl", METADATA)


def test_entries_of_the_same_run_are_resumed(log: ProgressLog) -> None:
    assert log.resume() == []
    entries = [{"clip": "ä"}, {"clip": "two\u2028lines"}, {"clip": "bytes \udcff"}]
    for entry in entries:
        log.append(entry)
    assert ProgressLog(log.path, METADATA).resume() == entries
    assert ProgressLog(log.path, METADATA).resume() == entries  # also after `resume` has rewritten the file


def test_entries_of_another_run_are_discarded(log: ProgressLog) -> None:
    log.resume()
    log.append({"clip": "a"})
    assert ProgressLog(log.path, {"data": "other"}).resume() == []
    assert log.path.read_text("utf-8") == '{"data": "other"}\n'


def test_a_truncated_line_is_dropped_and_overwritten(log: ProgressLog) -> None:
    log.resume()
    log.append({"clip": "a"})
    with log.path.open("a") as file:
        file.write('{"clip": "b')
    assert log.resume() == [{"clip": "a"}]
    log.append({"clip": "c"})
    assert log.resume() == [{"clip": "a"}, {"clip": "c"}]


def test_rewriting_the_same_entries_leaves_the_file_untouched(log: ProgressLog) -> None:
    log.rewrite([{"clip": "a"}])
    modified = log.path.stat().st_mtime_ns
    log.rewrite([{"clip": "a"}])
    assert log.path.stat().st_mtime_ns == modified
    log.rewrite([])
    assert log.resume() == []


@pytest.mark.parametrize("content", [b"\xff\x00{", b"[1]\n", b""])
def test_a_damaged_log_is_started_afresh(log: ProgressLog, content: bytes) -> None:
    log.path.parent.mkdir()
    log.path.write_bytes(content)
    assert log.resume() == []
    assert json.loads(log.path.read_text("utf-8")) == METADATA


def test_an_unwritable_path_raises(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        ProgressLog(tmp_path / "file" / "progress.jsonl", METADATA).resume()
    with pytest.raises(OutputError, match="cannot be written"):
        ProgressLog(tmp_path, METADATA).append({})
