"""Damaged models, mels and recordings are synthesized, or refused in one line.

A few hundred cases run by default; `make fuzz` runs thousands.
"""

import io
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from fuzzing import case_count, damage, run_case

from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.inference.synthesize import vocode
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.models import model_file

CASES = case_count(25)  # of each kind of file


def mel() -> np.ndarray:
    return np.random.default_rng(0).normal(-5, 2, (100, 12)).astype(np.float32)


def wave() -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal(3_000).astype(np.float32)


WRITERS: dict[str, Callable[[Path], object]] = {
    ".npy": lambda path: np.save(path, mel()),
    ".npz": lambda path: np.savez_compressed(path, mel=mel()),
    ".pt": lambda path: torch.save(torch.from_numpy(mel()), path),
    ".wav": lambda path: soundfile.write(path, wave(), 24_000),
    ".flac": lambda path: soundfile.write(path, wave(), 16_000),
    ".ogg": lambda path: soundfile.write(path, wave(), 24_000),
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_damaged_source_is_synthesized_or_refused(suffix: str, tmp_path: Path) -> None:
    vocoder, source, out = Vocoder.load(), tmp_path / f"source{suffix}", tmp_path / "out.wav"
    WRITERS[suffix](source)
    content, refusals = source.read_bytes(), 0
    for seed in range(CASES):
        source.write_bytes(damage(content, np.random.default_rng(seed)))
        out.unlink(missing_ok=True)
        result = run_case(partial(vocode, str(source), str(out), vocoder))
        assert out.exists() == (not result.refusal), seed
        refusals += bool(result.refusal)
        assert {path.name for path in tmp_path.iterdir()} <= {source.name, out.name}, seed
    assert refusals


@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_damaged_model_is_refused(suffix: str, tmp_path: Path) -> None:
    content, path = pretrained_path("speech-24k", suffix).read_bytes(), tmp_path / f"model{suffix}"
    load = Vocoder.load if suffix == ".onnx" else model_file.load_generator
    for seed in range(CASES):
        damaged_content = damage(content, np.random.default_rng(seed))
        path.write_bytes(damaged_content)
        refusal = run_case(partial(load, path)).refusal
        if refusal:
            assert str(path) in refusal, seed
        else:  # .safetensors files hold no hash, so a changed weight is not detected
            assert suffix == ".safetensors" or damaged_content == content, seed


def test_bytes_after_the_array_of_a_mel_file_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vocoder, source = Vocoder.load(), tmp_path / "two.npy"
    WRITERS[".npy"](source)
    content = 2 * source.read_bytes()
    source.write_bytes(content)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    for name in (str(source), "-"):
        refusal = run_case(partial(vocode, name, str(tmp_path / "out.wav"), vocoder)).refusal
        assert refusal.endswith("holds 4928 bytes after its first array; expected the mel alone, so save it again")
    assert not (tmp_path / "out.wav").exists()
