"""Systems: what their names mean, how well the baselines speak, and waves that another program made."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from basis_melgan.audio import files
from basis_melgan.errors import AudioError, ConfigurationError, ModelFileError
from basis_melgan.evaluation.systems import Folder, GriffinLim, Recorded, Recording, World, candidates, system_named
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
def test_a_name_that_is_no_system_is_an_error_that_lists_them(name):
    with pytest.raises(ConfigurationError, match=r"is none; use recording, world, griffin-lim, griffin-lim:N"):
        system_named(name)


def test_names_give_their_systems(tmp_path):
    assert system_named("griffin-lim") == GriffinLim(60)
    assert system_named("griffin-lim:4") == GriffinLim(4)
    assert system_named("griffin-lim:vocos") == GriffinLim(60, "vocos")
    wave, rate = files.read(CLIPS[0], 24_000, 24_000)
    for mel in ("paper", "vocos", "bigvgan"):
        spoken = system_named(f"griffin-lim:{mel}")(Recorded(wave, rate, "", ""))
        assert signal.estoi(*signal.trim_to_common_length(wave, spoken, 256), rate) > 0.85
    assert (system_named("world"), system_named("recording")) == (World(), Recording())
    assert system_named(str(tmp_path)) == Folder(tmp_path)
    assert system_named("speech-24k-small").source == pretrained_path("speech-24k-small", ".onnx")
    assert system_named("paper-24k").source == pretrained_path("paper-24k", ".safetensors")
    with pytest.raises(ModelFileError, match=r"separator-24k\.safetensors: holds a separator; expected a vocoder"):
        system_named("separator-24k")
    with pytest.raises(ModelFileError, match=r"absent\.safetensors: no such file"):
        system_named("absent.safetensors")


def sources(*names: str) -> list[str]:
    return [candidate.source for candidate in candidates(names)]


def test_released_vocoders_are_compared_in_the_precision_of_the_others(tmp_path):
    floating, exported = pretrained_path("speech-24k", ".safetensors"), pretrained_path("speech-24k", ".onnx")
    small = tmp_path / "small.safetensors"
    assert sources("speech-24k") == sources("speech-24k", "world")[:1] == [str(exported)]
    for order in (("speech-24k", str(small)), (str(small), "speech-24k")):
        assert set(sources(*order)) == {str(small), str(floating)}
    assert sources("speech-24k", "paper-24k") == [str(floating), "paper-24k"]
    copied = tmp_path / "copied.onnx"
    copied.write_bytes(exported.read_bytes())
    assert sources(str(copied), "speech-24k", str(small)) == [str(copied), str(exported), str(small)]
    assert [candidate.label for candidate in candidates(["speech-24k", str(small)])] == ["speech-24k", "small"]


def test_the_baselines_speak_as_well_as_measured():
    """PESQ-WB and ESTOI over the first two bundled sentences, as measured when this was written."""
    scores: dict[str, list[tuple[float, float]]] = {}
    for path in CLIPS[:2]:
        wave, rate = files.read(path)
        for system in (GriffinLim(), World(), Recording()):
            spoken = system(Recorded(wave, rate, "", path.stem))
            reference, estimate = signal.trim_to_common_length(wave, spoken, system.slack)
            pair = signal.pesq_wb(reference, estimate, rate), signal.estoi(reference, estimate, rate)
            scores.setdefault(type(system).__name__, []).append(pair)
    means = {name: np.mean(pairs, axis=0) for name, pairs in scores.items()}
    np.testing.assert_allclose(means["GriffinLim"], (1.845, 0.918), atol=0.05)
    np.testing.assert_allclose(means["World"], (1.903, 0.931), atol=0.05)
    np.testing.assert_allclose(means["Recording"], (4.644, 1.0), atol=1e-3)


def test_a_folder_gives_the_wave_of_the_corpus_before_that_of_the_clip_alone(tmp_path):
    wave, rate = files.read(CLIPS[0], 0, 24_000)
    (tmp_path / "a").mkdir()
    soundfile.write(tmp_path / "a" / "x.wav", wave, rate)
    soundfile.write(tmp_path / "x.flac", 0.5 * wave, rate)
    soundfile.write(tmp_path / "y.wav", files.resample(wave, rate, 16_000), 16_000)
    folder = Folder(tmp_path)
    np.testing.assert_allclose(folder(Recorded(wave, rate, "a", "x")), wave, atol=1e-4)
    np.testing.assert_allclose(folder(Recorded(wave, rate, "b", "x")), 0.5 * wave, atol=1e-4)
    assert folder(Recorded(wave, rate, "a", "y")).shape == wave.shape
    with pytest.raises(AudioError, match=r"holds neither a/z\.wav nor z\.wav; put the clip there"):
        folder(Recorded(wave, rate, "a", "z"))
