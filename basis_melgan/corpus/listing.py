"""Entries that every recipe lists, and the matching of transcript tables with recordings."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from basis_melgan.errors import CorpusError


@dataclass(frozen=True)
class Entry:
    """One recording to prepare, or a problem in place of one."""

    id: str  # name in the corpus, possibly with sub-folders; no suffix
    path: Path
    speaker: str  # empty if unknown
    text: str  # empty if unknown
    problem: str = ""  # why there is nothing to prepare; empty for a recording
    detail: str = ""  # of the problem


@dataclass(frozen=True)
class TableRow:
    """One row of a transcript table."""

    id: str
    path: Path  # of the recording
    speaker: str
    text: str
    location: str  # FILE:LINE


def require_source(source: Path | None, recipe: str, layout: str) -> Path:
    """Return the source folder of a recipe that needs one.

    Raises:
        CorpusError: the source is missing or not a folder.
    """
    if source is None:
        raise CorpusError(f"recipe {recipe}: cannot be downloaded, so it needs a source; give {layout}")
    if not source.is_dir():
        raise CorpusError(f"{source}: no such folder; recipe {recipe} expects {layout}")
    return source


def read_lines(table: Path) -> Iterator[tuple[str, str]]:
    """Yield the location (`FILE:LINE`) and text of every line of a UTF-8 table that is not blank.

    A byte order mark at the start of the file is ignored.

    Raises:
        CorpusError: the table cannot be read, or is not UTF-8.
    """
    try:
        content = table.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise CorpusError(f"{table}: cannot be read ({error.strerror}); expected a table of texts") from error
    for number, line in enumerate(content.split(b"\n"), 1):
        location = f"{table}:{number}"
        try:
            text = line.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{location}: is not UTF-8 ({error.reason}); convert the table with iconv -t UTF-8"
            ) from error
        if text.strip():
            yield location, text


def damaged_row(table: Path, location: str, line: str, expected: str) -> Entry:
    """Return the entry of a table line that does not have the `expected` format."""
    number = location.rpartition(":")[2]
    detail = f"{location}: {line.strip()[:80]!r}; expected {expected}"
    return Entry(f"{table.name}-{number}", table, "", "", problem="damaged row", detail=detail)


def match_rows(rows: Iterable[TableRow | Entry], recordings: Iterable[Path], table_name: str) -> Iterator[Entry]:
    """Yield an entry for every row and every recording; one without a counterpart gets a problem.

    Args:
        rows: rows of all tables; entries are passed through.
        recordings: every recording of the corpus.
        table_name: the table that messages name for a recording without a row.
    """
    without_row = {path: path.stem for path in recordings}
    with_row: set[Path] = set()
    for row in rows:
        if isinstance(row, Entry):
            yield row
            continue
        if row.path in with_row:
            detail = f"{row.location}: an earlier row names the same recording"
            yield Entry(row.id, row.path, "", "", problem="repeated row", detail=detail)
        elif without_row.pop(row.path, None) is None:
            detail = f"{row.location}: names a recording that does not exist"
            yield Entry(row.id, row.path, "", "", problem="missing recording", detail=detail)
        else:
            yield Entry(row.id, row.path, row.speaker, row.text)
        with_row.add(row.path)
    for path, name in without_row.items():
        yield Entry(name, path, "", "", problem="no row", detail=f"{path}: {table_name} has no row for it")
