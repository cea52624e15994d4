"""Playback: through PortAudio into a file where it is installed, and one-line errors without a loudspeaker."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.cli.main import main
from basis_melgan.inference.vocoder import Vocoder

CLIP = Path(__file__).parents[2] / "examples" / "clips" / "ru_0683.flac"
# An ALSA device that writes the played samples to a file.
LOUDSPEAKER = "pcm.!default {{ type file slave.pcm null file {} format raw }}\nctl.!default {{ type null }}\n"


def run_play(source: str, home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(home)}
    command = [sys.executable, "-m", "basis_melgan", "play", source]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def has_portaudio() -> bool:
    """Whether PortAudio is installed with ALSA."""
    try:
        import sounddevice
    except OSError:
        return False
    return any(api["name"] == "ALSA" for api in sounddevice.query_hostapis())


def test_played_wave_equals_the_synthesized_wave(tmp_path: Path) -> None:
    if not has_portaudio():
        pytest.skip("PortAudio with ALSA is not installed here")
    (tmp_path / ".asoundrc").write_text(LOUDSPEAKER.format(tmp_path / "played.raw"), encoding="utf-8")
    run = run_play(str(CLIP), tmp_path)
    assert run.returncode == 0, run.stderr
    vocoder = Vocoder.load()
    expected = vocoder.resynthesize(*files.read(CLIP))
    samples = np.fromfile(tmp_path / "played.raw", np.float32)
    assert np.abs(samples[: expected.size] - expected).max() < 1e-4


def test_missing_loudspeaker_is_reported_in_one_line(tmp_path: Path) -> None:
    (tmp_path / ".asoundrc").write_text("pcm.!default { type hw card 99 }\n", encoding="utf-8")
    run = run_play(str(CLIP), tmp_path)
    assert run.returncode == 2
    assert run.stderr.startswith("basis-melgan: loudspeaker: ")
    assert run.stderr.count("\n") == 1


def test_missing_source_is_reported_before_the_loudspeaker_is_opened(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["play", "missing.npy"]) == 2
    assert capsys.readouterr().err.startswith("basis-melgan: missing.npy: no such file")


def test_stream_option_needs_standard_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["play", str(CLIP), "--stream"]) == 2
    assert "frames come from standard input" in capsys.readouterr().err
