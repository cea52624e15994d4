"""The pretrained model in ONNX Runtime Web under Node.js, with the script of `examples/`."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.inference.vocoder import Vocoder

ROOT = Path(__file__).parents[2]
MODULES = ROOT / ".venv" / "node" / "node_modules"  # installed by `make test` if npm is available


@pytest.mark.skipif(not shutil.which("node") or not MODULES.is_dir(), reason="needs Node.js and npm")
def test_web_runtime_equals_the_onnx_backend(tmp_path: Path) -> None:
    script = tmp_path / "synthesize.mjs"
    shutil.copyfile(ROOT / "examples" / "onnxruntime_web.mjs", script)
    (tmp_path / "node_modules").symlink_to(MODULES)
    vocoder = Vocoder.load("speech-24k")
    mel = vocoder.mel(*files.read(ROOT / "examples" / "clips" / "ru_0683.flac"))[:, :150]
    (tmp_path / "mel.f32").write_bytes(np.ascontiguousarray(mel, np.float32).tobytes())
    onnx = pretrained_path("speech-24k", ".onnx")
    arguments = [onnx, vocoder.info.lookahead_frames, tmp_path / "mel.f32", tmp_path / "wave.f32"]
    subprocess.run(["node", str(script), *map(str, arguments)], check=True, timeout=120)
    wave, expected = np.fromfile(tmp_path / "wave.f32", np.float32), vocoder(mel)
    assert wave.shape == expected.shape
    # Its kernels round differently, which int8 quantization amplifies to whole steps.
    assert np.linalg.norm(wave - expected) < 0.1 * np.linalg.norm(expected)
