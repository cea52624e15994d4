"""SHA-256 of files and of sets of texts."""

import hashlib
from pathlib import Path

from basis_melgan.storage.hashing import sha256_of_file, sha256_of_texts


def test_a_file_hash_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(bytes(range(256)) * 5_000)
    assert sha256_of_file(tmp_path / "data") == hashlib.sha256(bytes(range(256)) * 5_000).hexdigest()


def test_a_hash_of_texts_depends_on_every_text_and_not_on_their_order() -> None:
    assert sha256_of_texts(["a 1", "b 2"]) == sha256_of_texts(["b 2", "a 1"])
    collections = (["a 1", "b 2"], ["a 1", "b 3"], ["a 1"], ["a 1b 2"], [])
    assert len({sha256_of_texts(texts) for texts in collections}) == 5
    assert len(sha256_of_texts(["\udcff"])) == 64  # file names may be invalid UTF-8
