"""`basis-melgan bench`: measurements are complete and plausible, and tables hold them."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from basis_melgan.benchmark.matmul import matrix_product
from basis_melgan.benchmark.tables import bench
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError, ModelFileError, OutputError
from basis_melgan.export.onnx import OPSET, add_metadata
from basis_melgan.inference.backend import Info
from basis_melgan.inference.onnx import seal
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.inference.vocoder import Vocoder


@pytest.fixture
def peer(tmp_path: Path) -> Path:
    """A minimal peer: every sample is the sum of the bands of its mel frame."""
    product_of_bands = helper.make_node("Einsum", ["mel", "weights"], ["frames"], equation="bmf,mh->bfh")
    flat = helper.make_node("Flatten", ["frames"], ["wave"], axis=1)
    weights = onnx.numpy_helper.from_array(np.ones((100, 256), np.float32), "weights")
    mel = helper.make_tensor_value_info("mel", TensorProto.FLOAT, [1, 100, "frames"])
    wave = helper.make_tensor_value_info("wave", TensorProto.FLOAT, [1, "samples"])
    graph = helper.make_graph([product_of_bands, flat], "peer", [mel], [wave], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    config = Config(mel="vocos", frames=FrameGeometry(hop=256, basis_length=1024, stride=256))
    add_metadata(model, Info("peer", config, 0, 1, 0, 25_600, 2.4e6, 0, precision="int8"), "", kind="peer")
    path = tmp_path / "peer.onnx"
    path.write_bytes(seal(model.SerializeToString()))
    return path


def test_a_vocoder_is_measured_beside_a_peer(peer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("basis_melgan.benchmark.measure.LENGTHS", (1, 2))
    text = bench(["speech-24k", str(peer)], 2, tmp_path / "bench.json")
    measurements = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    vocoder, peer_system = measurements["systems"]
    assert [vocoder["name"], peer_system["name"]] == ["speech-24k.onnx", "peer.onnx"]
    assert vocoder["file_bytes"] == pretrained_path("speech-24k", ".onnx").stat().st_size
    assert [len(factors) for factors in vocoder["real_time_factors"].values()] == [2, 2]
    assert list(vocoder["real_time_factors_by_length"]) == ["1", "2"]
    assert len(measurements["peak_rates"]["int8"]) == 2
    assert peer_system["command"] is None
    assert peer_system["real_time_factors"]["1"][0] < vocoder["real_time_factors"]["1"][0]  # a hundredth of the work
    for latency in vocoder["chunk_latencies"].values():
        assert 0 < latency["median"] <= latency["p99"]
    assert 0.1 < vocoder["command"]["seconds"] < 60
    assert 3e7 < vocoder["command"]["resident_bytes"] < 1e9
    lines, parameters = text.splitlines(), f"{Vocoder.load('speech-24k').info.parameters / 1e6:.2f}"
    assert sum(line.startswith(f"| speech-24k.onnx | int8 | {parameters} | ") for line in lines) == 1
    assert sum(line.startswith("| speech-24k.onnx, int8 | ") for line in lines) == 2
    row = next(line for line in lines if line.startswith("| peer.onnx | int8 | 0.03 | 0.00 |"))
    assert row.count("speech-24k.onnx") == 1


def test_unusable_systems_and_settings_are_refused(tmp_path: Path, peer: Path) -> None:
    with pytest.raises(ModelFileError, match="nobody: neither a file nor a model"):
        bench(["nobody"], 1, None)
    (tmp_path / "cut.onnx").write_bytes(peer.read_bytes()[:-10])
    with pytest.raises(ModelFileError, match=r"truncated, or not written by basis-melgan export"):
        bench([str(tmp_path / "cut.onnx")], 1, None)
    with pytest.raises(ConfigurationError, match=r"repeats: 0; use 1 or more"):
        bench(["speech-24k"], 0, None)
    with pytest.raises(OutputError, match=r"is a folder; name a file"):
        bench(["speech-24k"], 7, tmp_path)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_a_matrix_product_is_exact(precision: str) -> None:
    (product,) = matrix_product(precision, 64)()
    assert product.shape == (64, 64)
    assert np.abs(product).max() > 0
    np.testing.assert_array_equal(product, np.round(product))  # of integers in both precisions


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="precision: bf16; use one of float32, int8"):
        matrix_product("bf16", 64)
