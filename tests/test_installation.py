"""The command that a hint names: it installs from where this installation came."""

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
    ("noted", "expected"),
    [
        (None, '"basis-melgan[train]"'),
        (origin(ROOT.as_uri(), dir_info={}), f'"{ROOT}[train]"'),
        (origin(ROOT.as_uri(), dir_info={"editable": True}), f'-e "{ROOT}[train]"'),
        (origin("file:///gone/since", dir_info={}), '"basis-melgan[train]"'),
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
def test_pip_is_asked_for_what_was_installed(noted: str | None, expected: str) -> None:
    assert requirement("train", noted) == expected


def test_a_shell_reads_any_path_as_it_is(tmp_path: Path) -> None:
    for name in ("two words", 'a "quoted" one', "a $dollar `and` tick", "it's"):
        folder = tmp_path / name
        folder.mkdir()
        command = requirement("play", origin(folder.as_uri(), dir_info={}))
        assert shlex.split(command) == [f"{folder}[play]"]


def test_no_extra_is_the_package_alone() -> None:
    assert requirement("", None) == '"basis-melgan"'
    assert install_command().startswith("pip install ")


def test_every_hint_of_the_package_asks_for_the_command() -> None:
    """None spells a name that only an index could resolve; the docstring of `packages` is none."""
    named = re.compile(r"pip install ['\"]basis-melgan\[")
    found = {
        path.relative_to(ROOT).as_posix(): count
        for path in (ROOT / "basis_melgan").rglob("*.py")
        if (count := len(named.findall(path.read_text(encoding="utf-8"))))
    }
    assert found == {}
