"""The journal of a run: what it keeps, and what it does not take for its own."""

import json
from pathlib import Path

import pytest

from basis_melgan.errors import OutputError
from basis_melgan.storage.progress_log import ProgressLog

IDENTITY = {"data": "abc", "systems": [["x", "x"]]}


@pytest.fixture
def journal(tmp_path) -> ProgressLog:
    return ProgressLog(tmp_path / "new" / "journal", IDENTITY)


def test_entries_of_the_same_run_are_found_again(journal):
    assert list(journal.entries()) == []
    journal.add('{"clip": "ä"}')
    journal.add('{"clip": "b"}')
    assert list(ProgressLog(journal.path, IDENTITY).entries()) == [{"clip": "ä"}, {"clip": "b"}]


def test_another_run_starts_afresh(journal):
    list(journal.entries())
    journal.add('{"clip": "a"}')
    other = ProgressLog(journal.path, {"data": "other"})
    assert list(other.entries()) == []
    assert journal.path.read_text("utf-8") == '{"data": "other"}\n'


def test_a_line_that_was_cut_short_is_dropped_and_written_over(journal):
    list(journal.entries())
    journal.add('{"clip": "a"}')
    with journal.path.open("a") as file:
        file.write('{"clip": "b')
    assert list(journal.entries()) == [{"clip": "a"}]
    journal.add('{"clip": "c"}')
    assert list(journal.entries()) == [{"clip": "a"}, {"clip": "c"}]


def test_a_damaged_file_is_no_journal(journal):
    journal.path.parent.mkdir()
    journal.path.write_bytes(b"\xff\x00{")
    assert list(journal.entries()) == []
    assert json.loads(journal.path.read_text("utf-8")) == IDENTITY


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        list(ProgressLog(tmp_path / "file" / "journal", IDENTITY).entries())


def test_what_cannot_be_added_is_an_error(tmp_path: Path):
    with pytest.raises(OutputError, match="cannot be written"):
        ProgressLog(tmp_path, IDENTITY).add("{}")
