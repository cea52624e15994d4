"""Names of variables, attributes and arguments are specific."""

from pathlib import Path

from vague_names import bindings

PACKAGE = Path(__file__).parents[1] / "basis_melgan"


def test_few_names_are_vague() -> None:
    names = list(bindings(PACKAGE))
    vague = [
        f"{binding.path.relative_to(PACKAGE)}:{binding.line}: {binding.name}" for binding in names if binding.is_vague
    ]
    assert len(names) > 4_000
    assert len(vague) <= 0.005 * len(names), vague


def test_variables_arguments_and_attributes_are_counted(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(
        "def load(self, found, *, path, **rest):\n"
        "    self._kept, (wave, one) = path, found\n"
        "    return [each for each in wave]\n"
    )
    assert sorted(binding.name for binding in bindings(tmp_path) if binding.is_vague) == [
        "_kept",
        "each",
        "found",
        "one",
        "rest",
    ]
    assert sum(1 for _ in bindings(tmp_path)) == 7
