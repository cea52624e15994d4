"""Evaluation of systems over prepared corpora: figures, the table, the JSON, and clips that cannot be scored."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.config import Config, CorpusConfig, Frames, GeneratorConfig, SeparatorConfig
from basis_melgan.corpus import manifest
from basis_melgan.corpus.prepare import prepare
from basis_melgan.errors import ConfigurationError, CorpusError, ModelFileError, OutputError
from basis_melgan.evaluation import baselines, metrics
from basis_melgan.evaluation.evaluate import Job, Measured, Report, evaluate, measure, summarise, system_named
from basis_melgan.models import release

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
NAMES = ["PESQ-WB", "ESTOI", "MCD", "MR-STFT"]
CONFIG = Config(corpus=CorpusConfig(test_clips=2, validation_clips=1))


def recordings(folder: Path, lengths: list[int]) -> Path:
    folder.mkdir(parents=True)
    for index, samples in enumerate(lengths):
        wave, rate = files.read(CLIPS[index], 12_000, samples)
        soundfile.write(folder / f"clip{index}.wav", wave, rate)
    return folder


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> Path:
    """Two corpora of two test clips each; the last clip of `b` is too short for ESTOI."""
    root = tmp_path_factory.mktemp("corpora")
    for name, last in (("a", 24_000), ("b", 8_000)):
        source = recordings(root / "in" / name, [24_000] * 8 + [last])
        prepare("folder", root / "out" / name, source, CONFIG, jobs=1)
    return root / "out"


@pytest.fixture(scope="module")
def vocoder(tmp_path_factory) -> Path:
    torch.manual_seed(1)
    config = Config(generator=GeneratorConfig(channels=8), separator=SeparatorConfig(basis_signals=8))
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    generator = release.new_generator(config)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter)
    release.save(path, "vocoder", generator.state_dict(), config, release.Origin(3, "abc"))
    return path


def test_the_recording_itself_scores_perfectly(corpora, tmp_path, capsys):
    report = evaluate(
        "recording", corpora / "a", out_json=tmp_path / "new" / "a.json", waves=tmp_path / "waves", jobs=1
    )
    assert capsys.readouterr().out == report.table() + "\n"
    assert report.table() == "\n".join(
        [
            "| corpus | clips | PESQ-WB ↑ | ESTOI ↑ | MCD (dB) ↓ | MR-STFT ↓ |",
            "| --- | ---: | ---: | ---: | ---: | ---: |",
            "| a | 2 | 4.644 [4.644, 4.644] | 1.000 [1.000, 1.000] | 0.000 [0.000, 0.000] | 0.000 [0.000, 0.000] |",
        ]
    )
    (corpus,) = manifest.load(corpora / "a")
    for clip in corpus.split("test"):
        written, rate = files.read(tmp_path / "waves" / "a" / f"{clip.id}.wav")
        assert rate == 24_000
        np.testing.assert_array_equal(written, files.read(corpus.path(clip))[0])
    found = json.loads((tmp_path / "new" / "a.json").read_text("utf-8"))
    assert (found["system"], found["split"], found["data"]) == ("recording", "test", manifest.data_hash([corpus]))
    assert [clip["clip"] for clip in found["clips"]] == ["clip7", "clip8"]
    assert found["metrics"][2] == {"name": "MCD", "unit": "dB", "higher_is_better": False}
    assert found["summary"]["a"]["ESTOI"] == {"mean": pytest.approx(1.0), "interval": pytest.approx([1, 1]), "clips": 2}


def test_processes_give_what_one_gives_and_bad_clips_are_listed(corpora, capsys):
    alone = evaluate("griffin-lim:4", corpora, jobs=1)
    together = evaluate("griffin-lim:4", corpora, jobs=2)
    assert [(c.corpus, c.clip) for c in alone.clips] == [("a", "clip7"), ("a", "clip8"), ("b", "clip7"), ("b", "clip8")]
    for one, other in zip(alone.clips, together.clips, strict=True):
        assert (one.corpus, one.clip, one.failures) == (other.corpus, other.clip, other.failures)
        assert one.scores == pytest.approx(other.scores, rel=1e-3)
    short = alone.clips[-1]
    assert short.failures == {"ESTOI": "ESTOI: less than 0.4 s of speech without pauses; use a longer clip"}
    assert list(short.scores) == ["PESQ-WB", "MCD", "MR-STFT"]
    table = capsys.readouterr().out
    rows = {line.split(" | ")[0]: line.split(" | ") for line in table.splitlines()}
    assert list(alone.summary) == ["a", "b", "all"]
    assert rows["| b"][1] == "2"
    assert rows["| b"][3] == f"{alone.clips[2].scores['ESTOI']:.3f} (1 clips)"
    assert rows["| all"][3].endswith("(3 clips)")
    assert "- b/clip8, ESTOI: ESTOI: less than 0.4 s" in table
    wave, rate = files.read(corpora / "a" / "flac" / "clip8.flac")
    spoken = baselines.griffin_lim(mel_spectrogram(wave, "paper", Frames()), "paper", Frames(), 4)
    expected = metrics.stft_distance(*metrics.common(wave, spoken, 240), rate)
    assert alone.clips[1].scores["MR-STFT"] == pytest.approx(expected, rel=1e-4)


def test_a_vocoder_is_measured_from_its_file_alone(corpora, vocoder, tmp_path):
    report = evaluate(str(vocoder), corpora / "a", waves=tmp_path, jobs=1)
    assert [sorted(clip.scores) for clip in report.clips] == [sorted(NAMES)] * 2
    generator, config = release.load_vocoder(vocoder)
    mel = mel_spectrogram(files.read(corpora / "a" / "flac" / "clip7.flac")[0], config.mel, config.frames)
    spoken = files.read(tmp_path / "a" / "clip7.wav")[0]
    assert np.abs(spoken).max() > 0.01
    expected = generator(torch.from_numpy(mel)[None]).wave[0, : spoken.size].clamp(-1, 1)
    np.testing.assert_allclose(spoken, expected, atol=2**-15)


def test_a_vocoder_refuses_a_corpus_of_another_rate(corpora, tmp_path):
    config = Config(
        frames=Frames(sample_rate=16_000),
        generator=GeneratorConfig(channels=8),
        separator=SeparatorConfig(basis_signals=8),
    )
    path = tmp_path / "slow.safetensors"
    release.save(path, "vocoder", release.new_generator(config).state_dict(), config, release.Origin(1, ""))
    with pytest.raises(CorpusError, match=r"prepared at 24000 Hz, but frames\.sample_rate is 16000"):
        evaluate(str(path), corpora)


@pytest.mark.parametrize(
    "name", ["griffin", "griffin-lim:", "griffin-lim:-1", "griffin-lim:4:4", "world:2", "a.pt", ""]
)
def test_a_name_that_is_no_system_is_an_error_that_lists_them(name):
    with pytest.raises(ConfigurationError, match=r"is none; use recording, world, griffin-lim, griffin-lim:N"):
        system_named(name)


def test_names_give_their_systems():
    assert system_named("griffin-lim") == baselines.GriffinLim(60)
    assert system_named("griffin-lim:4") == baselines.GriffinLim(4)
    assert (system_named("world"), system_named("recording")) == (baselines.World(), baselines.Recording())
    with pytest.raises(ModelFileError, match=r"absent\.safetensors: no such file"):
        system_named("absent.safetensors")


def test_a_clip_that_cannot_be_read_or_spoken_is_kept_with_its_reason(tmp_path):
    job = Job("recording", "a", "gone", tmp_path / "gone.flac", None)
    gone = measure(job, baselines.Recording())
    assert (gone.scores, list(gone.failures)) == ({}, ["clip"])
    assert gone.failures["clip"].endswith("gone.flac: no such file; expected a sound file")
    report = Report("recording", "test", "", (gone,), summarise([gone]))
    assert report.table().splitlines()[2:] == [
        "| a | 1 | – | – | – | – |",
        "",
        "Not scored:",
        "",
        f"- a/gone, clip: {gone.failures['clip']}",
    ]


class Mute:
    rate = None
    hop = 0

    def __call__(self, wave: files.Wave, rate: int) -> files.Wave:
        return np.zeros_like(wave)


class Short(Mute):
    def __call__(self, wave: files.Wave, rate: int) -> files.Wave:
        return wave[:-1]


def test_a_system_that_fails_says_so(corpora):
    job = Job("x", "a", "clip8", corpora / "a" / "flac" / "clip8.flac", None)
    mute, short = measure(job, Mute()), measure(job, Short())
    assert list(mute.failures) == NAMES
    assert set(mute.failures.values()) == {"estimate: silent in all its 24000 samples; nothing to compare"}
    assert list(short.failures) == ["clip"]
    assert "23999 samples against 24000 recorded" in short.failures["clip"]


def test_a_run_without_any_score_is_an_error_after_its_reasons(tmp_path, monkeypatch, capsys):
    prepare("folder", tmp_path / "out", recordings(tmp_path / "in", [24_000] * 3), CONFIG, jobs=1)
    monkeypatch.setattr("basis_melgan.evaluation.evaluate.system_named", lambda name: Short())
    with pytest.raises(CorpusError, match="none of its 1 test clips could be scored"):
        evaluate("short", tmp_path / "out", jobs=1)
    assert "- out/clip2, clip: lengths: 23999 samples" in capsys.readouterr().out


def test_the_row_over_all_corpora_weighs_every_clip_alike():
    clips = [
        Measured("a", "1", {"MCD": 1.0}, {}),
        Measured("a", "2", {"MCD": 2.0}, {}),
        Measured("b", "1", {"MCD": 6.0}, {}),
    ]
    summary = summarise(clips)
    assert {row: (found["MCD"].mean, found["MCD"].clips) for row, found in summary.items()} == {
        "a": (1.5, 2),
        "b": (6.0, 1),
        "all": (3.0, 3),
    }
    assert list(summary["a"]) == ["MCD"]


def test_a_file_that_cannot_be_written_is_an_error(corpora, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        evaluate("recording", corpora / "a", out_json=tmp_path / "file" / "a.json", jobs=1)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
