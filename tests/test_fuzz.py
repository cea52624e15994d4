"""Damaged files: whatever bytes of a model, a mel or a recording are changed, cut or added, the answer is one line.

A few hundred cases here; `make fuzz` runs thousands.
"""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from basis_melgan.errors import BasisMelGANError
from basis_melgan.inference.bundled import bundled
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.models import release
from basis_melgan.models.vocode import vocode

CASES = int(os.environ.get("FUZZ_CASES", "50"))  # of each kind of file


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The same bytes with a few changed, cut off, left out, doubled or put in; near the front as often as anywhere."""
    spoilt = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        end = len(spoilt) if rng.random() < 0.5 else min(len(spoilt), 256)
        place, length = int(rng.integers(0, max(1, end))), int(rng.integers(1, 64))
        match int(rng.integers(0, 5)):
            case 0:
                spoilt[place : place + 1] = rng.bytes(1)
            case 1:
                del spoilt[place:]
            case 2:
                del spoilt[place : place + length]
            case 3:
                spoilt[place:place] = spoilt[place : place + length]
            case _:
                spoilt[place:place] = rng.bytes(length)
    return bytes(spoilt)


def refusal(work: Callable[[], object]) -> str | None:
    """What a user is told; nothing where it worked. Other exceptions go on, and fail the test."""
    try:
        work()
    except BasisMelGANError as error:
        return str(error)
    return None


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
def test_a_damaged_source_is_spoken_or_refused(suffix: str, tmp_path: Path) -> None:
    vocoder, source, out = Vocoder.load(), tmp_path / f"source{suffix}", tmp_path / "out.wav"
    WRITERS[suffix](source)
    content, refused = source.read_bytes(), 0
    for seed in range(CASES):
        source.write_bytes(damaged(content, np.random.default_rng(seed)))
        out.unlink(missing_ok=True)
        reason = refusal(partial(vocode, str(source), str(out), vocoder))
        if reason is not None:
            assert reason.strip(), seed
            assert not out.exists(), seed
            refused += 1
        assert {path.name for path in tmp_path.iterdir()} <= {source.name, out.name}, seed
    assert refused


@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_a_damaged_model_is_refused(suffix: str, tmp_path: Path) -> None:
    whole = bundled("speech-24k", suffix)
    content, path = whole.read_bytes(), tmp_path / f"model{suffix}"
    load = Vocoder.load if suffix == ".onnx" else release.load_vocoder
    for seed in range(CASES):
        spoilt = damaged(content, np.random.default_rng(seed))
        path.write_bytes(spoilt)
        reason = refusal(partial(load, path))
        if reason is None:  # weights have no hash in a .safetensors file, so a changed one is a weight like another
            assert suffix == ".safetensors" or spoilt == content, seed
        else:
            assert str(path) in reason, seed
