"""Export to int8: size, accuracy, robustness to chunking, and refusal of degraded models."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from basis_melgan.audio import files
from basis_melgan.audio.arrays import Float32Array
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.corpus import manifest
from basis_melgan.errors import ConfigurationError, CorpusError, ModelFileError, OutputError
from basis_melgan.export import int8
from basis_melgan.export.int8 import export_int8
from basis_melgan.export.onnx import export
from basis_melgan.export.quantize import quantize_vocoder
from basis_melgan.export.robustness import MAX_CHANGE, MIN_SNR, chunk_response
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.onnx import seal
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.models import model_file

CLIPS = Path(__file__).parents[2] / "examples" / "clips"
SMALL = Config(
    mel="vocos",
    frames=FrameGeometry(hop=256, basis_length=1024, stride=256),
    generator=ConvNeXtConfig(kernel=5, channels=16, hidden=24, blocks=2, atoms=64, spacing="mixed"),
)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("small") / "small.safetensors"
    model_file.save(path, "vocoder", model_file.new_generator(SMALL).state_dict(), SMALL, model_file.Origin(7, "none"))
    return path


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, corpus: Path) -> Path:
    """The pretrained vocoder, exported again with the bundled clips as calibration data."""
    out = tmp_path_factory.mktemp("int8") / "new" / "speech.onnx"
    export_int8(pretrained_path("speech-24k", ".safetensors"), out, corpus, None, data="clips", license="MIT")
    return out


def test_file_is_small_and_has_metadata(exported: Path) -> None:
    info = Vocoder.load(exported).info
    assert exported.stat().st_size < 5e6
    assert (info.precision, info.training_data, info.license) == ("int8", "clips", "MIT")
    assert Vocoder.load(pretrained_path("speech-24k", ".onnx")).info.precision == "int8"


def test_wave_is_close_to_floating_point(exported: Path, corpus: Path) -> None:
    vocoders = load_vocoder(pretrained_path("speech-24k", ".safetensors")), Vocoder.load(exported)
    wave, rate = files.read(sorted(corpus.glob("flac/**/*.flac"))[0])
    waves = [vocoder.resynthesize(wave, rate) for vocoder in vocoders]
    assert waves[0].shape == waves[1].shape
    spectra = [np.abs(np.fft.rfft(wave[:24_000].reshape(-1, 500))) for wave in waves]
    assert np.linalg.norm(spectra[0] - spectra[1]) < 0.1 * np.linalg.norm(spectra[0])


def test_chunked_synthesis_equals_whole(exported: Path, corpus: Path) -> None:
    vocoder = Vocoder.load(exported)
    mel = vocoder.mel(*files.read(sorted(corpus.glob("flac/**/*.flac"))[0]))[:, :120]
    response = chunk_response(vocoder, [mel], (7,))
    assert response.change <= MAX_CHANGE
    assert response.snr >= MIN_SNR


def test_quality_loss_is_refused_with_the_layer_to_exclude(
    small: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "MAX_STFT_RATIO", 0.5)
    with pytest.raises(ModelFileError, match=r"8 bits degrade quality \(PESQ-WB .*\); exclude (\S+) too: embed,\1$"):
        export_int8(small, tmp_path / "out.onnx", corpus, ("embed",))
    assert not list(tmp_path.iterdir())


def round_to_step_midpoints(mel: Float32Array, path: Path) -> Float32Array:
    """Round a mel (M, F) to thresholds of the quantizer before embed, where jitter changes half of the values."""
    graph = onnx.load(path).graph
    producers = {name: node for node in graph.node for name in node.output}
    embed = next(node for node in graph.node if node.name == "embed")
    quantizer = producers[producers[embed.input[0]].input[0]]
    scale = next(constant for constant in graph.initializer if constant.name == quantizer.input[1])
    step = onnx.numpy_helper.to_array(scale)
    return ((np.floor(mel / step) + 0.5) * step).astype(np.float32)


def test_amplified_jitter_is_refused_with_the_layer_to_exclude(tmp_path: Path) -> None:
    """The int8 first layer amplifies jitter at decision thresholds; the last layer has 16 bits and does not."""
    source, float_file, int8_file = (tmp_path / name for name in ("small.safetensors", "float.onnx", "int8.onnx"))
    torch.manual_seed(0)
    generator, exclude_layers = model_file.new_generator(SMALL), ("trunk", "gains", "basis")
    generator.output_proj.weight.data *= 10.0  # phases of about a radian
    model_file.save(source, "vocoder", generator.state_dict(), SMALL, model_file.Origin(7, "none"))
    export(source, float_file)
    mel = Vocoder.load(float_file).mel(*files.read(CLIPS / "ru_0274.flac"))[:, :150]
    quantize_vocoder(float_file, int8_file, [mel], exclude_layers)
    message = (
        r"small: 8 bits amplify jitter \(with jitter of 1e-06 on mels samples change by up to .*; in floating point "
        r"samples change by .*\); exclude embed too: trunk,gains,basis,embed$"
    )
    check = int8.Int8Check("small", float_file, [mel], exclude_layers)
    with pytest.raises(ModelFileError, match=message):
        check.require_robustness(int8_file, [round_to_step_midpoints(mel, int8_file)])


def test_silent_model_is_refused(small: Path, corpus: Path, tmp_path: Path) -> None:
    audible, silent = tmp_path / "audible.onnx", tmp_path / "silent.onnx"
    export(small, audible)
    model = onnx.load(audible)
    for node in model.graph.node:
        node.output[:] = ["audible_wave" if name == "wave" else name for name in node.output]
    model.graph.node.append(onnx.helper.make_node("Mul", ["audible_wave", "zero"], ["wave"]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(1, np.float32), "zero"))
    entries = [entry for entry in model.metadata_props if entry.key != "sha256"]
    model.ClearField("metadata_props")
    model.metadata_props.extend(entries)
    silent.write_bytes(seal(model.SerializeToString()))
    corpora = manifest.load(corpus)
    scores, other_scores = int8.mean_scores(audible, audible, corpora)
    assert scores == other_scores
    with pytest.raises(ModelFileError, match=r"silent\.onnx: its wave of .* cannot be scored \(.*silent in all"):
        int8.mean_scores(audible, silent, corpora)
    with pytest.raises(CorpusError, match="no test clip can be scored"):
        int8.mean_scores(silent, audible, corpora)


def test_invalid_output_path_is_refused_first(small: Path, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ends in \.onnx"):
        export_int8(small, tmp_path / "model.pt", corpus, ("embed",))
    (tmp_path / "file").write_text("existing", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be created because"):
        export_int8(small, tmp_path / "file" / "out.onnx", corpus, ("embed",))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("exclude_layers", "message"),
    [
        (("embed", "truck.0"), r"exclude_layers: truck.0 is neither .* did you mean trunk"),
        (("embed", "trunk", "output_proj", "gains", "basis"), "exclude_layers: names all layers"),
    ],
)
def test_invalid_exclusions_are_refused(
    small: Path, corpus: Path, tmp_path: Path, exclude_layers: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        export_int8(small, tmp_path / "out.onnx", corpus, exclude_layers)
    assert not list(tmp_path.iterdir())
