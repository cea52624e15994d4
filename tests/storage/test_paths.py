"""Checks of output paths."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from basis_melgan.errors import OutputError
from basis_melgan.storage.paths import require_creatable, require_output_folder, require_writable_file


def test_a_folder_with_unrelated_files_is_refused(tmp_path: Path) -> None:
    require_output_folder(tmp_path / "new", "marker")
    require_output_folder(tmp_path, "marker")
    (tmp_path / ".hidden").touch()
    require_output_folder(tmp_path, "marker")
    (tmp_path / "take 1.wav").touch()
    with pytest.raises(OutputError, match=r"holds unrelated files, such as take 1\.wav; name a new or empty folder"):
        require_output_folder(tmp_path, "marker")
    with pytest.raises(OutputError, match=r"take 1\.wav: is a file; name a folder"):
        require_output_folder(tmp_path / "take 1.wav", "marker")


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir])
def test_a_folder_with_a_marker_is_accepted(make, tmp_path: Path) -> None:
    (tmp_path / "take 1.wav").touch()
    make(tmp_path / "marker")
    require_output_folder(tmp_path, "other", "marker")


def test_paths_are_checked_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    require_writable_file(tmp_path / "file")
    require_writable_file(tmp_path / "new" / "deep" / "file")
    with pytest.raises(OutputError, match=r"is a folder; name a file"):
        require_writable_file(tmp_path)
    for path in (tmp_path / "file" / "below", tmp_path / "file" / "deep" / "below"):
        with pytest.raises(OutputError, match=r"below: cannot be created because .*file is a file; choose another"):
            require_creatable(path)
        with pytest.raises(OutputError, match=r"cannot be created because .*file is a file"):
            require_output_folder(path, "marker")


def test_an_unwritable_folder_is_refused() -> None:
    with TemporaryDirectory() as place:
        user, folder = os.geteuid(), Path(place)
        folder.chmod(0o555)
        try:
            os.seteuid(user or 65_534)  # nobody, since root may write anywhere
            with pytest.raises(OutputError, match=r"new: cannot be created because .* is not writable; choose"):
                require_creatable(folder / "new")
        finally:
            os.seteuid(user)
