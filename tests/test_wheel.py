"""The built wheel: types, models, presets and requirements."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = """from basis_melgan import Vocoder
reveal_type(Vocoder.load("speech-24k").resynthesize)
"""


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a Python module and return its output."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel and access to the packages of the current one."""
    folder = tmp_path_factory.mktemp("wheel")
    build = run("hatchling", "build", "--target", "wheel", "--directory", folder)
    assert build.returncode == 0, build.stderr
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    site_packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder / "venv")}))
    install = run("pip", "install", "--quiet", "--no-index", "--no-deps", "--target", site_packages, wheel)
    assert install.returncode == 0, install.stderr
    (site_packages / "shared.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return folder / "venv"


def test_installed_package_has_types(environment: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    python = environment / Path(sys.executable).parent.name / "python"
    options = ["--config-file=", "--strict", "--python-executable", python, "--cache-dir", tmp_path / "cache"]
    check = subprocess.run(
        [sys.executable, "-m", "mypy", *map(str, options), script.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert check.returncode == 0, check.stdout
    assert "numpy.floating[" in check.stdout, check.stdout


def test_wheel_contains_models_and_presets(environment: Path) -> None:
    package = Path(sysconfig.get_path("purelib", "venv", {"base": str(environment)})) / "basis_melgan"
    assert (package / "py.typed").is_file()
    assert (package / "pretrained" / "speech-24k.onnx").is_file()
    assert {path.stem for path in package.glob("config/presets/*.yaml")} >= {"tiny"}


def test_requirements_of_the_package_are_installed() -> None:
    """Other packages are ignored: some are installed without their requirements, to keep the PyTorch version."""
    lines = run("pip", "check").stdout.splitlines()
    assert [line for line in lines if line.startswith("basis-melgan ")] == []
