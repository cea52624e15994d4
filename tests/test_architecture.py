"""The architecture: import order of the packages, and modules that run without optional dependencies."""

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import basis_melgan
from basis_melgan.installation import install_command

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "basis_melgan"
FILES = sorted(PACKAGE.rglob("*.py"))
LAYERS = (
    {"cli", "__main__"},
    {"benchmark", "report", "export"},
    {"evaluation", "analysis", "training"},
    {"corpus"},
    {"inference"},
    {"models", "metrics"},
    {"audio", "plotting"},
    {"config", "storage"},
    {"errors", "installation", "progress", "__init__"},
)
# Packages and modules that run without PyTorch, except those in WITH_TORCH.
LIGHT = ("cli", "__main__", "inference", "audio", "config", "storage", "errors", "installation", "progress")
WITH_TORCH = {"basis_melgan.inference.torch", "basis_melgan.inference.separate"}
# Import names of the extras' distributions where they differ from the distribution name.
IMPORTED_AS = {"lightning-fabric": "lightning_fabric", "pre-commit": "pre_commit", "pytest-xdist": "xdist"}


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def layer(module: str) -> int:
    """Return the position of a module in the import order."""
    name = [*module.split("."), "__init__"][1]
    return next(index for index, names in enumerate(LAYERS) if name in names)


def imports(file: Path) -> Iterator[str]:
    """Yield the modules that a file imports, at module level or in a function."""
    modules = {module_name(path) for path in FILES}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module and not node.level, f"{file}:{node.lineno}: relative import"  # noqa: PT018
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in modules else node.module


def package_imports(file: Path) -> list[str]:
    return [name for name in imports(file) if name.split(".")[0] == "basis_melgan"]


@pytest.mark.parametrize("file", [file for file in FILES if module_name(file) != "basis_melgan"], ids=module_name)
def test_imports_follow_the_layer_order(file: Path) -> None:
    """The package itself is exempt, since it provides the public names of all layers."""
    violations = [name for name in package_imports(file) if layer(name) < layer(module_name(file))]
    assert violations == []


def test_imports_are_detected() -> None:
    assert {"basis_melgan.config.schema", "basis_melgan.errors"} <= set(package_imports(PACKAGE / "cli" / "parser.py"))
    assert "basis_melgan.corpus.prepare" in package_imports(PACKAGE / "cli" / "commands.py")
    assert layer("basis_melgan.training.losses") < layer("basis_melgan.models.bases.basis") < layer("basis_melgan")


def test_only_audio_imports_sound_file_libraries() -> None:
    users = {
        module_name(file) for file in FILES for name in imports(file) if name.split(".")[0] in ("soundfile", "soxr")
    }
    assert users == {f"basis_melgan.audio.{name}" for name in ("decoding", "files", "waves")}


def test_only_inference_export_and_benchmark_import_onnx() -> None:
    users = {
        module_name(file).split(".")[1]
        for file in FILES
        for name in imports(file)
        if name.split(".")[0] in ("onnx", "onnxruntime", "onnxscript")
    }
    assert users == {"inference", "export", "benchmark"}


def test_public_names_are_imported_lazily() -> None:
    assert all(getattr(basis_melgan, name) for name in basis_melgan.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Voice'"):
        _ = basis_melgan.Voice
    code = "import sys, basis_melgan; print(sorted({'numpy', 'onnxruntime', 'torch'} & sys.modules.keys()))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"
    code = "import sys; from basis_melgan import Vocoder; Vocoder.load(); print('torch' in sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "False"


def test_no_module_has_a_generic_name() -> None:
    assert [file for file in FILES if file.stem in ("utils", "util", "helpers", "common", "misc")] == []


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_every_module_can_be_imported_and_has_a_docstring(file: Path) -> None:
    assert importlib.import_module(module_name(file)).__doc__, "a module needs a docstring"


def run_without(blocked: list[str], code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a fresh interpreter in which the `blocked` modules cannot be imported."""
    block = f"import sys; sys.modules.update(dict.fromkeys({blocked!r}))\n"
    return subprocess.run([sys.executable, "-c", block + code], capture_output=True, text=True, cwd=ROOT, check=False)


def extras() -> list[str]:
    """Top-level modules of every distribution that only an extra installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

    def names(requirements: list[str]) -> set[str]:
        return {requirement.split(">")[0].split("[")[0] for requirement in requirements}

    distributions = set().union(*(names(requirements) for requirements in project["optional-dependencies"].values()))
    return sorted(
        IMPORTED_AS.get(name, name) for name in distributions - names(project["dependencies"]) - {"basis-melgan"}
    )


def test_vocode_runs_without_the_extras(tmp_path: Path) -> None:
    clip = next((ROOT / "examples" / "clips").glob("*.flac"))
    result = run_without(
        extras(),
        "from basis_melgan.cli.main import main; "
        f"sys.exit(main(['vocode', {str(clip)!r}, {str(tmp_path / 'out.wav')!r}]))",
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "out.wav").is_file()


def test_bench_runs_without_the_extras() -> None:
    code = """
from basis_melgan.cli.main import main
from basis_melgan.benchmark import measure
measure.LENGTHS = (1,)
sys.exit(main(["bench", "speech-24k-small", "--repeats", "1"]))
"""
    result = run_without(extras(), code)
    assert result.returncode == 0, result.stderr
    (row,) = (line for line in result.stdout.splitlines() if line.startswith("| speech-24k-small.onnx | int8 |"))
    assert row.endswith("| – | – |")
    assert result.stdout.count(f"Peak: not measured; {install_command('export')}.") == 1


def test_light_modules_import_with_core_dependencies_alone() -> None:
    names = {module_name(file) for file in FILES}
    light = sorted({name for name in names if name.split(".")[1:2] in ([part] for part in LIGHT)} - WITH_TORCH)
    assert len(light) > 50
    blocked = extras()
    assert {"torch", "lightning_fabric", "matplotlib", "pesq"} <= set(blocked)
    code = f"import importlib\nfor name in {light!r}: importlib.import_module(name)\nprint('imported', {len(light)})"
    result = run_without(blocked, code)
    assert result.stdout == f"imported {len(light)}\n", result.stderr


def test_help_of_every_command_without_torch() -> None:
    code = """
from basis_melgan.cli.main import main
from basis_melgan.cli.commands import COMMANDS
for command in COMMANDS:
    try:
        main([command, "--help"])
    except SystemExit as exit:
        print("exit", command, exit.code)
"""
    result = run_without(extras(), code)
    statuses = re.findall(r"^exit \S+ (\S+)$", result.stdout, re.MULTILINE)
    assert len(statuses) >= 9, result.stderr
    assert set(statuses) == {"0"}


def test_missing_extra_is_reported_in_one_line() -> None:
    for command, module, extra in (
        (["complexity"], "torch", "train"),
        (["prepare", "folder", "o", "--source", "s"], "rich", ""),
        (["vocode", "a.npy", "b.wav", "--backend", "openvino"], "openvino", "openvino"),
        (["export", "speech-24k", "o.onnx"], "torch", "export"),
        (["export", "speech-24k", "o.onnx"], "onnxscript.optimizer", "export"),
    ):
        result = run_without([module], f"from basis_melgan.cli.main import main; sys.exit(main({command!r}))")
        package = module.split(".")[0]
        hint = f"{command[0]} needs {package}, which is not installed; run {install_command(extra)}"
        assert (result.returncode, result.stderr) == (2, f"basis-melgan: {hint}\n")
