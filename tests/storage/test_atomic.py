"""Atomic writes: complete files or none, for every valid file name."""

import os
from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.cli.main import main
from basis_melgan.config.schema import Config
from basis_melgan.corpus.prepare import prepare
from basis_melgan.errors import OutputError
from basis_melgan.storage.atomic import atomic_write, write_bytes, write_text

NAMES = ["x" * 251 + ".wav", "x" * 240 + ".wav", "ж" * 125 + ".wav", "語" * 83 + "xx.wav"]  # 251 to 255 bytes, but one


@pytest.mark.parametrize("name", NAMES)
def test_the_longest_names_can_be_written(name: str, tmp_path: Path) -> None:
    wave = np.full(100, 0.25, np.float32)
    files.write(tmp_path / name, wave, 24_000)
    np.testing.assert_array_equal(files.read(tmp_path / name)[0], wave)
    write_bytes(tmp_path / "folder" / name, b"content")
    write_text(tmp_path / "folder" / name, "text")
    assert (tmp_path / "folder" / name).read_text() == "text"
    assert [path.name for path in (tmp_path / "folder").iterdir()] == [name]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["folder", name])


def test_temporary_files_are_hidden_and_distinct(tmp_path: Path) -> None:
    names = [*NAMES, "y" * 250 + ".wav", "x" * 250 + "y.wav", "short.wav"]
    for writer in ("", "1", "4194304"):
        temporary_files = []
        for name in names:
            with atomic_write(tmp_path / name, writer) as temporary:
                temporary.touch()
                temporary_files.append(temporary)
        assert len({path.name for path in temporary_files}) == len(names)
        assert all(path.name.startswith(".") and path.suffix == ".part" for path in temporary_files)
        assert all(len(os.fsencode(path.name)) <= 255 for path in temporary_files)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_an_error_leaves_the_old_file_and_no_temporary_one(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"older")
    with pytest.raises(KeyboardInterrupt), atomic_write(tmp_path / "file") as temporary:  # noqa: PT012
        temporary.write_bytes(b"half")
        raise KeyboardInterrupt
    assert (tmp_path / "file").read_bytes() == b"older"
    with pytest.raises(OutputError, match=r"file/below: cannot be written .*; choose a writable place"):
        write_bytes(tmp_path / "file" / "below", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=r"folder: cannot be written"):
        write_bytes(tmp_path / "folder", b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_an_impossible_file_name_is_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 300 + ".wav")
    for write in (
        lambda: files.require_new_sound(path, False),
        lambda: files.write(path, np.zeros(9, np.float32), 24_000),
    ):
        with pytest.raises(OutputError, match=r"x\.wav: cannot be written .*too long"):
            write()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_longest_names_is_synthesized_and_prepared(tmp_path: Path) -> None:
    source, speech = tmp_path / "in", files.read(next((Path(__file__).parents[2] / "examples").rglob("*.flac")))
    for name in NAMES[:3]:
        files.write(source / name, speech[0][12_000:24_000], speech[1])
    assert main(["vocode", str(source), str(tmp_path / "out")]) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(NAMES[:3])
    assert len(prepare("folder", tmp_path / "corpus", source, Config(), jobs=1).clips) == 3
