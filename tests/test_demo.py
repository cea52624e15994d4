"""The demonstration script, which runs without PyTorch, and its predicted mel."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from basis_melgan.audio import files
from basis_melgan.inference.vocoder import Vocoder

EXAMPLES = Path(__file__).parents[1] / "examples"
WITHOUT_TORCH = (
    "import runpy, sys; sys.modules['torch'] = None; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
)


def test_demo_synthesizes_and_plots_both_mels(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(EXAMPLES / "demo.py"), str(tmp_path / "out")]
    process = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert process.returncode == 0, process.stderr
    assert process.stdout.count("real-time factor") == 2
    for name, frames in (("recording", None), ("predicted-mel", np.load(EXAMPLES / "predicted.npy").shape[1])):
        wave, sample_rate = soundfile.read(tmp_path / "out" / f"{name}.wav")
        assert sample_rate == 24_000
        assert frames is None or wave.size == frames * 256
        assert np.abs(wave).max() > 0.05
    assert Image.open(tmp_path / "out" / "mels.png").size[0] == 2 * 405


def test_predicted_mel_is_a_smoothed_mel_of_a_clip() -> None:
    mel = Vocoder.load().mel(*files.read(EXAMPLES / "clips" / "ru_0308.flac"))
    for axis, width in ((1, 3), (0, 5)):
        margins = [(width // 2, width // 2) if dimension == axis else (0, 0) for dimension in range(2)]
        padded = np.pad(mel, margins, mode="edge")
        mel = np.lib.stride_tricks.sliding_window_view(padded, width, axis=axis).mean(axis=-1)
    np.testing.assert_allclose(np.load(EXAMPLES / "predicted.npy"), mel, atol=0.01)
