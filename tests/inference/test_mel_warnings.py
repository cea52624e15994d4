"""Mel warnings of commands: one line per file, and no output for a refused stream."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.cli.main import main
from basis_melgan.inference.vocoder import Vocoder

CLIP = Path(__file__).parents[2] / "examples" / "clips" / "ru_0683.flac"


@pytest.fixture(scope="module")
def recording() -> np.ndarray:
    return Vocoder.load().mel(*files.read(CLIP))


def test_doubtful_mel_is_synthesized_with_a_one_line_warning(
    recording: np.ndarray, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    np.save(tmp_path / "in.npy", 0.62 * recording)
    assert main(["vocode", str(tmp_path / "in.npy"), str(tmp_path / "out.wav")]) == 0
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(
        f"basis-melgan: warning: {tmp_path / 'in.npy'}: its values spread less widely than those of speech in vocos"
    )
    assert files.length(tmp_path / "out.wav")[0] == 256 * recording.shape[1]


def test_warnings_name_the_files_of_a_folder(
    recording: np.ndarray, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    for name, factor in (("a", 0.62), ("b", 1.0), ("c", 0.62)):
        np.save(tmp_path / "in" / f"{name}.npy", factor * recording)
    assert main(["vocode", str(tmp_path / "in"), str(tmp_path / "out")]) == 0
    lines = sorted(capfd.readouterr().err.splitlines())
    assert len(lines) == 2
    for name, line in zip("ac", lines, strict=True):
        assert line.startswith(f"basis-melgan: warning: {tmp_path / 'in' / name}.npy: its values spread less widely")


def test_refused_stream_prints_one_line_and_writes_no_file(recording: np.ndarray, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "basis_melgan", "vocode", "-", str(tmp_path / "out.wav"), "--stream"]
    content = (recording / np.log(10.0)).astype("<f4").T.tobytes()
    result = subprocess.run(command, input=content, capture_output=True, check=False)
    lines = [line for line in result.stderr.decode().splitlines() if "warning" not in line]
    assert result.returncode == 2
    assert len(lines) == 1
    assert "log10 of magnitudes (mel config vocos:log10)" in lines[0]
    assert not list(tmp_path.iterdir())
