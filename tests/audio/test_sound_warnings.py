"""What is told of a recording on the command line: one line each, once, and the recording is used."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from sound_formats import encode

from basis_melgan.audio import files
from basis_melgan.cli.main import main

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
RATE = 24_000


@pytest.fixture
def loud() -> bytes:
    """One second with its end missing, beyond full scale, in channels that cancel."""
    speech = files.read(CLIPS[0], 12_000, 25_000)[0]
    speech *= 2 / np.abs(speech[:20_000]).max()
    return encode(np.stack([speech, -speech], axis=1), RATE, "WAV", "FLOAT")[:-8_000]


def test_a_warning_is_one_line_and_shown_once(loud: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "loud.wav", tmp_path / "out.wav"
    source.write_bytes(loud)
    assert main(["vocode", str(source), str(out)]) == 0
    assert soundfile.info(out).frames == 24_000
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith(f"basis-melgan: warning: {source}: ") for line in lines)
    expected = ("its channels cancel", "samples beyond full scale, up to +6.0 dBFS", "the end is missing")
    assert all(text in line for text, line in zip(expected, lines, strict=True))


def test_warnings_name_standard_input(loud: bytes, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "basis_melgan", "vocode", "-", str(tmp_path / "out.wav"), "--force"]
    process = subprocess.run(command, input=loud, capture_output=True)
    assert process.returncode == 0
    lines = process.stderr.decode().splitlines()
    assert len(lines) == 3
    assert all(line.startswith("basis-melgan: warning: standard input: ") for line in lines)
    process = subprocess.run(command, input=b"", capture_output=True)
    assert process.returncode == 2
    assert process.stderr.decode().startswith(
        "basis-melgan: standard input: holds nothing; pipe a mel (.npy) or a sound file into it"
    )
