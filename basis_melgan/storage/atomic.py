"""Atomic writes: a file or a folder is replaced completely or not at all."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from basis_melgan.errors import OutputError

MAX_NAME_BYTES = 255  # limit of common file systems


@contextmanager
def atomic_write(path: Path, writer: str = "") -> Iterator[Path]:
    """Yield a temporary path beside `path`; the file written there replaces `path` when the block ends.

    The temporary file is removed when the block raises. The parent folder of `path` is created.

    Args:
        path: the file to write.
        writer: makes the temporary name unique per process, where several processes may write `path` at once. Without
            it the name is always the same, so that the next run overwrites what a killed process left.

    Raises:
        OutputError: the folder cannot be created, or `path` cannot be replaced.
    """
    temporary = path.with_name(_temporary_name(path.name, f".{writer}.part" if writer else ".part"))
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield temporary
        with output_errors(path):
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a new temporary folder beside `path`, which replaces `path` when the block ends.

    The temporary folder is removed when the block raises. The parent folder of `path` is created.

    Raises:
        OutputError: a file of it cannot be written, or `path` cannot be replaced.
    """
    temporary = path.with_name(_temporary_name(path.name, f".{os.getpid()}.part"))
    try:
        with output_errors(path):
            temporary.mkdir(parents=True)
            yield temporary
            if path.exists():
                shutil.rmtree(path)
            temporary.replace(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def output_errors(path: Path, failure: type[Exception] = OSError) -> Iterator[None]:
    """Raise an OutputError that names `path` in place of an OSError or a `failure` from the block.

    Raises:
        OutputError: the block raised one of the two.
    """
    try:
        yield
    except (OSError, failure) as error:
        raise OutputError(f"{path}: cannot be written ({error}); choose a writable place") from error


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically.

    Raises:
        OutputError: the path cannot be written.
    """
    with atomic_write(path) as temporary, output_errors(path):
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; a file that already holds this text keeps its modification time.

    File names that are not valid UTF-8 are written as JSON escapes.

    Raises:
        OutputError: the path cannot be written.
    """
    content = text.encode("utf-8", "backslashreplace")
    if not (path.is_file() and path.read_bytes() == content):
        write_bytes(path, content)


def _temporary_name(name: str, suffix: str) -> str:
    """Return a hidden file name of at most `MAX_NAME_BYTES` bytes; long names are cut and get a hash."""
    if len(os.fsencode(f".{name}{suffix}")) <= MAX_NAME_BYTES:
        return f".{name}{suffix}"
    suffix = f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}{suffix}"
    return f".{os.fsencode(name)[: MAX_NAME_BYTES - 1 - len(suffix)].decode('utf-8', 'ignore')}{suffix}"
