"""Export in 8 bits: small, near the whole, the same in chunks, and refused where it costs too much or jumps."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from basis_melgan.audio import files
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
from basis_melgan.inference.backend import Array
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.onnx import sealed
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
    """The released vocoder, exported anew over the bundled clips."""
    out = tmp_path_factory.mktemp("int8") / "new" / "speech.onnx"
    export_int8(pretrained_path("speech-24k", ".safetensors"), out, corpus, None, data="clips", license="MIT")
    return out


def test_it_is_small_and_says_so(exported: Path) -> None:
    info = Vocoder.load(exported).info
    assert exported.stat().st_size < 5e6
    assert (info.precision, info.data, info.license) == ("int8", "clips", "MIT")
    assert Vocoder.load(pretrained_path("speech-24k", ".onnx")).info.precision == "int8"


def test_it_speaks_as_the_whole_does(exported: Path, corpus: Path) -> None:
    whole, made = load_vocoder(pretrained_path("speech-24k", ".safetensors")), Vocoder.load(exported)
    wave, rate = files.read(sorted(corpus.glob("flac/**/*.flac"))[0])
    expected, spoken = (each.resynthesize(wave, rate) for each in (whole, made))
    assert spoken.shape == expected.shape
    spectra = [np.abs(np.fft.rfft(each.reshape(-1, 500)[:, :500])) for each in (expected[:24_000], spoken[:24_000])]
    assert np.linalg.norm(spectra[0] - spectra[1]) < 0.1 * np.linalg.norm(spectra[0])


def test_a_stream_says_what_the_whole_says(exported: Path, corpus: Path) -> None:
    vocoder = Vocoder.load(exported)
    mel = vocoder.mel(*files.read(sorted(corpus.glob("flac/**/*.flac"))[0]))[:, :120]
    measured = chunk_response(vocoder, [mel], (7,))
    assert measured.change <= MAX_CHANGE
    assert measured.snr >= MIN_SNR


def test_what_costs_too_much_is_refused_with_the_layer(
    small: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(int8, "DISTANCE_GAIN", 0.5)
    with pytest.raises(ModelFileError, match=r"8 bits cost too much \(PESQ-WB .*\); leave out (\S+) too: embed,\1$"):
        export_int8(small, tmp_path / "out.onnx", corpus, ("embed",))
    assert not list(tmp_path.iterdir())


def between_steps(mel: Array, path: Path) -> Array:
    """The mel nearest to one (M, F) of which any jitter moves half of the values over a step of embed's 8 bits."""
    graph = onnx.load(path).graph
    producers = {name: node for node in graph.node for name in node.output}
    embed = next(node for node in graph.node if node.name == "embed")
    rounding = producers[producers[embed.input[0]].input[0]]
    scale = next(constant for constant in graph.initializer if constant.name == rounding.input[1])
    step = onnx.numpy_helper.to_array(scale)
    return ((np.floor(mel / step) + 0.5) * step).astype(np.float32)


def test_what_follows_jitter_is_refused_with_the_layer(tmp_path: Path) -> None:
    """In 8 bits the first layer jumps wherever a value crosses a step; the last has 16, and does not."""
    source, whole, made = (tmp_path / name for name in ("small.safetensors", "float.onnx", "int8.onnx"))
    torch.manual_seed(0)
    generator, leave = model_file.new_generator(SMALL), ("trunk", "gains", "basis")
    generator.output_proj.weight.data *= 10.0  # phases of about a radian
    model_file.save(source, "vocoder", generator.state_dict(), SMALL, model_file.Origin(7, "none"))
    export(source, whole)
    mel = Vocoder.load(whole).mel(*files.read(CLIPS / "ru_0274.flac"))[:, :150]
    quantize_vocoder(whole, made, [mel], leave)
    message = (
        r"small: 8 bits follow jitter \(jitter of 1e-06 on mels: a sample moves by .*; in floating point: a sample "
        r"moves by .*\); leave out embed too: trunk,gains,basis,embed$"
    )
    with pytest.raises(ModelFileError, match=message):
        int8.Gate("small", whole, [mel], leave).require_steady(made, [between_steps(mel, made)])


def test_what_says_nothing_is_refused(small: Path, corpus: Path, tmp_path: Path) -> None:
    speaking, silent = tmp_path / "speaking.onnx", tmp_path / "silent.onnx"
    export(small, speaking)
    model = onnx.load(speaking)
    samples = next(each for each in model.graph.output if each.name == "wave")
    muted = onnx.helper.make_node("Mul", ["heard", "nothing"], [samples.name])
    for node in model.graph.node:
        node.output[:] = ["heard" if name == samples.name else name for name in node.output]
    model.graph.node.append(muted)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.zeros(1, np.float32), "nothing"))
    entries = [each for each in model.metadata_props if each.key != "sha256"]
    model.ClearField("metadata_props")
    model.metadata_props.extend(entries)
    silent.write_bytes(sealed(model.SerializeToString()))
    corpora = manifest.load(corpus)
    before, after = int8.degradation(speaking, speaking, corpora)
    assert before == after
    with pytest.raises(ModelFileError, match=r"silent\.onnx: what it says of .* cannot be scored \(.*silent in all"):
        int8.degradation(speaking, silent, corpora)
    with pytest.raises(CorpusError, match="none of its test clips can be scored"):
        int8.degradation(silent, speaking, corpora)


def test_a_place_that_will_not_do_is_refused_first(small: Path, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"ends in \.onnx"):
        export_int8(small, tmp_path / "model.pt", corpus, ("embed",))
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="cannot be written"):
        export_int8(small, tmp_path / "file" / "out.onnx", corpus, ("embed",))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("leave", "message"),
    [
        (("embed", "truck.0"), r"leave: truck.0 is neither .* did you mean trunk"),
        (("embed", "trunk", "output_proj", "gains", "basis"), "leave: names all layers"),
    ],
)
def test_names_that_leave_nothing_are_refused(
    small: Path, corpus: Path, tmp_path: Path, leave: tuple[str, ...], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        export_int8(small, tmp_path / "out.onnx", corpus, leave)
    assert not list(tmp_path.iterdir())
