"""Digests: of what, and of which order."""

import hashlib
from pathlib import Path

from basis_melgan.storage import hashing


def test_a_files_is_that_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(range(256)) * 5_000)
    assert hashing.sha256_of_file(tmp_path / "one") == hashlib.sha256(bytes(range(256)) * 5_000).hexdigest()


def test_that_of_texts_knows_no_order_but_each_of_them() -> None:
    assert hashing.sha256_of_texts(["a 1", "b 2"]) == hashing.sha256_of_texts(["b 2", "a 1"])
    assert (
        len({hashing.sha256_of_texts(parts) for parts in (["a 1", "b 2"], ["a 1", "b 3"], ["a 1"], ["a 1b 2"], [])})
        == 5
    )
    assert len(hashing.sha256_of_texts(["\udcff"])) == 64  # names of files need not be UTF-8
