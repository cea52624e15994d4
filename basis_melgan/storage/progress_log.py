"""What an interrupted run had done already: a file of JSON lines beside its result."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basis_melgan.errors import OutputError
from basis_melgan.storage.atomic import write_text


@dataclass(frozen=True)
class ProgressLog:
    """A file whose first line says which run it belongs to, and each later line holds one thing that is done."""

    path: Path
    identity: dict[str, Any]  # of the run: whatever, if it were different, would give other results

    def entries(self) -> Iterator[dict[str, Any]]:
        """What an earlier run of the same identity has done; starts the file afresh where there is none.

        A line that an interruption cut short, and all after it, are dropped.

        Raises:
            OutputError: the file cannot be written.
        """
        kept = list(self._kept())
        lines = [json.dumps(entry, ensure_ascii=False) for entry in (self.identity, *kept)]
        write_text(self.path, "\n".join(lines) + "\n")
        yield from kept

    def add(self, line: str) -> None:
        """Keep one thing that is done.

        Raises:
            OutputError: the file cannot be written.
        """
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error}); choose a writable place") from error

    def _kept(self) -> Iterator[dict[str, Any]]:
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        except (
            OSError
        ):  # there is none, the usual case; one that cannot be read cannot be written either, which is told
            return
        try:
            if not lines or json.loads(lines[0]) != self.identity:
                return
            for line in lines[1:]:
                yield json.loads(line)
        except ValueError:
            return
