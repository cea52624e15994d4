"""Progress of long work on standard error: a bar on a terminal, one line per minute in a redirected log."""

import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

from rich import progress as rich_progress
from rich.console import Console

FIRST_LINE_SECONDS = 10.0  # from the start to the first line of a redirected log
LINE_INTERVAL_SECONDS = 60.0  # between later lines

Item = TypeVar("Item")


class Progress:
    """Progress of work with a known number of steps; a context manager.

    Attributes:
        console: where it is printed.
    """

    def __init__(self, description: str, total: int, completed: int = 0, enabled: bool = True) -> None:
        """Prepare the display, which starts when the block is entered.

        Args:
            description: one word for the work, printed before the numbers.
            total: number of steps.
            completed: steps completed beforehand.
            enabled: whether to print anything; with several processes, only one does.
        """
        self.description, self.total, self.completed, self.enabled = description, total, completed, enabled
        self.console = Console(stderr=True)
        self._start_time = self._next_line_time = time.monotonic()
        self._initial, self._note = completed, ""
        self._bar = rich_progress.Progress(
            rich_progress.TextColumn(description),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TimeElapsedColumn(),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("{task.description}"),
            console=self.console,
            disable=not (enabled and self.console.is_terminal),
        )
        self._bar_task = self._bar.add_task("", total=total, completed=completed)

    def __enter__(self) -> Self:
        self._start_time = time.monotonic()
        self._next_line_time = self._start_time + FIRST_LINE_SECONDS
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Count completed steps, with a note on the latest one, such as its loss."""
        self.completed += steps
        self._note = note
        self._bar.update(self._bar_task, advance=steps, description=note)
        if not self.console.is_terminal and time.monotonic() >= self._next_line_time:
            self._next_line_time = time.monotonic() + LINE_INTERVAL_SECONDS
            self.print(self._line())

    def print(self, text: str) -> None:
        """Print a line, above the bar on a terminal."""
        if self.enabled:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _line(self) -> str:
        rate = (self.completed - self._initial) / max(time.monotonic() - self._start_time, 1e-9)
        remaining = _format_duration((self.total - self.completed) / rate)
        note = f"; {self._note}" if self._note else ""
        return f"{self.description} {self.completed} of {self.total}, {rate:.3g}/s, {remaining} left{note}"


def track(items: Iterable[Item], description: str, total: int | None = None, enabled: bool = True) -> Iterator[Item]:
    """Iterate over items and show progress.

    Args:
        items: what to iterate over.
        description: one word for the work.
        total: number of items; the length of `items`, a sequence, by default.
        enabled: whether to print anything.
    """
    count = len(items) if total is None and isinstance(items, Sequence) else total or 0
    with Progress(description, count, enabled=enabled) as progress:
        for item in items:
            yield item
            progress.advance()


def _format_duration(seconds: float) -> str:
    """Hours, minutes and seconds, such as 1:02:03."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"
