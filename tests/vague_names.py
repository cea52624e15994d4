"""Count vague names: participles and pronouns that are bound as variables, attributes or arguments.

    python tests/vague_names.py [FOLDER]

Prints their fraction of all names bound in a folder of Python files, `basis_melgan` by default, and their places.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PARTICIPLES = (
    "asked begun born brought chosen done drawn found given heard held judged kept known laid left made meant named "
    "said seen spoken taken told"
)
PRONOUNS = (
    "each every mine one other others ours own rest that theirs them these thing things they this those what which who "
    "whole whose yours"
)
ADVERBS = "ahead around beyond now was"
VAGUE = frozenset(f"{PARTICIPLES} {PRONOUNS} {ADVERBS}".split())
CONVENTIONAL = frozenset({"self", "cls", "_"})


class Binding(NamedTuple):
    """A name, and the file and line that bind it."""

    name: str
    path: Path
    line: int

    @property
    def is_vague(self) -> bool:
        """Whether the name says nothing about its value."""
        return self.name.strip("_") in VAGUE


def bindings(folder: Path) -> Iterator[Binding]:
    """Yield the variables, attributes and arguments that Python files below a folder bind."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                    if name not in CONVENTIONAL:
                        yield Binding(name, path, node.lineno)


def main(folder: Path) -> None:
    """Print the fraction of vague names in a folder, and each of them with its place."""
    names = list(bindings(folder))
    vague = [binding for binding in names if binding.is_vague]
    print(f"{len(vague) / max(len(names), 1):.2%} of {len(names)} names are vague")
    for binding in vague:
        print(f"{binding.path}:{binding.line}: {binding.name}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "basis_melgan")
