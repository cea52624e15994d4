"""The documents: their commands are valid, and the files that they name exist."""

import re
from pathlib import Path

import pytest
from documents import DOCUMENTS, LANGUAGES, ROOT, argv, blocks, command_spans, shell_lines

from basis_melgan.cli.commands import COMMANDS, SECTIONS
from basis_melgan.cli.parser import arguments

HELP = {"--help", "--help-config"}


def commands() -> list[str]:
    """Return the commands of this package in bash blocks and code spans, without pipes and redirections."""
    lines = [line for document in DOCUMENTS for line in (*shell_lines(document), *command_spans(document))]
    parts = [part.strip() for line in lines for part in re.split(r"[|>]", line)]
    return sorted({part for part in parts if part.startswith("basis-melgan ")})


@pytest.mark.parametrize("command", commands())
def test_command_is_valid(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name, *options = argv(command)
    function = COMMANDS[name]
    if HELP & {*options}:
        with pytest.raises(SystemExit, match="0"):
            arguments(function, SECTIONS[function], options)
    else:
        assert arguments(function, SECTIONS[function], options).keys() <= set(function.__annotations__)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_blocks_declare_their_language(document: Path) -> None:
    assert {block.language for block in blocks(document)} <= LANGUAGES


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        names = re.findall(r"`make ([a-z-]+)", text)
        names += [line.removeprefix("make ") for line in shell_lines(document) if line.startswith("make ")]
        assert set(names) <= targets, document


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_scripts_exist(document: Path) -> None:
    scripts = re.findall(r"((?:benchmarks|examples)/\w+\.(?:py|mjs))", document.read_text(encoding="utf-8"))
    assert [script for script in scripts if not (ROOT / script).is_file()] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_linked_files_exist(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
