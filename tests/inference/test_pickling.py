"""Pickled and copied vocoders and streams synthesize the same waves."""

import copy
import pickle
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from basis_melgan.config.schema import BackendName
from basis_melgan.errors import ModelFileError
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.inference.stream import Stream
from basis_melgan.inference.vocoder import Vocoder

BACKENDS: list[BackendName] = ["onnx", "openvino", "torch"]
COPIES: list[Callable] = [lambda original: pickle.loads(pickle.dumps(original)), copy.deepcopy]


def mel_of(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).normal(-5, 2, (100, frames)).astype(np.float32)


def synthesize(vocoder: Vocoder, mel: np.ndarray) -> np.ndarray:
    return vocoder(mel)


@pytest.mark.parametrize("backend", BACKENDS)
def test_vocoder_copy_synthesizes_the_same_wave(backend: BackendName) -> None:
    vocoder, mel = load_vocoder("speech-24k", 1, backend, "vocos:log10"), mel_of(40) / np.float32(np.log(10))
    wave = vocoder(mel)
    for vocoder_copy in (duplicate(vocoder) for duplicate in COPIES):
        np.testing.assert_array_equal(vocoder_copy(mel), wave)
        assert vocoder_copy.info == vocoder.info


def test_stream_copy_continues_from_the_same_state() -> None:
    stream, mel = Vocoder.load().stream(), mel_of(70)
    stream.push(mel[:, :30])
    stream_copies: list[Stream] = [duplicate(stream) for duplicate in COPIES]
    expected = np.concatenate([stream.push(mel[:, 30:]), stream.flush()])
    for stream_copy in stream_copies:
        np.testing.assert_array_equal(np.concatenate([stream_copy.push(mel[:, 30:]), stream_copy.flush()]), expected)


def test_spawned_process_accepts_a_vocoder() -> None:
    vocoder, mel = Vocoder.load(), mel_of(40)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        np.testing.assert_array_equal(pool.submit(synthesize, vocoder, mel).result(), vocoder(mel))


def test_relative_path_is_independent_of_the_working_folder_and_a_missing_file_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, working_folder = tmp_path / "mine.onnx", tmp_path / "elsewhere"
    file.write_bytes(pretrained_path("speech-24k", ".onnx").read_bytes())
    working_folder.mkdir()
    monkeypatch.chdir(tmp_path)
    content, mel = pickle.dumps(Vocoder.load("mine.onnx")), mel_of(9)
    monkeypatch.chdir(working_folder)
    np.testing.assert_array_equal(pickle.loads(content)(mel), Vocoder.load()(mel))
    file.unlink()
    with pytest.raises(ModelFileError, match=r"mine\.onnx: cannot be read"):
        pickle.loads(content)
