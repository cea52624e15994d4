"""Files that are written whole or not at all."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from basis_melgan.errors import OutputError

LONGEST_NAME = 255  # bytes that file systems hold


@contextmanager
def atomic_write(path: Path, writer: str = "") -> Iterator[Path]:
    """A place beside `path` to write to: what is there takes the place of `path` when the block ends.

    Nothing is left of it when the block ends by an error. Its folder is made.

    Args:
        path: what is written.
        writer: tells the places of several processes apart that may write one path at once, each for a while. Without
            it the place has one name, so that what a killed process leaves there is written over.

    Raises:
        OutputError: the folder cannot be made, or `path` cannot be replaced.
    """
    place = path.with_name(_aside_name(path.name, f".{writer}.part" if writer else ".part"))
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield place
        with output_errors(path):
            place.replace(path)
    finally:
        place.unlink(missing_ok=True)


@contextmanager
def output_errors(path: Path, failure: type[Exception] = OSError) -> Iterator[None]:
    """Tell a failure to write in the user's terms: the operating system's, and one of another kind.

    Raises:
        OutputError: it failed.
    """
    try:
        yield
    except (OSError, failure) as error:
        raise OutputError(f"{path}: cannot be written ({error}); choose a writable place") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file aside, then rename; nothing is left of one that cannot be written.

    Raises:
        OutputError: the path cannot be written.
    """
    with atomic_write(path) as place, output_errors(path):
        place.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text as `write_bytes` does; a file that already holds it is left untouched.

    File names that are no valid UTF-8 come out as JSON escapes.

    Raises:
        OutputError: the path cannot be written.
    """
    content = text.encode("utf-8", "backslashreplace")
    if not (path.is_file() and path.read_bytes() == content):
        write_bytes(path, content)


def _aside_name(name: str, tail: str) -> str:
    """The name of a file's place aside: hidden, and no longer than file systems hold."""
    if len(os.fsencode(f".{name}{tail}")) <= LONGEST_NAME:
        return f".{name}{tail}"
    tail = f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}{tail}"
    return f".{os.fsencode(name)[: LONGEST_NAME - 1 - len(tail)].decode('utf-8', 'ignore')}{tail}"
