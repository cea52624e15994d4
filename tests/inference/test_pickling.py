"""Vocoders go to other processes, and streams are copied: what they say afterwards is the same."""

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

ENGINES: list[BackendName] = ["onnx", "openvino", "torch"]
COPIES: list[Callable] = [lambda original: pickle.loads(pickle.dumps(original)), copy.deepcopy]


def mel_of(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).normal(-5, 2, (100, frames)).astype(np.float32)


def synthesize(vocoder: Vocoder, mel: np.ndarray) -> np.ndarray:
    return vocoder(mel)


@pytest.mark.parametrize("backend", ENGINES)
def test_a_copy_of_a_vocoder_synthesizes_the_same(backend: BackendName) -> None:
    vocoder, mel = load_vocoder("speech-24k", 1, backend, "vocos:log10"), mel_of(40) / np.float32(np.log(10))
    wave = vocoder(mel)
    for duplicate in (make(vocoder) for make in COPIES):
        np.testing.assert_array_equal(duplicate(mel), wave)
        assert duplicate.info == vocoder.info


def test_a_stream_goes_on_where_it_was_copied() -> None:
    stream, mel = Vocoder.load().stream(), mel_of(70)
    stream.push(mel[:, :30])
    duplicates: list[Stream] = [make(stream) for make in COPIES]
    expected = np.concatenate([stream.push(mel[:, 30:]), stream.flush()])
    for duplicate in duplicates:
        np.testing.assert_array_equal(np.concatenate([duplicate.push(mel[:, 30:]), duplicate.flush()]), expected)


def test_a_pool_of_new_processes_takes_a_vocoder() -> None:
    vocoder, mel = Vocoder.load(), mel_of(40)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        np.testing.assert_array_equal(pool.submit(synthesize, vocoder, mel).result(), vocoder(mel))


def test_a_relative_path_survives_a_change_of_folder_and_a_missing_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = tmp_path / "mine.onnx", tmp_path / "other"
    file.write_bytes(pretrained_path("speech-24k", ".onnx").read_bytes())
    other.mkdir()
    monkeypatch.chdir(tmp_path)
    content, mel = pickle.dumps(Vocoder.load("mine.onnx")), mel_of(9)
    monkeypatch.chdir(other)
    np.testing.assert_array_equal(pickle.loads(content)(mel), Vocoder.load()(mel))
    file.unlink()
    with pytest.raises(ModelFileError, match=r"mine\.onnx: cannot be read"):
        pickle.loads(content)
