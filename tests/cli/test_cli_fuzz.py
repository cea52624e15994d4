"""Random command lines: every command succeeds or prints a one-line error, without a traceback.

Runs a hundred cases, or the number in the environment variable FUZZ_CASES. The files of the test include no corpus, so
nothing is trained or evaluated.
"""

import inspect
from pathlib import Path

import numpy as np
import pytest
import soundfile
from fuzzing import case_count, time_limit

from basis_melgan.cli.commands import COMMANDS, SECTIONS
from basis_melgan.cli.main import main
from basis_melgan.cli.parser import positional_names
from basis_melgan.config.loading import keys

CASES = case_count(100)
# Missing, empty, invalid and valid files and folders, and other text.
PATHS = (
    *("", "-", "--", ".", "..", "missing", "missing.npy", "missing.wav", "missing.safetensors", "missing.onnx", "a\nb"),
    *("empty.npy", "empty.wav", "empty.onnx", "empty.safetensors", "empty.pt", "text.json", "folder", "folder.wav"),
    *("file/below", "file/below.wav", "new", "new.wav", "new.json", "tone.wav", "mel.npy", "*.npy", "[", "**", "*"),
    *("nöt", "x" * 300, "\udcff", "%s", "{}", "recording", "tiny", "world", "griffin-lim:0", "griffin-lim:x"),
)
NUMBERS = ("0", "-1", "1", "1e999", "nan", "inf", "3.5", "null", "true", "[1,2]", "9" * 20, "1e-3", "0x10", "{}", "x")
FLAGS = (
    "--force",
    "--help-config",
    "--quick",
    "--basis",
    "--stream",
    "--json",
    "-s",
    "-h2",
    "---",
    "--=",
    "--.",
    "--x.y=1",
    "--steps",
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    tmp_path = tmp_path / "inner"  # so that .. belongs to the test too
    tmp_path.mkdir()
    for name in ("empty.npy", "empty.wav", "empty.onnx", "empty.safetensors", "empty.pt", "file"):
        (tmp_path / name).touch()
    (tmp_path / "text.json").write_text("{}", encoding="utf-8")
    for name in ("folder", "folder.wav"):
        (tmp_path / name).mkdir()
    np.save(tmp_path / "mel.npy", np.zeros((3, 4), np.float32))
    soundfile.write(tmp_path / "tone.wav", np.zeros(10), 8_000)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def random_command(rng: np.random.Generator) -> list[str]:
    """Return a command with about the expected number of arguments, and with options with mostly invalid values."""
    name = str(rng.choice([name for name in COMMANDS if name != "complexity"]))
    function, sections, positionals = COMMANDS[name], SECTIONS[COMMANDS[name]], positional_names(COMMANDS[name])
    names = [name for name in inspect.signature(function).parameters if name not in ("config", *positionals)]
    options = [*names, *names, *(key for key in keys() if key.split(".")[0] in sections)] or ["help"]
    argv = [str(path) for path in rng.choice(PATHS, size=len(positionals) + int(rng.choice((0, 0, 0, 0, 1, -1))))]
    if name == "compare":
        argv += ["--corpus", str(rng.choice(PATHS)), "--out", str(rng.choice(PATHS))]
    for _ in range(int(rng.integers(0, 4))):
        value = str(rng.choice(PATHS if rng.random() < 0.5 else NUMBERS))
        argv += [f"--{rng.choice(options)}", value] if rng.random() < 0.9 else [str(rng.choice(FLAGS))]
    return [name, *argv]


def test_random_arguments_succeed_or_print_one_line(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for seed in range(CASES):
        argv = random_command(np.random.default_rng(seed))
        with time_limit():
            try:
                status = main(argv)
            except SystemExit as error:  # --help
                status = error.code
        messages = [line for line in capfd.readouterr().err.splitlines() if line.startswith("basis-melgan: ")]
        assert (status, len(messages)) in ((0, 0), (2, 1)), (seed, argv)
