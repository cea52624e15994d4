"""Recursive folder listings without hidden files."""

import os
from collections.abc import Callable
from pathlib import Path


def visible_files(
    folder: Path, on_error: Callable[[OSError], None], on_link: Callable[[Path], None] = lambda link: None
) -> list[Path]:
    """Return every file below a folder, sorted, without hidden files and those in hidden folders.

    Args:
        folder: where to start.
        on_error: called with the error of each folder that cannot be listed.
        on_link: called with each symbolic link to a folder; such links are not followed.
    """
    paths: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for link in filter(Path.is_symlink, (Path(parent, name) for name in folders)):
            on_link(link)
        paths += (Path(parent, name) for name in names if not name.startswith("."))
    return sorted(paths)
