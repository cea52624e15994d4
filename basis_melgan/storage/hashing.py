"""SHA-256 digests, by which what was made of something knows it again."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def sha256_of_file(path: Path) -> str:
    """Digest of a file's bytes."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def sha256_of_texts(parts: Iterable[str]) -> str:
    """Digest of texts, such as names and what lies under them; their order makes no difference."""
    return hashlib.sha256("\n".join(sorted(parts)).encode("utf-8", "backslashreplace")).hexdigest()
