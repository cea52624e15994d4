"""Export: one file that says what PyTorch says, whole and in chunks, knows what it is, and shows when it is damaged."""

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
FRAME_RATE = Config(
    mel="vocos",
    frames=FrameGeometry(hop=256, basis_length=1024, stride=256),
    generator=ConvNeXtConfig(kernel=5, channels=16, hidden=24, blocks=2, atoms=64, spacing="mixed"),
)
LINEAR = replace(FRAME_RATE, generator=replace(FRAME_RATE.generator, spacing="linear", atoms=512))
PAPER = Config(generator=MelGANConfig(channels=16), separator=SeparatorConfig(atoms=16))


def released(path: Path, config: Config) -> Path:
    torch.manual_seed(0)
    generator = model_file.new_generator(config)
    if config is PAPER:  # loud enough to be compared
        generator.basis.atoms.data *= 5.0
        for name, parameter in generator.network.named_parameters():
            if name.endswith(("bias", "original0")):
                parameter.data.uniform_(0.4, 0.9)
    model_file.save(path, "vocoder", generator.state_dict(), config, model_file.Origin(7, "none"))
    return path


@pytest.fixture(scope="module", params=[FRAME_RATE, LINEAR, PAPER], ids=["frame rate", "linear pairs", "paper"])
def pair(request, tmp_path_factory: pytest.TempPathFactory) -> tuple[Vocoder, Path]:
    """A vocoder in PyTorch, and the file that export makes of it."""
    folder = tmp_path_factory.mktemp("export")
    source, out = released(folder / "vocoder.safetensors", request.param), folder / "small.onnx"
    export(source, out, data="nothing", license="MIT")
    return load_vocoder(source), out


def test_it_says_what_pytorch_says(pair: tuple[Vocoder, Path]) -> None:
    reference, path = pair
    exported = Vocoder.load(path)
    for frames in (1, 2, 7, 60):
        mel = reference_mel(reference.info, frames)
        expected = reference(mel)
        assert np.abs(expected).max() > 0.01
        np.testing.assert_allclose(exported(mel), expected, atol=1e-4)
        assert exported(mel).shape == (frames * reference.info.hop,)
    mels = np.stack([reference_mel(reference.info, 30), reference_mel(reference.info, 31)[:, 1:]])
    np.testing.assert_allclose(exported(mels), reference(mels), atol=1e-4)


def test_a_stream_says_what_the_whole_says(pair: tuple[Vocoder, Path]) -> None:
    vocoder = Vocoder.load(pair[1])
    mel = reference_mel(vocoder.info, 50)
    stream, rng, start, waves = vocoder.stream(), np.random.default_rng(0), 0, []
    while start < 50:
        count = int(rng.integers(1, 9))
        waves.append(stream.push(mel[:, start : start + count]))
        start += count
    waves.append(stream.flush())
    np.testing.assert_allclose(np.concatenate(waves), vocoder(mel), atol=1e-5)


def test_openvino_says_the_same_whole_and_in_chunks(pair: tuple[Vocoder, Path]) -> None:
    vocoder, mel = load_vocoder(pair[1], backend="openvino"), reference_mel(pair[0].info, 60)
    expected = pair[0](mel)
    np.testing.assert_allclose(vocoder(mel), expected, atol=1e-4)
    stream = vocoder.stream()
    waves = [stream.push(mel[:, start : start + 13]) for start in range(0, 60, 13)]
    np.testing.assert_allclose(np.concatenate([*waves, stream.flush()]), expected, atol=1e-4)


def test_openvino_speaks_several_at_once(pair: tuple[Vocoder, Path]) -> None:
    vocoder = load_vocoder(pair[1], backend="openvino")
    mels = [reference_mel(pair[0].info, frames) for frames in (300, 310, 320, 330)]
    expected = [vocoder(mel) for mel in mels]
    with ThreadPoolExecutor(4) as pool:
        for spoken, wave in zip(pool.map(vocoder, mels), expected, strict=True):
            np.testing.assert_array_equal(spoken, wave)


def test_it_knows_what_it_is(pair: tuple[Vocoder, Path]) -> None:
    reference, path = pair
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
def test_a_released_file_is_of_the_released_vocoder_and_small(name: str, size: float) -> None:
    model, source = onnx.load(pretrained_path(name, ".onnx")), pretrained_path(name, ".safetensors")
    assert {entry.key: entry.value for entry in model.metadata_props}["source"] == hashing.sha256_of_file(source)
    info = Vocoder.load(name).info
    assert (info.license, info.precision) == ("MIT", "int8")
    assert pretrained_path(name, ".onnx").stat().st_size <= size


