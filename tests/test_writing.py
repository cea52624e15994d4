"""Folders that results may fill."""

from pathlib import Path

import pytest

from basis_melgan.errors import OutputError
from basis_melgan.writing import require_folder


def test_a_folder_of_other_files_is_not_filled(tmp_path: Path) -> None:
    require_folder(tmp_path / "new", "mark")
    require_folder(tmp_path, "mark")
    (tmp_path / ".hidden").touch()
    require_folder(tmp_path, "mark")
    (tmp_path / "take 1.wav").touch()
    with pytest.raises(OutputError, match=r"holds other files, such as take 1\.wav; name a new or an empty folder"):
        require_folder(tmp_path, "mark")
    with pytest.raises(OutputError, match=r"take 1\.wav: is a file; name a folder"):
        require_folder(tmp_path / "take 1.wav", "mark")
    (tmp_path / "mark").touch()
    require_folder(tmp_path, "mark")
