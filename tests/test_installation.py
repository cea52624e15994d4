"""Installation hints: commands that install an extra from the origin of this installation."""

import json
import re
import shlex
from pathlib import Path

import pytest

from basis_melgan.installation import install_command, requirement

ROOT = Path(__file__).parents[1]


def origin(url: str, **record: object) -> str:
    return json.dumps({"url": url, **record})


@pytest.mark.parametrize(
    ("recorded_origin", "expected"),
    [
        (None, '"basis-melgan[train]"'),
        (origin(ROOT.as_uri(), dir_info={}), f'"{ROOT}[train]"'),
        (origin(ROOT.as_uri(), dir_info={"editable": True}), f'-e "{ROOT}[train]"'),
        (origin("file:///missing", dir_info={}), '"basis-melgan[train]"'),
        (
            origin("https://host/a.git", vcs_info={"vcs": "git", "commit_id": "0", "requested_revision": "v1"}),
            '"basis-melgan[train] @ git+https://host/a.git@v1"',
        ),
        (
            origin("ssh://git@host/a.git", vcs_info={"vcs": "git", "commit_id": "0"}),
            '"basis-melgan[train] @ git+ssh://git@host/a.git"',
        ),
        (origin("https://host/a.whl", archive_info={}), '"basis-melgan[train] @ https://host/a.whl"'),
        (
            origin((ROOT / "README.md").as_uri(), archive_info={}),
            f'"basis-melgan[train] @ {(ROOT / "README.md").as_uri()}"',
        ),
    ],
)
def test_requirement_has_the_recorded_origin(recorded_origin: str | None, expected: str) -> None:
    assert requirement("train", recorded_origin) == expected


def test_paths_are_quoted_for_the_shell(tmp_path: Path) -> None:
    for name in ("two words", 'a "quoted" one', "a $dollar `and` tick", "it's"):
        folder = tmp_path / name
        folder.mkdir()
        command = requirement("play", origin(folder.as_uri(), dir_info={}))
        assert shlex.split(command) == [f"{folder}[play]"]


def test_requirement_without_an_extra() -> None:
    assert requirement("", None) == '"basis-melgan"'
    assert install_command().startswith("pip install ")


def test_package_has_no_literal_installation_hint() -> None:
    """A literal requirement could be resolved by a package index only."""
    pattern = re.compile(r"pip install ['\"]basis-melgan\[")
    literal_hints = {
        path.relative_to(ROOT).as_posix(): count
        for path in (ROOT / "basis_melgan").rglob("*.py")
        if (count := len(pattern.findall(path.read_text(encoding="utf-8"))))
    }
    assert literal_hints == {}