def test_the_live_vocoder_speaks_within_40_ms_of_a_sound() -> None:
    info = Vocoder.load("speech-24k-live").info
    analysis = mel_config(info.mel_config).window / 2  # samples by which a centered frame of the mel looks ahead
    assert info.lookahead_ms + 1e3 * analysis / info.sample_rate <= 40.0


def test_a_silent_vocoder_passes_no_gate(tmp_path: Path) -> None:
    source = tmp_path / "silent.safetensors"
    silent = model_file.new_generator(PAPER)  # as it is drawn, it says next to nothing
    model_file.save(source, "vocoder", silent.state_dict(), PAPER, model_file.Origin(0, "none"))
    with pytest.raises(ModelFileError, match="its output is silent, so nothing can be compared"):
        export(source, tmp_path / "out.onnx")


def test_the_gate_keeps_out_what_differs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = released(tmp_path / "vocoder.safetensors", FRAME_RATE)
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


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    source = released(tmp_path / "vocoder.safetensors", FRAME_RATE)
    (tmp_path / "taken.onnx").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already; use --force"):
        export(source, tmp_path / "taken.onnx")
    with pytest.raises(ConfigurationError, match=r"ends in \.onnx"):
        export(source, tmp_path / "model.pt")


def test_a_damaged_file_is_recognised_whatever_byte_it_is(pair: tuple[Vocoder, Path], tmp_path: Path) -> None:
    content, rng = pair[1].read_bytes(), np.random.default_rng(0)
    for place in [0, len(content) - 1, *rng.integers(0, len(content), 40)]:
        spoilt = bytearray(content)
        spoilt[place] ^= 1 << int(rng.integers(8))
        (tmp_path / "spoilt.onnx").write_bytes(spoilt)
        with pytest.raises(ModelFileError, match=r"spoilt\.onnx: (damaged|truncated)"):
            Vocoder.load(tmp_path / "spoilt.onnx")
    for size in (0, 1, len(SEAL), 1_000, len(content) - 1):
        (tmp_path / "cut.onnx").write_bytes(content[:size])
        with pytest.raises(ModelFileError, match=r"cut\.onnx: truncated"):
            Vocoder.load(tmp_path / "cut.onnx")


def test_a_file_of_something_else_is_refused(pair: tuple[Vocoder, Path], tmp_path: Path) -> None:
    model = onnx.load(pair[1])
    entries = {entry.key: entry.value for entry in model.metadata_props if entry.key != "sha256"}
    for changed, message in (
        ({"format": "99"}, r"has format 99, this version reads 2; update basis-melgan"),
        ({"format": "1"}, r"has format 1, this version reads 2; export it again"),
        ({"kind": "separator"}, "describes no vocoder"),
        ({"config": "{"}, "metadata cannot be read"),
        ({"info": "{}"}, "metadata cannot be read"),
    ):
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, entries | changed)
        (tmp_path / "other.onnx").write_bytes(seal(model.SerializeToString()))
        with pytest.raises(ModelFileError, match=message):
            Vocoder.load(tmp_path / "other.onnx")
    (tmp_path / "graph.onnx").write_bytes(seal(b"no graph"))
    with pytest.raises(ModelFileError, match="ONNX Runtime cannot run it"):
        Vocoder.load(tmp_path / "graph.onnx")
    with pytest.raises(ModelFileError, match=r"a trained vocoder, not an exported one"):
        Vocoder.load(pair[1].with_name("vocoder.safetensors"))
    with pytest.raises(ConfigurationError, match="threads: 0; use 1 or more"):
        Vocoder.load(pair[1], threads=0)
    with pytest.raises(ModelFileError, match=r"gone\.onnx: cannot be read"):
        Vocoder.load(tmp_path / "gone.onnx")
    with pytest.raises(ModelFileError, match=r"nobody: neither a file nor a model .*speech-24k"):
        Vocoder.load("nobody")


def test_it_speaks_in_onnx_runtime_alone(tmp_path: Path) -> None:
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
        tmp_path / "spoken.wav",
    ]
    subprocess.run(command, check=True)
    found, rate = files.read(tmp_path / "spoken.wav")
    assert rate == vocoder.info.sample_rate
    np.testing.assert_allclose(found, vocoder(mel).clip(-1, 1), atol=2e-4)
