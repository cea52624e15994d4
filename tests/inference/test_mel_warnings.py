"""On the command line a doubtful mel warns in one line and is synthesized; a refused stream leaves no file."""

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


def test_a_doubtful_mel_warns_in_one_line_with_its_file_and_is_synthesized(
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


def test_warnings_of_a_folder_name_their_files(
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


def test_a_stream_of_another_scale_ends_with_one_line_and_no_file(recording: np.ndarray, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "basis_melgan", "vocode", "-", str(tmp_path / "out.wav"), "--stream"]
    content = (recording / np.log(10.0)).astype("<f4").T.tobytes()
    result = subprocess.run(command, input=content, capture_output=True, check=False)
    lines = [line for line in result.stderr.decode().splitlines() if "warning" not in line]
    assert result.returncode == 2
    assert len(lines) == 1
    assert "log10 of magnitudes (mel config vocos:log10)" in lines[0]
    assert not list(tmp_path.iterdir())
