"""The documents: every command in them is one that this version takes, and every file that they link to exists."""

import re
import shlex
from pathlib import Path

import pytest

from basis_melgan.cli.commands import COMMANDS, SECTIONS
from basis_melgan.cli.parser import arguments

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(path for path in ROOT.glob("docs/*.md") if not path.name.endswith(".in.md")),
    *sorted(ROOT.glob("pretrained/*.md")),
]


def commands() -> list[str]:
    """Commands in indented blocks and in code spans that name more than a verb, continued lines joined."""
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8").replace("\\\n", " ")
        found += re.findall(r"^    (basis-melgan .+)$", text, re.MULTILINE)
        found += re.findall(r"`(basis-melgan [\w-]+ [^`]*[\w/][^`]*)`", text)
    return sorted({command for command in found if "…" not in command and "VERB" not in command})


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_documents_is_one_that_is_taken(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("", encoding="utf-8")  # the reader's own configuration
    verb, *words = shlex.split(command, comments=True)[1:]
    function = COMMANDS[verb]
    values = arguments(function, SECTIONS[function], words)
    assert values.keys() <= set(function.__annotations__)


def test_make_knows_the_targets_that_the_documents_name() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        named = re.findall(r"`make ([a-z]+)", text) + re.findall(r"^    make ([a-z]+)$", text, re.MULTILINE)
        assert set(named) <= targets, document


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
