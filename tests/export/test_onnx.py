"""ONNX export: parity with PyTorch, streaming, metadata and damage detection."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_config
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import ConvNeXtConfig, MelGANConfig, SeparatorConfig
from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError, ModelFileError, OutputError
from basis_melgan.export import onnx as module
from basis_melgan.export.onnx import export, reference_mel
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.onnx import SEAL, seal
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.models import model_file
from basis_melgan.storage import hashing

ROOT = Path(__file__).parents[2]
CONVNEXT = Config(
    mel="vocos",
    frames=FrameGeometry(hop=256, basis_length=1024, stride=256),
    generator=ConvNeXtConfig(kernel=5, channels=16, hidden=24, blocks=2, atoms=64, spacing="mixed"),
)
CONVNEXT_LINEAR = replace(CONVNEXT, generator=replace(CONVNEXT.generator, spacing="linear", atoms=512))
MELGAN = Config(generator=MelGANConfig(channels=16), separator=SeparatorConfig(atoms=16))


def save_vocoder(path: Path, config: Config) -> Path:
    torch.manual_seed(0)
    generator = model_file.new_generator(config)
    if config is MELGAN:  # so that differences exceed rounding
        generator.basis.atoms.data *= 5.0
        for name, parameter in generator.network.named_parameters():
            if name.endswith(("bias", "original0")):
                parameter.data.uniform_(0.4, 0.9)
    model_file.save(path, "vocoder", generator.state_dict(), config, model_file.Origin(7, "none"))
    return path


@pytest.fixture(
    scope="module", params=[CONVNEXT, CONVNEXT_LINEAR, MELGAN], ids=["convnext", "convnext, linear pairs", "melgan"]
)
def reference_and_path(request, tmp_path_factory: pytest.TempPathFactory) -> tuple[Vocoder, Path]:
    """A vocoder in PyTorch, and the path of its exported file."""
    folder = tmp_path_factory.mktemp("export")
    source, out = save_vocoder(folder / "vocoder.safetensors", request.param), folder / "small.onnx"
    export(source, out, data="nothing", license="MIT")
    return load_vocoder(source), out


def test_onnx_equals_pytorch(reference_and_path: tuple[Vocoder, Path]) -> None:
    reference, path = reference_and_path
    exported = Vocoder.load(path)
    for frames in (1, 2, 7, 60):
        mel = reference_mel(reference.info, frames)
        expected = reference(mel)
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(exported(mel), expected, atol=1e-4)
        assert exported(mel).shape == (frames * reference.info.hop,)
    mels = np.stack([reference_mel(reference.info, 30), reference_mel(reference.info, 31)[:, 1:]])
    np.testing.assert_allclose(exported(mels), reference(mels), atol=1e-4)


def test_chunked_synthesis_equals_whole(reference_and_path: tuple[Vocoder, Path]) -> None:
    vocoder = Vocoder.load(reference_and_path[1])
    mel = reference_mel(vocoder.info, 50)
    stream, rng, start, waves = vocoder.stream(), np.random.default_rng(0), 0, []
    while start < 50:
        count = int(rng.integers(1, 9))
        waves.append(stream.push(mel[:, start : start + count]))
        start += count
    waves.append(stream.flush())
    np.testing.assert_allclose(np.concatenate(waves), vocoder(mel), atol=1e-5)


def test_openvino_equals_pytorch_for_whole_mels_and_chunks(reference_and_path: tuple[Vocoder, Path]) -> None:
    vocoder, mel = (
        load_vocoder(reference_and_path[1], backend="openvino"),
        reference_mel(reference_and_path[0].info, 60),
    )
    expected = reference_and_path[0](mel)
    np.testing.assert_allclose(vocoder(mel), expected, atol=1e-4)
    stream = vocoder.stream()
    waves = [stream.push(mel[:, start : start + 13]) for start in range(0, 60, 13)]
    np.testing.assert_allclose(np.concatenate([*waves, stream.flush()]), expected, atol=1e-4)


def test_openvino_synthesizes_concurrently(reference_and_path: tuple[Vocoder, Path]) -> None:
    vocoder = load_vocoder(reference_and_path[1], backend="openvino")
    mels = [reference_mel(reference_and_path[0].info, frames) for frames in (300, 310, 320, 330)]
    expected = [vocoder(mel) for mel in mels]
    with ThreadPoolExecutor(4) as pool:
        for wave, expected_wave in zip(pool.map(vocoder, mels), expected, strict=True):
            np.testing.assert_array_equal(wave, expected_wave)


def test_metadata_of_an_exported_file(reference_and_path: tuple[Vocoder, Path]) -> None:
    reference, path = reference_and_path
    info = Vocoder.load(path).info
    assert (info.name, info.training_data, info.license, info.training_steps) == ("small", "nothing", "MIT", 7)
    for name in ("config", "lookahead_frames", "min_frames", "state_size", "parameters", "macs_per_second"):
        assert getattr(info, name) == getattr(reference.info, name)
    model = onnx.load(path)
    onnx.checker.check_model(model)
    assert [opset.version for opset in model.opset_import if opset.domain == ""] == [module.OPSET]
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(metadata["config"]) == json.loads(json.dumps(reference.info.config.to_dict()))
    assert metadata["source"] == hashing.sha256_of_file(path.with_name("vocoder.safetensors"))
    assert len(metadata["sha256"]) == 64
    assert str(ROOT).encode() not in path.read_bytes()


@pytest.mark.parametrize(("name", "size"), [("speech-24k", 5e6), ("speech-24k-small", 1.5e6), ("speech-24k-live", 5e6)])
def test_pretrained_file_has_its_source_hash_and_is_small(name: str, size: float) -> None:
    model, source = onnx.load(pretrained_path(name, ".onnx")), pretrained_path(name, ".safetensors")
    assert {entry.key: entry.value for entry in model.metadata_props}["source"] == hashing.sha256_of_file(source)
    info = Vocoder.load(name).info
    assert (info.license, info.precision) == ("MIT", "int8")
    assert pretrained_path(name, ".onnx").stat().st_size <= size


def test_latency_of_the_live_vocoder_is_at_most_40_ms() -> None:
    info = Vocoder.load("speech-24k-live").info
    analysis = mel_config(info.mel_config).window / 2  # lookahead of a centered mel frame, in samples
    assert info.lookahead_ms + 1e3 * analysis / info.sample_rate <= 40.0


def test_silent_vocoder_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "silent.safetensors"
    silent = model_file.new_generator(MELGAN)  # almost silent at initialization
    model_file.save(source, "vocoder", silent.state_dict(), MELGAN, model_file.Origin(0, "none"))
    with pytest.raises(ModelFileError, match="its output is silent, so nothing can be compared"):
        export(source, tmp_path / "out.onnx")


def test_graph_that_differs_from_pytorch_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = save_vocoder(tmp_path / "vocoder.safetensors", CONVNEXT)
    to_onnx = module.to_onnx

    def with_louder_basis(model) -> onnx.ModelProto:
        proto = to_onnx(model)
        for tensor in proto.graph.initializer:
            if tensor.name.startswith("generator.basis."):
                atoms = onnx.numpy_helper.to_array(tensor) * np.float32(1.05)
                tensor.CopyFrom(onnx.numpy_helper.from_array(atoms, tensor.name))
        return proto

    monkeypatch.setattr(module, "to_onnx", with_louder_basis)
    with pytest.raises(ModelFileError, match=r"over \d+ frames its ONNX graph differs from PyTorch by .* nothing was"):
        export(source, tmp_path / "out.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["vocoder.safetensors"]


def test_invalid_output_path_is_refused(tmp_path: Path) -> None:
    source = save_vocoder(tmp_path / "vocoder.safetensors", CONVNEXT)
    (tmp_path / "existing.onnx").write_text("existing", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already; use --force"):
        export(source, tmp_path / "existing.onnx")
    with pytest.raises(ConfigurationError, match=r"ends in \.onnx"):
        export(source, tmp_path / "model.pt")


def test_damage_of_any_byte_is_detected(reference_and_path: tuple[Vocoder, Path], tmp_path: Path) -> None:
    content, rng = reference_and_path[1].read_bytes(), np.random.default_rng(0)
    for position in [0, len(content) - 1, *rng.integers(0, len(content), 40)]:
        damaged = bytearray(content)
        damaged[position] ^= 1 << int(rng.integers(8))
        (tmp_path / "damaged.onnx").write_bytes(damaged)
        with pytest.raises(ModelFileError, match=r"damaged\.onnx: (damaged|truncated)"):
            Vocoder.load(tmp_path / "damaged.onnx")
    for size in (0, 1, len(SEAL), 1_000, len(content) - 1):
        (tmp_path / "truncated.onnx").write_bytes(content[:size])
        with pytest.raises(ModelFileError, match=r"truncated\.onnx: truncated"):
            Vocoder.load(tmp_path / "truncated.onnx")


def test_incompatible_file_is_refused(reference_and_path: tuple[Vocoder, Path], tmp_path: Path) -> None:
    model = onnx.load(reference_and_path[1])
    entries = {entry.key: entry.value for entry in model.metadata_props if entry.key != "sha256"}
    for changes, message in (
        ({"format": "99"}, r"has format 99, this version reads 2; update basis-melgan"),
        ({"format": "1"}, r"has format 1, this version reads 2; export it again"),
        ({"kind": "separator"}, "describes no vocoder"),
        ({"config": "{"}, "metadata cannot be read"),
        ({"info": "{}"}, "metadata cannot be read"),
    ):
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, entries | changes)
        (tmp_path / "other.onnx").write_bytes(seal(model.SerializeToString()))
        with pytest.raises(ModelFileError, match=message):
            Vocoder.load(tmp_path / "other.onnx")
    (tmp_path / "graph.onnx").write_bytes(seal(b"no graph"))
    with pytest.raises(ModelFileError, match="ONNX Runtime cannot run it"):
        Vocoder.load(tmp_path / "graph.onnx")
    with pytest.raises(ModelFileError, match=r"a trained vocoder, not an exported one"):
        Vocoder.load(reference_and_path[1].with_name("vocoder.safetensors"))
    with pytest.raises(ConfigurationError, match="threads: 0; use 1 or more"):
        Vocoder.load(reference_and_path[1], threads=0)
    with pytest.raises(ModelFileError, match=r"missing\.onnx: cannot be read"):
        Vocoder.load(tmp_path / "missing.onnx")
    with pytest.raises(ModelFileError, match=r"unknown: neither a file nor a model .*speech-24k"):
        Vocoder.load("unknown")


def test_example_script_needs_only_onnx_runtime(tmp_path: Path) -> None:
    vocoder = Vocoder.load()
    mel = reference_mel(vocoder.info, 60)
    np.save(tmp_path / "mel.npy", mel)
    script = ROOT / "examples" / "onnxruntime_alone.py"
    assert "basis_melgan" not in script.read_text(encoding="utf-8")
    command = [
        sys.executable,
        script,
        pretrained_path("speech-24k", ".onnx"),
        tmp_path / "mel.npy",
        tmp_path / "out.wav",
    ]
    subprocess.run(command, check=True)
    wave, rate = files.read(tmp_path / "out.wav")
    assert rate == vocoder.info.sample_rate
    np.testing.assert_allclose(wave, vocoder(mel).clip(-1, 1), atol=2e-4)
