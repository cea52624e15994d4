"""Checks of output paths, made before any work starts."""

import os
from pathlib import Path

from basis_melgan.errors import OutputError
from basis_melgan.storage.atomic import output_errors


def require_creatable(path: Path) -> None:
    """Check that a file or folder can be created at `path`, or that an existing folder can be filled.

    Raises:
        OutputError: the nearest existing parent is a file or not writable.
    """
    candidates = [*([path] if path.is_dir() else []), *path.absolute().parents]
    parent = next(candidate for candidate in candidates if candidate.exists())
    if not parent.is_dir():
        raise OutputError(f"{path}: cannot be created because {parent} is a file; choose another place")
    if not os.access(parent, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise OutputError(f"{path}: cannot be created because {parent} is not writable; choose a writable place")


def require_writable_file(path: Path) -> None:
    """Check that a file can be written or replaced at `path`.

    Raises:
        OutputError: `path` is a folder, or cannot be created.
    """
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    require_creatable(path)


def require_new_file(path: Path, force: bool) -> None:
    """Check that a file can be written at `path`, and that it replaces none unless `force` is set.

    Raises:
        OutputError: `path` is a folder, exists and `force` is not set, or no file can have its name.
    """
    with output_errors(path):  # a name may be too long, or lie in a folder that cannot be read
        if path.is_dir():
            raise OutputError(f"{path}: is a folder; name a file")
        if path.exists() and not force:
            raise OutputError(f"{path}: exists already; use --force to replace it")


def require_output_folder(folder: Path, *markers: str) -> None:
    """Check that results may be written into a folder: it is new, empty, or holds earlier results of the same kind.

    Args:
        folder: the folder that a user named.
        markers: names of files or folders, at least one of which every folder of such results contains.

    Raises:
        OutputError: `folder` is a file, holds unrelated files, or cannot be created.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; name a folder")
    require_creatable(folder)
    if not folder.is_dir() or any((folder / marker).exists() for marker in markers):
        return
    unrelated = next((path.name for path in sorted(folder.iterdir()) if not path.name.startswith(".")), None)
    if unrelated:
        raise OutputError(f"{folder}: holds unrelated files, such as {unrelated}; name a new or empty folder")
