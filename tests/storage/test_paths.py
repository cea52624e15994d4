"""Folders that results may fill, and places where they can be made."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from basis_melgan.errors import OutputError
from basis_melgan.storage.paths import require_creatable, require_output_folder, require_writable_file


def test_a_folder_of_other_files_is_not_filled(tmp_path: Path) -> None:
    require_output_folder(tmp_path / "new", "mark")
    require_output_folder(tmp_path, "mark")
    (tmp_path / ".hidden").touch()
    require_output_folder(tmp_path, "mark")
    (tmp_path / "take 1.wav").touch()
    with pytest.raises(OutputError, match=r"holds other files, such as take 1\.wav; name a new or an empty folder"):
        require_output_folder(tmp_path, "mark")
    with pytest.raises(OutputError, match=r"take 1\.wav: is a file; name a folder"):
        require_output_folder(tmp_path / "take 1.wav", "mark")
    (tmp_path / "mark").touch()
    require_output_folder(tmp_path, "mark")


def test_a_place_is_looked_at_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    require_writable_file(tmp_path / "file")
    require_writable_file(tmp_path / "new" / "deep" / "file")
    with pytest.raises(OutputError, match=r"is a folder; name a file"):
        require_writable_file(tmp_path)
    for path in (tmp_path / "file" / "below", tmp_path / "file" / "deep" / "below"):
        with pytest.raises(OutputError, match=r"below: cannot be made, since .*file is a file; choose another place"):
            require_creatable(path)
        with pytest.raises(OutputError, match=r"cannot be made, since .*file is a file"):
            require_output_folder(path, "mark")


def test_a_place_that_may_not_be_written_to_is_told() -> None:
    with TemporaryDirectory() as place:
        user, folder = os.geteuid(), Path(place)
        folder.chmod(0o555)
        try:
            os.seteuid(user or 65_534)  # nobody, since root may write anywhere
            with pytest.raises(OutputError, match=r"new: cannot be made, since .* may not be written to; choose"):
                require_creatable(folder / "new")
        finally:
            os.seteuid(user)
