"""The released file in ONNX Runtime for the web, under Node, by the script of `examples/`."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.inference.vocoder import Vocoder

ROOT = Path(__file__).parents[2]
MODULES = ROOT / ".venv" / "node" / "node_modules"  # where `make test` puts it, if the machine has npm


@pytest.mark.skipif(not shutil.which("node") or not MODULES.is_dir(), reason="needs Node.js and npm")
def test_it_speaks_there_as_here(tmp_path: Path) -> None:
    script = tmp_path / "speak.mjs"
    shutil.copyfile(ROOT / "examples" / "onnxruntime_web.mjs", script)
    (tmp_path / "node_modules").symlink_to(MODULES)
    vocoder = Vocoder.load("speech-24k")
    mel = vocoder.mel(*files.read(ROOT / "examples" / "clips" / "ru_0683.flac"))[:, :150]
    (tmp_path / "mel.f32").write_bytes(np.ascontiguousarray(mel, np.float32).tobytes())
    onnx = pretrained_path("speech-24k", ".onnx")
    words = [onnx, vocoder.info.lookahead_frames, tmp_path / "mel.f32", tmp_path / "spoken.f32"]
    subprocess.run(["node", str(script), *map(str, words)], check=True, timeout=120)
    spoken, expected = np.fromfile(tmp_path / "spoken.f32", np.float32), vocoder(mel)
    assert spoken.shape == expected.shape
    # Its kernels round elsewhere, and 8 bits make steps of that.
    assert np.linalg.norm(spoken - expected) < 0.1 * np.linalg.norm(expected)
