"""Folder walks: which files are listed, and what is reported."""

from pathlib import Path

from basis_melgan.storage.folders import visible_files


def test_visible_files_are_sorted_and_links_to_folders_are_reported(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for path in (root / "b" / "c.wav", root / "a.wav", root / ".hidden.wav", root / ".git" / "d.wav", elsewhere / "e"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (root / "link").symlink_to(elsewhere)
    (root / "f.wav").symlink_to(elsewhere / "e")
    errors: list[OSError] = []
    links: list[Path] = []
    assert visible_files(root, errors.append, links.append) == [root / "a.wav", root / "b" / "c.wav", root / "f.wav"]
    assert (errors, links) == ([], [root / "link"])
    assert visible_files(tmp_path / "absent", errors.append) == []
    assert [error.filename for error in errors] == [str(tmp_path / "absent")]
