"""The documents of this repository, and the commands and code blocks in them."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
GUIDES = [ROOT / "README.md", ROOT / "docs" / "index.md", *sorted(ROOT.glob("docs/guides/*.md"))]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(path for path in ROOT.glob("docs/**/*.md") if not path.name.endswith(".in.md")),
    *sorted(ROOT.glob("pretrained/*.md")),
    *sorted(ROOT.glob("examples/*.md")),
]
LANGUAGES = {"bash", "python", "yaml", "bibtex", ""}


class Block(NamedTuple):
    """A fenced block of a document."""

    language: str
    text: str


def blocks(document: Path) -> list[Block]:
    """The fenced blocks of a document, in order."""
    text = document.read_text(encoding="utf-8")
    return [Block(*match) for match in re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


def block_lines(block: Block) -> list[str]:
    """The commands of a bash block, with continued lines joined and comments removed."""
    joined = re.sub(r" *\\\n *", " ", block.text).splitlines()
    lines = [re.sub(r"(^|\s+)#.*$", "", line).strip() for line in joined]
    return [line for line in lines if line]


def shell_lines(document: Path) -> list[str]:
    """The commands of a document's bash blocks."""
    return [line for block in blocks(document) if block.language == "bash" for line in block_lines(block)]


def command_spans(document: Path) -> list[str]:
    """Code spans of a document that hold a whole command with arguments."""
    text = document.read_text(encoding="utf-8")
    spans = re.findall(r"`(basis-melgan [\w-]+ [^`]*[\w/][^`]*)`", text)
    return [span for span in spans if "…" not in span and "COMMAND" not in span]


def argv(line: str) -> list[str]:
    """The arguments after `basis-melgan` of a command line."""
    return shlex.split(line)[1:]
