"""Standard streams of commands: encodings, closed streams and full disks."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from basis_melgan.cli.main import SUBSTITUTES

ROOT = Path(__file__).parents[2]


def run(*argv: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "basis_melgan", *argv]
    return subprocess.run(command, capture_output=True, cwd=ROOT, env={**os.environ, **environment}, check=False)


def test_closed_pipe_is_not_an_error() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "basis_melgan", "--help"]
    result = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(write_end)
    assert (result.returncode, result.stderr) == (141, b"")


@pytest.mark.parametrize("encoding", ["cp1251", "cp1252", "ascii"])
@pytest.mark.parametrize("command", ["vocode", "analyze"])
def test_help_is_printed_in_any_encoding(command: str, encoding: str) -> None:
    """The help of vocode contains ×, which cp1251 and ASCII lack; that of analyze contains −, which all three lack."""
    argv = (command, "--help")
    result, expected = run(*argv, PYTHONIOENCODING=encoding), run(*argv, PYTHONIOENCODING="utf-8")
    assert (result.returncode, result.stderr) == (expected.returncode, b"") == (0, b"")
    text = expected.stdout.decode()
    for character, substitute in SUBSTITUTES.items():
        if character.encode(encoding, "ignore") == b"":
            text = text.replace(character, substitute)
    assert result.stdout.decode(encoding) == text
    assert text.isascii() or encoding != "ascii"


@pytest.mark.parametrize("encoding", ["cp1251", "ascii", "utf-8"])
def test_file_names_with_any_characters_are_printed(encoding: str) -> None:
    for name in ("нет-such-ｆile.npy", os.fsdecode(b"no-\xff.npy")):
        result = run("vocode", name, "out.wav", PYTHONIOENCODING=encoding)
        assert result.returncode == 2
        line = result.stderr.decode(encoding)
        assert line.startswith("basis-melgan: ")
        assert line.endswith(".npy: no such file; expected a mel (.npy, .npz, .pt)\n")
        assert line.count("\n") == 1


@pytest.mark.parametrize("environment", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LANG": "C"}])
def test_help_works_in_a_minimal_locale(environment: dict[str, str]) -> None:
    result = run("train-vocoder", "--help", **environment)
    assert (result.returncode, result.stderr) == (0, b"")


def test_closed_standard_streams_cause_no_traceback() -> None:
    command = f"{shlex.quote(sys.executable)} -m basis_melgan"
    cases = (("--version <&- >&- 2>&-", 0), ("--help >&-", 0), ("vocode a.npy - >&-", 2), ("nothing 2>&-", 2))
    for arguments, status in cases:
        result = subprocess.run(f"{command} {arguments}", shell=True, capture_output=True, cwd=ROOT, check=False)
        assert result.returncode == status, arguments
        assert b"Traceback" not in result.stderr


def test_full_disk_is_reported_in_one_line() -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "basis_melgan", "--help"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert (result.returncode, result.stderr) == (2, b"basis-melgan: [Errno 28] No space left on device\n")
