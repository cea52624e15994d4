"""SHA-256 hashes that identify the files and data an artifact was made from."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def sha256_of_file(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_texts(texts: Iterable[str]) -> str:
    """Return one hexadecimal SHA-256 of several texts, independent of their order."""
    return hashlib.sha256("\n".join(sorted(texts)).encode("utf-8", "backslashreplace")).hexdigest()
