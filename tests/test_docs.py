"""The README and the guides: every command and code block runs, in page order, on a tiny corpus.

Training takes one step and evaluation is quick (`SHORTER`, `OMITTED`), some commands are replaced (`SUBSTITUTES`),
installations are compared with the project's metadata, and one export of each kind runs, with a small vocoder.
"""

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from documents import GUIDES, ROOT, argv, block_lines, blocks, shell_lines

from basis_melgan import Vocoder
from basis_melgan.audio import files
from basis_melgan.cli.main import main
from basis_melgan.config.loading import load

CLIPS = sorted((ROOT / "examples" / "clips").glob("*.flac"))
SECONDS = 2
EXPORTS: dict[str, bytes] = {}  # by kind, the file that the first export wrote
EXPORTED = "exported.safetensors"  # the small vocoder that replaces larger ones in exports
SMALLEST = "--generator.blocks 1 --generator.channels 32 --generator.hidden 32"
OMITTED = {"--basis"}  # a study of several seconds
# Options that shorten a command to seconds.
SPLITS = "--corpus.test_clips 1 --corpus.validation_clips 1 --jobs 1"
TRAINER = "--trainer.devices 1 --trainer.workers 0 --trainer.accelerator cpu --trainer.compile false"
SHORTER = {
    "prepare": SPLITS,
    "train-separator": "--separator_training.steps 1 --separator_training.batch_size 1 " + TRAINER,
    "train-vocoder": "--vocoder_training.steps 1 --vocoder_training.adversarial_from 0 --vocoder_training.batch_size 1 "
    + TRAINER,
    "fine-tune": "--fine_tuning.steps 1 --fine_tuning.batch_size 1 " + TRAINER,
    "analyze": "--count 1",
    "evaluate": "--quick --jobs 1",
    "compare": "--quick --jobs 1",
    "bench": "--repeats 1",
}
# Replacements: frames come from a file instead of a text-to-speech system, and audio goes to a file.
SUBSTITUTES = {r"\btts\b": "cat frames.f32", r"\bplay -": "vocode - -"}
OUTPUT_FOLDER = re.compile(r"basis-melgan (?:prepare|train-\w+|fine-tune) \S+ (\S+)")
PIPELINE = 'set -euo pipefail; basis-melgan() { "$PYTHON" -m basis_melgan "$@"; }; '


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all inputs of the documents."""
    folder = tmp_path_factory.mktemp("documents")
    waves = [files.read(path, 12_000, SECONDS * 24_000)[0] for path in CLIPS[:4]]
    for index, wave in enumerate(waves):
        files.write(folder / "recordings" / f"clip{index}.wav", wave, 24_000)
        files.write(folder / "LJSpeech-1.1" / "wavs" / f"LJ001-000{index}.wav", wave, 24_000)
        files.write(folder / "waves" / "other" / f"clip{index}.wav", wave, 24_000)
    table = "".join(f"LJ001-000{index}|Text.|Text.\n" for index in range(len(waves)))
    (folder / "LJSpeech-1.1" / "metadata.csv").write_text(table, encoding="utf-8")
    for name in ("in", "noisy"):
        files.write(folder / f"{name}.wav", waves[0], 24_000)
    write_mels(folder, waves)
    with contextlib.chdir(folder):
        run_line("basis-melgan prepare folder data/mine --source recordings")
        run_line(f"basis-melgan train-vocoder data runs/vocoder --config tiny {SMALLEST}")
    shutil.copytree(folder / "runs" / "vocoder", folder / "runs" / "mine")
    shutil.copyfile(folder / "runs" / "vocoder" / "vocoder.safetensors", folder / EXPORTED)
    return folder


def write_mels(folder: Path, waves: list[files.Wave]) -> None:
    """Write mel spectrograms in the units and folders of the documents."""
    vocoder = Vocoder.load()
    mels = [vocoder.mel(wave, 24_000) for wave in waves]
    units = {"": 1.0, "_log10": 1 / np.log(10), "_db": 20 / np.log(10)}
    for unit, factor in units.items():
        np.save(folder / f"mel{unit}.npy", mels[0] * np.float32(factor))
    np.save(folder / "mel_normalized.npy", (mels[0] + 5) / np.float32(2.3))
    mels[0].T.tofile(folder / "frames.f32")
    for name in ("mels", "predicted"):
        (folder / name).mkdir()
        for index, mel in enumerate(mels):
            np.save(folder / name / f"clip{index}.npy", mel)


@pytest.fixture
def workspace(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the inputs as the working folder; `bench` times one second instead of ten minutes."""
    monkeypatch.setattr("basis_melgan.benchmark.measure.LENGTHS", (1,))
    folder = tmp_path / "workspace"
    shutil.copytree(base, folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("document", GUIDES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_and_code_of_a_page_run(document: Path, workspace: Path) -> None:
    for line in shell_lines(document):  # outputs of the page do not exist before it runs
        if match := OUTPUT_FOLDER.match(line):
            shutil.rmtree(workspace / match[1], ignore_errors=True)
    names: dict[str, object] = {}
    for block in blocks(document):
        if block.language == "python":
            exec(compile(block.text, document.name, "exec"), names)
        elif block.language == "yaml":
            Path("mine.yaml").write_text(block.text, encoding="utf-8")
            load("mine.yaml")
        elif block.language == "bash":
            for line in block_lines(block):
                run_line(line)


def run_line(line: str) -> None:
    """Run one line of a page or verify its replacement."""
    if line.startswith("git clone"):
        assert line == "git clone <this repository> && cd basis-melgan"
    elif line.startswith("pip install"):
        verify_extras(line)
    elif line.startswith("make "):
        subprocess.run(["make", "--dry-run", line.split()[1]], cwd=ROOT, check=True, capture_output=True)
    elif line.startswith("tensorboard "):
        assert "tensorboard" in entry_points(group="console_scripts").names
        assert list(Path(shlex.split(line)[-1]).rglob("events.*"))
    elif "|" in line or ">" in line:
        run_pipeline(line)
    else:
        command = line.split()[1]
        run_command(line, command)


def run_command(line: str, command: str) -> None:
    """Run a command of this package; each kind of export runs once, and its file is reused."""
    arguments = argv(f"{line} {SHORTER.get(command, '')}")
    if command != "export":
        assert main([argument for argument in arguments if argument not in OMITTED]) == 0, line
        return
    kind, out = "int8" if "int8" in line else "float32", Path(arguments[2])
    assert Path(arguments[1]).is_file()
    if kind not in EXPORTS:
        assert main(["export", EXPORTED, *arguments[2:]]) == 0, line
        EXPORTS[kind] = out.read_bytes()
    out.write_bytes(EXPORTS[kind])


def verify_extras(line: str) -> None:
    """Verify that the extras of an installation exist."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(re.findall(r"\[(\w+)\]", line)) <= project["optional-dependencies"].keys()


def run_pipeline(line: str) -> None:
    """Run a line with pipes in bash."""
    for pattern, text in SUBSTITUTES.items():
        line = re.sub(pattern, text, line)
    if ">" not in line:
        line += " > played.pcm"
    environment = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    subprocess.run(["bash", "-c", PIPELINE + line], check=True, env=environment)
