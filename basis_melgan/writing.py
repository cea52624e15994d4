"""Files that are written whole or not at all."""

from pathlib import Path

from basis_melgan.errors import OutputError


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file aside, then rename; nothing is left of one that cannot be written.

    Raises:
        OutputError: the path cannot be written.
    """
    aside = path.with_name(f".{path.name}.part")  # of one name, so that what a killed process leaves is written over
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            aside.write_bytes(content)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error}); choose a writable place") from error


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text as `write_bytes` does; a file that already holds it is left untouched.

    File names that are no valid UTF-8 come out as JSON escapes.

    Raises:
        OutputError: the path cannot be written.
    """
    content = text.encode("utf-8", "backslashreplace")
    if not (path.is_file() and path.read_bytes() == content):
        write_bytes(path, content)
