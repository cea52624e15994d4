"""Progress in a redirected log: lines at intervals, with position, rate and remaining time."""

import re

import pytest

from basis_melgan import progress
from basis_melgan.progress import Progress, track


@pytest.fixture
def line_per_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print a line for every step, without waiting."""
    monkeypatch.setattr(progress, "FIRST_LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "LINE_INTERVAL_SECONDS", 0.0)


@pytest.mark.usefixtures("line_per_step")
def test_log_line_has_position_rate_and_remaining_time(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("step", 1_000, completed=10) as display:
        display.advance(2, "total 1.500")
        display.print("step 12: validation [1] 0.25")
    first, second = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"step 12 of 1000, \S+/s, \d+:\d\d:\d\d left; total 1\.500", first)
    assert second == "step 12: validation [1] 0.25"


@pytest.mark.usefixtures("line_per_step")
def test_disabled_progress_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("step", 2, enabled=False) as display:
        display.advance()
        display.print("hidden")
    assert list(track([1, 2], "item", enabled=False)) == [1, 2]
    assert capsys.readouterr().err == ""


def test_short_work_prints_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(iter("abc"), "letter", total=3)) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_lines_come_about_once_a_minute(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter(range(10_000))
    monkeypatch.setattr(progress.time, "monotonic", lambda: float(next(seconds)))
    assert sum(track(range(600), "item")) == 179_700
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == pytest.approx(int(next(seconds)) / progress.LINE_INTERVAL_SECONDS, abs=2)
    positions = [int(re.match(r"item (\d+) of 600", line)[1]) for line in lines]
    assert positions == sorted(set(positions))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00:00"), (59.6, "0:01:00"), (3_723, "1:02:03"), (1e6, "277:46:40")]
)
def test_durations(seconds: float, text: str) -> None:
    assert progress._format_duration(seconds) == text
