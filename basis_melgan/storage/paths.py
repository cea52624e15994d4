"""Where results go, looked at before any work is done for them."""

import os
from pathlib import Path

from basis_melgan.errors import OutputError


def require_creatable(path: Path) -> None:
    """Check, before any work, that a file or a folder can be made where it is to lie, or a folder be filled.

    Raises:
        OutputError: what lies above it is a file, or may not be written to.
    """
    places = [*([path] if path.is_dir() else []), *path.absolute().parents]
    above = next(place for place in places if place.exists())
    if not above.is_dir():
        raise OutputError(f"{path}: cannot be made, since {above} is a file; choose another place")
    if not os.access(above, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise OutputError(f"{path}: cannot be made, since {above} may not be written to; choose a writable place")


def require_writable_file(path: Path) -> None:
    """Check, before any work, that a file may be written, or replaced.

    Raises:
        OutputError: it is a folder, or cannot be made there.
    """
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    require_creatable(path)


def require_output_folder(folder: Path, *marks: str) -> None:
    """Check, before any work, that results may fill a folder: it is new, empty, or one that they filled before.

    Args:
        folder: what a user named.
        marks: names of files, one of which lies in every folder of such results.

    Raises:
        OutputError: it is a file, holds what is not of this program's making, or cannot be made there.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; name a folder")
    require_creatable(folder)
    if not folder.is_dir() or any((folder / mark).is_file() for mark in marks):
        return
    strange = next((path.name for path in sorted(folder.iterdir()) if not path.name.startswith(".")), None)
    if strange:
        raise OutputError(f"{folder}: holds other files, such as {strange}; name a new or an empty folder")
