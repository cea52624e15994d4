"""Progress of long work on standard error: a bar on a terminal, and a line a minute where it goes to a file."""

import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self, TypeVar

from rich import progress as rich_progress
from rich.console import Console

FIRST_LINE, LINES = 10.0, 60.0  # seconds from the beginning to the first line in a file, and from each to the next

Item = TypeVar("Item")


class Progress:
    """How far work is of which the number of parts is known.

    Attributes:
        console: where it shows.
    """

    def __init__(self, work: str, parts: int, done: int = 0, shown: bool = True) -> None:
        """Show nothing yet: that begins with the block.

        Args:
            work: what is done, as a word before the figures.
            parts: how many there are.
            done: how many of them are done already.
            shown: whether to show anything; of several processes one does.
        """
        self.work, self.parts, self.done, self.shown = work, parts, done, shown
        self.console = Console(stderr=True)
        self._begun = self._next_line = time.monotonic()
        self._done_before, self._note = done, ""
        self._bar = rich_progress.Progress(
            rich_progress.TextColumn(work),
            rich_progress.BarColumn(),
            rich_progress.MofNCompleteColumn(),
            rich_progress.TimeElapsedColumn(),
            rich_progress.TimeRemainingColumn(),
            rich_progress.TextColumn("{task.description}"),
            console=self.console,
            disable=not (shown and self.console.is_terminal),
        )
        self._row = self._bar.add_task("", total=parts, completed=done)

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._next_line = self._begun + FIRST_LINE
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def advance(self, parts: int = 1, note: str = "") -> None:
        """Say that so many more parts are done, and a word on the latest of them."""
        self.done += parts
        self._note = note
        self._bar.update(self._row, advance=parts, description=note)
        if not self.console.is_terminal and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINES
            self.say(self._line())

    def say(self, text: str) -> None:
        """Print a line, above the bar where there is one."""
        if self.shown:
            self.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _line(self) -> str:
        rate = (self.done - self._done_before) / max(time.monotonic() - self._begun, 1e-9)
        left = _duration((self.parts - self.done) / rate)
        note = f"; {self._note}" if self._note else ""
        return f"{self.work} {self.done} of {self.parts}, {rate:.3g}/s, {left} left{note}"


def track(items: Iterable[Item], work: str, parts: int | None = None, shown: bool = True) -> Iterator[Item]:
    """Go through items, a part of some work each, and show how far it is.

    Args:
        items: to go through.
        work: what is done to them.
        parts: how many there are; as many as the items, which then are a sequence, unless given.
        shown: whether to show anything.
    """
    count = len(items) if parts is None and isinstance(items, Sequence) else parts or 0
    with Progress(work, count, shown=shown) as progress:
        for item in items:
            yield item
            progress.advance()


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds, such as 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
