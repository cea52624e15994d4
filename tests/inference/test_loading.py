"""Selection of backends, their precision and their limits."""

import numpy as np
import pytest
import torch

from basis_melgan.errors import ConfigurationError
from basis_melgan.inference.backend import UNKNOWN_LENGTH
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.onnx import OnnxBackend
from basis_melgan.inference.openvino import OpenVinoBackend
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.inference.torch import TorchBackend
from basis_melgan.inference.vocoder import DEFAULT_VOCODER, Vocoder


@pytest.mark.parametrize(
    ("backend", "kind"),
    [(None, OnnxBackend), ("onnx", OnnxBackend), ("openvino", OpenVinoBackend), ("torch", TorchBackend)],
)
def test_every_backend_runs_a_pretrained_vocoder(backend: str | None, kind: type) -> None:
    vocoder = load_vocoder(DEFAULT_VOCODER, backend=backend)
    assert isinstance(vocoder._backend, kind)
    assert vocoder.info.sample_rate == 24_000


def test_torch_backend_runs_in_double_precision() -> None:
    path = pretrained_path(DEFAULT_VOCODER, ".safetensors")
    mel = np.random.default_rng(0).normal(-5, 2, (100, 30)).astype(np.float32)
    single, double = (Vocoder(TorchBackend(path, precision))(mel) for precision in (torch.float32, torch.float64))
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert np.abs(double).max() > 1e-3
    assert 0.0 < np.abs(single - double).max() < 1e-3


def test_openvino_accepts_frame_offsets_beyond_32_bits() -> None:
    backend = load_vocoder(DEFAULT_VOCODER, backend="openvino")._backend
    mel = np.random.default_rng(0).normal(-5, 2, (1, 100, 40)).astype(np.float32)
    state = np.zeros((1, backend.info.state_size), np.float32)
    wave, _ = backend.run(mel, state, 1 << 21, UNKNOWN_LENGTH)
    late_wave, _ = backend.run(mel, state, 1 << 35, UNKNOWN_LENGTH)
    final_wave, _ = backend.run(mel, state, 1 << 35, (1 << 35) + 5)
    assert np.abs(wave).max() > 1e-3
    np.testing.assert_array_equal(wave, late_wave)
    assert np.abs(final_wave - late_wave).max() > 1e-3


@pytest.mark.parametrize("backend", [None, "torch", "openvino"])
@pytest.mark.parametrize("threads", [0, -1, 1_025, 10**20])
def test_invalid_thread_count_is_refused(threads: int, backend: str | None) -> None:
    expected = "use 1 or more" if threads < 1 else "use at most 1024, best one per core"
    with pytest.raises(ConfigurationError, match=rf"^threads: {threads}; {expected}$"):
        load_vocoder(DEFAULT_VOCODER, threads, backend)
    with pytest.raises(ConfigurationError, match=rf"^threads: {threads}; {expected}$"):
        Vocoder.load(DEFAULT_VOCODER, threads)


@pytest.mark.parametrize(
    ("path", "backend"), [("a.onnx", "torch"), ("a.safetensors", "onnx"), ("a.safetensors", "openvino")]
)
def test_backend_refuses_unsupported_files(path: str, backend: str) -> None:
    with pytest.raises(
        ConfigurationError, match=rf"backend: {backend} cannot run {path}; torch runs files of training"
    ):
        load_vocoder(path, backend=backend)
