"""What every recipe lists, the folder it is given to list, and the tables that say what is spoken."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from basis_melgan.errors import CorpusError


@dataclass(frozen=True)
class Item:
    """One recording before it is prepared, or what should be one and is none."""

    id: str  # its name in the corpus, possibly with sub-folders; no suffix
    path: Path
    speaker: str  # empty where unknown
    text: str  # empty where unknown
    fault: str = ""  # why there is nothing to prepare; empty for a recording
    detail: str = ""  # of the fault


@dataclass(frozen=True)
class Row:
    """What a table says of one recording."""

    id: str
    path: Path
    speaker: str
    text: str
    place: str  # file and line


def given(source: Path | None, recipe: str, layout: str) -> Path:
    """The source folder of a recipe that needs one.

    Raises:
        CorpusError: none was given, or it is no folder.
    """
    if source is None:
        raise CorpusError(f"recipe {recipe}: no source given, and it fetches nothing itself; give {layout}")
    if not source.is_dir():
        raise CorpusError(f"{source}: no such folder; recipe {recipe} expects {layout}")
    return source


def lines(table: Path) -> Iterator[tuple[str, str]]:
    """The lines of a table in UTF-8 that are not blank, each after its place, `FILE:LINE`.

    A byte order mark, which some editors put at the beginning, is no part of the first.

    Raises:
        CorpusError: the table cannot be read, or is not UTF-8.
    """
    try:
        content = table.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise CorpusError(f"{table}: cannot be read ({error.strerror}); expected a table of texts") from error
    for number, line in enumerate(content.split(b"\n"), 1):
        place = f"{table}:{number}"
        try:
            text = line.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise CorpusError(
                f"{place}: is not UTF-8 ({error.reason}); convert the table with iconv -t UTF-8"
            ) from error
        if text.strip():
            yield place, text


def damaged(table: Path, place: str, line: str, expected: str) -> Item:
    """A line of a table that says nothing of any recording, where `expected` was looked for."""
    number = place.rpartition(":")[2]
    detail = f"{place}: {line.strip()[:80]!r}; expected {expected}"
    return Item(f"{table.name}-{number}", table, "", "", fault="damaged row", detail=detail)


def matched(rows: Iterable[Row | Item], recordings: Iterable[Path], tables: str) -> Iterator[Item]:
    """Rows and recordings brought together; what has no partner, or is there twice, becomes an item with its fault.

    Args:
        rows: of all tables; items are passed on.
        recordings: every one that the corpus has.
        tables: what messages call the place where a recording has no row.
    """
    unlisted = {path: path.stem for path in recordings}
    listed: set[Path] = set()
    for row in rows:
        if isinstance(row, Item):
            yield row
            continue
        item = Item(row.id, row.path, row.speaker, row.text)
        if row.path in listed:
            yield Item(row.id, row.path, "", "", fault="repeated row", detail=f"{row.place}: it has a row before")
        elif unlisted.pop(row.path, None) is None:
            yield Item(row.id, row.path, "", "", fault="missing recording", detail=f"{row.place}: names it")
        else:
            yield item
        listed.add(row.path)
    for path, name in unlisted.items():
        yield Item(name, path, "", "", fault="no row", detail=f"{path}: {tables} has no row for it")
