"""Which engine runs which vocoder."""

import numpy as np
import pytest
import torch

from basis_melgan.errors import ConfigurationError
from basis_melgan.inference.backend import UNENDING
from basis_melgan.inference.loading import open_vocoder
from basis_melgan.inference.onnx import OnnxEngine
from basis_melgan.inference.openvino import OpenVinoEngine
from basis_melgan.inference.pretrained import bundled
from basis_melgan.inference.torch import TorchEngine
from basis_melgan.inference.vocoder import RELEASED, Vocoder


@pytest.mark.parametrize(
    ("engine", "kind"),
    [(None, OnnxEngine), ("onnx", OnnxEngine), ("openvino", OpenVinoEngine), ("torch", TorchEngine)],
)
def test_a_released_vocoder_runs_in_every_engine(engine: str | None, kind: type) -> None:
    vocoder = open_vocoder(RELEASED, engine=engine)
    assert isinstance(vocoder._engine, kind)
    assert vocoder.info.rate == 24_000


def test_pytorch_can_speak_in_double_precision() -> None:
    path = bundled(RELEASED, ".safetensors")
    mel = np.random.default_rng(0).normal(-5, 2, (100, 30)).astype(np.float32)
    single, double = (Vocoder(TorchEngine(path, precision))(mel) for precision in (torch.float32, torch.float64))
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    assert np.abs(double).max() > 1e-3
    assert 0.0 < np.abs(single - double).max() < 1e-3


def test_openvino_goes_on_beyond_what_32_bits_count() -> None:
    engine = open_vocoder(RELEASED, engine="openvino")._engine
    mel = np.random.default_rng(0).normal(-5, 2, (1, 100, 40)).astype(np.float32)
    state = np.zeros((1, engine.info.state_size), np.float32)
    near, _ = engine.run(mel, state, 1 << 21, UNENDING)
    far, _ = engine.run(mel, state, 1 << 35, UNENDING)
    ended, _ = engine.run(mel, state, 1 << 35, (1 << 35) + 5)
    assert np.abs(near).max() > 1e-3
    np.testing.assert_array_equal(near, far)
    assert np.abs(ended - far).max() > 1e-3


@pytest.mark.parametrize("engine", [None, "torch", "openvino"])
@pytest.mark.parametrize("threads", [0, -1, 1_025, 10**20])
def test_threads_have_bounds(threads: int, engine: str | None) -> None:
    expected = "use 1 or more" if threads < 1 else "use at most 1024, best one per core"
    with pytest.raises(ConfigurationError, match=rf"^threads: {threads}; {expected}$"):
        open_vocoder(RELEASED, threads, engine)
    with pytest.raises(ConfigurationError, match=rf"^threads: {threads}; {expected}$"):
        Vocoder.load(RELEASED, threads)


@pytest.mark.parametrize(
    ("path", "engine"), [("a.onnx", "torch"), ("a.safetensors", "onnx"), ("a.safetensors", "openvino")]
)
def test_an_engine_refuses_what_it_cannot_run(path: str, engine: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"engine: {engine} cannot run {path}; torch runs what training made"):
        open_vocoder(path, engine=engine)
