"""Text files that are written whole or not at all."""

import os
from pathlib import Path

from basis_melgan.errors import OutputError


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text aside, then rename.

    Raises:
        OutputError: the path cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            aside.write_text(text, encoding="utf-8")
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error}); choose a writable place") from error
