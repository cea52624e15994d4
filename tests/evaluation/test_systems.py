"""Systems: their names, the quality of the baselines, and waves of another program."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from basis_melgan.audio import files
from basis_melgan.errors import AudioError, ConfigurationError, ModelFileError
from basis_melgan.evaluation.systems import (
    FolderSystem,
    GriffinLimSystem,
    RecordedClip,
    RecordingSystem,
    WorldSystem,
    load_system,
    resolve_systems,
)
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.metrics import signal

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))


@pytest.mark.parametrize(
    "name",
    [
        "griffin",
        "griffin-lim:",
        "griffin-lim:-1",
        "griffin-lim:4:4",
        "griffin-lim:mel",
        "world:2",
        "a.pt",
        "absent",
        "",
    ],
)
def test_an_unknown_name_raises_and_lists_the_systems(name):
    with pytest.raises(ConfigurationError, match=r"unknown name .*; use recording, world, griffin-lim, griffin-lim:N"):
        load_system(name)


def test_load_system_returns_the_system_of_each_name(tmp_path):
    assert load_system("griffin-lim") == GriffinLimSystem(60)
    assert load_system("griffin-lim:4") == GriffinLimSystem(4)
    assert load_system("griffin-lim:vocos") == GriffinLimSystem(60, "vocos")
    wave, rate = files.read(CLIPS[0], 24_000, 24_000)
    for mel in ("paper", "vocos", "bigvgan"):
        estimate = load_system(f"griffin-lim:{mel}").resynthesize(RecordedClip(wave, rate, "", ""))
        assert signal.estoi(*signal.trim_to_common_length(wave, estimate, 256), rate) > 0.85
    assert (load_system("world"), load_system("recording")) == (WorldSystem(), RecordingSystem())
    assert load_system(str(tmp_path)) == FolderSystem(tmp_path)
    assert load_system("speech-24k-small").source == pretrained_path("speech-24k-small", ".onnx")
    assert load_system("paper-24k").source == pretrained_path("paper-24k", ".safetensors")
    with pytest.raises(ModelFileError, match=r"separator-24k\.safetensors: holds a separator; expected a vocoder"):
        load_system("separator-24k")
    with pytest.raises(ModelFileError, match=r"absent\.safetensors: no such file"):
        load_system("absent.safetensors")


def sources(*names: str) -> list[str]:
    return [spec.source for spec in resolve_systems(names)]


def test_pretrained_vocoders_are_compared_in_the_precision_of_the_others(tmp_path):
    floating, exported = pretrained_path("speech-24k", ".safetensors"), pretrained_path("speech-24k", ".onnx")
    small = tmp_path / "small.safetensors"
    assert sources("speech-24k") == sources("speech-24k", "world")[:1] == [str(exported)]
    for order in (("speech-24k", str(small)), (str(small), "speech-24k")):
        assert set(sources(*order)) == {str(small), str(floating)}
    assert sources("speech-24k", "paper-24k") == [str(floating), "paper-24k"]
    copied = tmp_path / "copied.onnx"
    copied.write_bytes(exported.read_bytes())
    assert sources(str(copied), "speech-24k", str(small)) == [str(copied), str(exported), str(small)]
    assert [spec.label for spec in resolve_systems(["speech-24k", str(small)])] == ["speech-24k", "small"]


def test_the_quality_of_the_baselines():
    """PESQ-WB and ESTOI over the first two example clips, as measured when this test was written."""
    scores: dict[str, list[tuple[float, float]]] = {}
    for path in CLIPS[:2]:
        wave, rate = files.read(path)
        for system in (GriffinLimSystem(), WorldSystem(), RecordingSystem()):
            output = system.resynthesize(RecordedClip(wave, rate, "", path.stem))
            reference, estimate = signal.trim_to_common_length(wave, output, system.length_tolerance)
            values = signal.pesq_wb(reference, estimate, rate), signal.estoi(reference, estimate, rate)
            scores.setdefault(type(system).__name__, []).append(values)
    means = {name: np.mean(values, axis=0) for name, values in scores.items()}
    np.testing.assert_allclose(means["GriffinLimSystem"], (1.845, 0.918), atol=0.05)
    np.testing.assert_allclose(means["WorldSystem"], (1.903, 0.931), atol=0.05)
    np.testing.assert_allclose(means["RecordingSystem"], (4.644, 1.0), atol=1e-3)


def test_a_folder_prefers_the_wave_below_the_corpus_to_that_of_the_clip_alone(tmp_path):
    wave, rate = files.read(CLIPS[0], 0, 24_000)
    (tmp_path / "a").mkdir()
    soundfile.write(tmp_path / "a" / "x.wav", wave, rate)
    soundfile.write(tmp_path / "x.flac", 0.5 * wave, rate)
    soundfile.write(tmp_path / "y.wav", files.resample(wave, rate, 16_000), 16_000)
    folder = FolderSystem(tmp_path)
    np.testing.assert_allclose(folder.resynthesize(RecordedClip(wave, rate, "a", "x")), wave, atol=1e-4)
    np.testing.assert_allclose(folder.resynthesize(RecordedClip(wave, rate, "b", "x")), 0.5 * wave, atol=1e-4)
    assert folder.resynthesize(RecordedClip(wave, rate, "a", "y")).shape == wave.shape
    with pytest.raises(AudioError, match=r"has neither a/z\.wav nor z\.wav; put the clip there"):
        folder.resynthesize(RecordedClip(wave, rate, "a", "z"))
