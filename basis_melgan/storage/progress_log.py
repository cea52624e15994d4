"""Resumable progress of a run: a file of JSON lines, the first with the run's metadata, then one per finished item."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basis_melgan.storage.atomic import output_errors, write_text


@dataclass(frozen=True)
class ProgressLog:
    """The log of one run.

    Attributes:
        path: the file of JSON lines.
        metadata: everything the results depend on; entries of a log with other metadata are discarded.
    """

    path: Path
    metadata: dict[str, Any]

    def resume(self) -> list[dict[str, Any]]:
        """Return the entries of an earlier run with the same metadata; start a new file if there is none.

        A line that an interruption cut short is dropped, with all lines after it.

        Raises:
            OutputError: the file cannot be written.
        """
        entries = self._stored_entries()
        self.rewrite(entries)
        return entries

    def append(self, entry: dict[str, Any]) -> None:
        """Add one finished item.

        Raises:
            OutputError: the file cannot be written.
        """
        with output_errors(self.path), self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(_line(entry))

    def rewrite(self, entries: Iterable[dict[str, Any]]) -> None:
        """Replace all entries; a file that already holds them is left untouched.

        Raises:
            OutputError: the file cannot be written.
        """
        write_text(self.path, "".join(map(_line, (self.metadata, *entries))))

    def _stored_entries(self) -> list[dict[str, Any]]:
        try:
            metadata, *entries = stored_lines(self.path)
        except (OSError, ValueError):  # a file that cannot be read cannot be written either: `rewrite` reports it
            return []
        return entries if metadata == self.metadata else []


def stored_lines(path: Path) -> list[dict[str, Any]]:
    """Return the metadata and the entries of a log, up to the first line that is cut short.

    Raises:
        OSError: the file cannot be read.
        ValueError: its first line, the metadata, is not a JSON object.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    metadata = json.loads(lines[0])
    if not isinstance(metadata, dict):
        raise ValueError("its first line is not a JSON object")
    return [metadata, *_complete_lines(lines[1:])]


def _complete_lines(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            yield dict(json.loads(line))
        except (ValueError, TypeError):
            return


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"
