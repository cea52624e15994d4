"""Progress in a file: a line in a while, with what a reader of a log wants to know."""

import re

import pytest

from basis_melgan import progress
from basis_melgan.progress import Progress, track


@pytest.fixture
def every_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line for every part, however fast they come."""
    monkeypatch.setattr(progress, "FIRST_LINE", 0.0)
    monkeypatch.setattr(progress, "LINES", 0.0)


@pytest.mark.usefixtures("every_part")
def test_a_log_says_how_far_the_work_is_how_fast_and_how_long_it_will_take(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("step", 1_000, done=10) as shown:
        shown.advance(2, "total 1.500")
        shown.say("step 12: validation [1] 0.25")
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"step 12 of 1000, \S+/s, \d+:\d\d:\d\d left; total 1\.500", first)
    assert second == "step 12: validation [1] 0.25"


@pytest.mark.usefixtures("every_part")
def test_only_one_of_several_processes_shows_anything(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("step", 2, shown=False) as silent:
        silent.advance()
        silent.say("unheard")
    assert list(track([1, 2], "part", shown=False)) == [1, 2]
    assert capsys.readouterr().err == ""


def test_short_work_leaves_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(iter("abc"), "letter", parts=3)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_lines_come_about_once_a_minute(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter(range(10_000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(seconds)))
    assert sum(track(range(600), "part")) == 179_700
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == pytest.approx(int(next(seconds)) / progress.LINES, abs=2)
    assert [int(re.match(r"part (\d+) of 600", line)[1]) for line in lines] == sorted(
        {int(re.match(r"part (\d+) of 600", line)[1]) for line in lines}
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00:00"), (59.6, "0:01:00"), (3_723, "1:02:03"), (1e6, "277:46:40")]
)
def test_durations(seconds: float, text: str) -> None:
    assert progress._duration(seconds) == text
