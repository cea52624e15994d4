"""`evaluate` and `compare` over prepared corpora: figures, tables, files, and clips that cannot be scored."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import MelGANConfig, SeparatorConfig
from basis_melgan.config.schema import Config, CorpusConfig
from basis_melgan.corpus import manifest
from basis_melgan.corpus.prepare import prepare
from basis_melgan.errors import ConfigurationError, CorpusError, OutputError
from basis_melgan.evaluation import baselines, scoring
from basis_melgan.evaluation.evaluate import MARK, EvalConfig, compare, evaluate
from basis_melgan.evaluation.scoring import Job, measure
from basis_melgan.evaluation.systems import Recorded, Recording
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.metrics import signal, waves
from basis_melgan.metrics.table import MEASURES
from basis_melgan.models import model_file
from basis_melgan.storage.paths import require_folder

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
QUICK = [column.name for each in MEASURES if not each.slow for column in each.columns]
CHEAP = frozenset({"PESQ-WB", "ESTOI", "MR-STFT"})
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
    config = Config(generator=MelGANConfig(channels=8), separator=SeparatorConfig(atoms=8))
    path = tmp_path_factory.mktemp("models") / "tiny.safetensors"
    generator = model_file.new_generator(config)
    for parameter in generator.parameters():
        torch.nn.init.normal_(parameter)
    model_file.save(path, "vocoder", generator.state_dict(), config, model_file.Origin(3, "abc"))
    return path


def test_what_is_found_in_a_wave_is_found_once_while_it_is_among_the_latest():
    asked = []

    @waves.remembered
    def loudest(wave: np.ndarray, rate: int) -> float:
        asked.append(rate)
        return float(wave.max())

    first, *others = (np.full(4, level, dtype=np.float32) for level in range(waves.KEPT + 1))
    assert loudest(first, 8_000) == loudest(first.copy(), 8_000) == 0.0
    assert len(asked) == 1
    assert loudest(first.astype(np.float64), 8_000) == loudest(first, 16_000) == 0.0
    assert len(asked) == 3
    for wave in others:
        loudest(wave, 8_000)
    loudest(first, 8_000)
    assert len(asked) == 3 + waves.KEPT + 1


def test_the_recording_itself_scores_perfectly(corpora, tmp_path, capsys):
    scope = EvalConfig(corpora / "a", quick=True, jobs=1)
    results = evaluate("recording", scope, tmp_path / "new" / "a.json", tmp_path / "a.csv", tmp_path / "waves")
    require_folder(tmp_path / "waves", MARK)  # which may be filled again
    printed, shown = capsys.readouterr()
    assert printed == results.table() + "\n"
    assert re.search(r"2 waves, 2 s of audio, made and scored in \d+ s \(processes: 1\)", " ".join(shown.split()))
    assert printed.splitlines()[:3] == [
        "|  | a (2) |",
        "| --- | ---: |",
        "| PESQ-WB ↑ | 4.644 [4.644, 4.644] |",
    ]
    assert "| MR-STFT ↓ | 0.000 [0.000, 0.000] |" in printed
    (corpus,) = manifest.load(corpora / "a")
    for clip in corpus.split("test"):
        written, rate = files.read(tmp_path / "waves" / "a" / f"{clip.id}.wav")
        assert rate == 24_000
        np.testing.assert_array_equal(written, files.read(corpus.path(clip))[0])
    found = json.loads((tmp_path / "new" / "a.json").read_text("utf-8"))
    assert (found["systems"][0]["source"], found["split"]) == ("recording", "test")
    assert found["data"] == manifest.data_hash([corpus])
    assert [clip["clip"] for clip in found["clips"]] == ["clip7", "clip8"]
    assert found["columns"][3] == {"name": "MCD", "unit": "dB", "higher_is_better": False}
    mean = found["summary"]["recording"]["a"]["ESTOI"]
    assert mean == {"mean": pytest.approx(1.0), "interval": pytest.approx([1, 1]), "clips": 2}
    assert (found["timing"], found["differences"]) == ({}, {})
    lines = (tmp_path / "a.csv").read_text("utf-8").splitlines()
    assert lines[0].startswith("system,corpus,clip,seconds,PESQ-WB,STOI,ESTOI,MCD,")
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ["recording", "a", "clip7", "1.0"],
        ["recording", "a", "clip8", "1.0"],
    ]


def test_processes_give_what_one_gives_and_bad_clips_are_listed(corpora, tmp_path, capsys):
    alone = evaluate("griffin-lim:4", EvalConfig(corpora, quick=True, jobs=1), tmp_path / "1.json")
    together = evaluate("griffin-lim:4", EvalConfig(corpora, quick=True, jobs=2), tmp_path / "2.json")
    one, other = (json.loads((tmp_path / f"{n}.json").read_text("utf-8")) for n in (1, 2))
    assert one.pop("timing")["griffin-lim:4"]["clips"] == other.pop("timing")["griffin-lim:4"]["clips"] == 4
    assert [(c.corpus, c.clip) for c in alone.clips] == [("a", "clip7"), ("a", "clip8"), ("b", "clip7"), ("b", "clip8")]
    for first, second in zip(alone.clips, together.clips, strict=True):
        assert (first.key, first.failures) == (second.key, second.failures)
        assert first.scores == pytest.approx(second.scores, rel=1e-3)
    short = alone.clips[-1]
    assert short.failures["ESTOI"] == "ESTOI: less than 0.4 s of speech without pauses; use a longer clip"
    assert {"PESQ-WB", "MCD", "MR-STFT"} <= short.scores.keys()
    table = capsys.readouterr().out
    rows = {line.split(" | ")[0]: line.split(" | ") for line in table.splitlines()}
    assert rows["| "][1:] == ["a (2)", "b (2)", "all (4) |"]
    assert rows["| ESTOI ↑"][2] == f"{alone.clips[2].scores['ESTOI']:.3f} (1 clips)"
    assert rows["| ESTOI ↑"][3].endswith("(3 clips) |")
    assert "- griffin-lim:4, b/clip8, ESTOI: ESTOI: less than 0.4 s" in table
    wave, rate = files.read(corpora / "a" / "flac" / "clip8.flac")
    spoken = baselines.griffin_lim(mel_spectrogram(wave, "paper", FrameGeometry()), "paper", FrameGeometry(), 4)
    expected = signal.stft_distance(*signal.common(wave, files.rounded(spoken), 240), rate)
    assert alone.clips[1].scores["MR-STFT"] == pytest.approx(expected, rel=1e-4)


def test_a_vocoder_is_measured_from_its_file_alone(corpora, vocoder, tmp_path):
    results = evaluate(str(vocoder), EvalConfig(corpora / "a", quick=True, jobs=1), waves=tmp_path)
    assert {*results.clips[0].scores, *results.clips[0].failures} == {column.name for column in results.columns}
    assert results.clips[0].compute > 0
    generator, config = model_file.load_vocoder(vocoder)
    mel = mel_spectrogram(files.read(corpora / "a" / "flac" / "clip7.flac")[0], config.mel, config.frames)
    spoken = files.read(tmp_path / "a" / "clip7.wav")[0]
    assert np.abs(spoken).max() > 0.01
    expected = generator(torch.from_numpy(mel)[None]).wave[0, : spoken.size].clamp(-1, 1)
    # It is spoken as a stream, which may differ from the whole by 1e-5; then half a step of 16-bit sound.
    np.testing.assert_allclose(spoken, expected, atol=2**-16 + 1e-5)


def test_a_vocoder_refuses_a_corpus_of_another_rate(corpora, tmp_path):
    config = Config(
        frames=FrameGeometry(sample_rate=16_000),
        generator=MelGANConfig(channels=8),
        separator=SeparatorConfig(atoms=8),
    )
    path = tmp_path / "slow.safetensors"
    model_file.save(path, "vocoder", model_file.new_generator(config).state_dict(), config, model_file.Origin(1, ""))
    with pytest.raises(CorpusError, match=r"prepared at 24000 Hz, but frames\.sample_rate is 16000"):
        evaluate(str(path), EvalConfig(corpora))


def test_systems_are_compared_clip_by_clip(corpora, vocoder, tmp_path, capsys):
    out = tmp_path / "out"
    compare(["griffin-lim:4", str(vocoder), "recording"], EvalConfig(corpora, quick=True, jobs=1), out)
    found = json.loads((out / "results.json").read_text("utf-8"))
    assert [system["name"] for system in found["systems"]] == ["griffin-lim:4", "tiny", "recording"]
    folded = model_file.load_vocoder(vocoder)[0]
    assert found["systems"][1]["parameters"] == sum(parameter.numel() for parameter in folded.parameters())
    assert found["baseline"] == "griffin-lim:4"
    assert sorted(found["timing"]) == ["griffin-lim:4", "tiny"]
    scores = [[clip["scores"][name]["PESQ-WB"] for clip in found["clips"]] for name in ("tiny", "griffin-lim:4")]
    difference = found["differences"]["tiny"]["all"]["PESQ-WB"]
    assert difference["mean"] == pytest.approx(np.mean(np.subtract(*scores)))
    assert difference["clips"] == 4
    assert "griffin-lim:4" not in found["differences"]
    assert (out / "table.md").read_text("utf-8") in capsys.readouterr().out
    for system in ("griffin-lim:4", "tiny", "recording"):
        assert len(list((out / "waves" / system).rglob("*.wav"))) == 4
    with pytest.raises(OutputError, match="holds a comparison; choose another folder, or --force"):
        compare(["world"], EvalConfig(corpora, quick=True, jobs=1), out)


def test_two_runs_of_ones_own_are_compared_with_a_released_vocoder_in_their_precision(
    corpora, vocoder, tmp_path, capsys
):
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "vocoder.safetensors").write_bytes(vocoder.read_bytes())
    runs = [str(tmp_path / run / "vocoder.safetensors") for run in ("first", "second")]
    floating, exported = (pretrained_path("speech-24k-small", suffix) for suffix in (".safetensors", ".onnx"))
    out = tmp_path / "out"
    results = compare([*runs, "speech-24k-small", str(exported)], EvalConfig(corpora / "a", quick=True, jobs=1), out)
    names = ["first", "second", "speech-24k-small", "speech-24k-small.onnx", "recording"]
    assert [system.name for system in results.systems] == names
    assert sorted(path.name for path in (out / "waves").iterdir()) == sorted(names)
    assert results.differences("second")["a"]["PESQ-WB"].mean == 0.0
    found = json.loads((out / "results.json").read_text("utf-8"))
    assert [system["precision"] for system in found["systems"]] == ["float32", "float32", "float32", "int8", None]
    shown = capsys.readouterr().err
    assert f"speech-24k-small: measured from {floating}\n" in shown
    line = "speech-24k-small.onnx int8: differences between them include what 8 bits cost"
    assert (shown.count(line), (out / "table.md").read_text("utf-8").count(line)) == (1, 1)
    (corpus,) = manifest.load(corpora / "a")
    clip = corpus.split("test")[0]
    spoken = files.read(out / "waves" / "speech-24k-small" / "a" / f"{clip.id}.wav")[0]
    wave, rate = files.read(corpus.path(clip))
    waves_of = [load_vocoder(path).resynthesize(wave, rate) for path in (floating, exported)]
    assert np.abs(spoken - waves_of[0]).max() < 1e-4 < np.abs(spoken - waves_of[1]).max()


def test_results_are_not_mixed_with_what_is_not_theirs(corpora, tmp_path):
    scope = EvalConfig(corpora / "a", quick=True, jobs=1)
    recorded = tmp_path / "recordings"
    recorded.mkdir()
    (recorded / "results.json").write_text("mine", "utf-8")
    for force in (False, True):
        with pytest.raises(
            OutputError, match=r"recordings: holds other files, such as results\.json; name a new or an"
        ):
            compare(["world"], scope, recorded, force)
    with pytest.raises(OutputError, match=r"holds other files, such as results\.json"):
        evaluate("recording", scope, waves=recorded)
    with pytest.raises(OutputError, match=r"results\.json: is a file; name a folder"):
        evaluate("recording", scope, waves=recorded / "results.json")
    with pytest.raises(OutputError, match=r"recordings: is a folder; name a file"):
        evaluate("recording", scope, out_csv=recorded)
    with pytest.raises(ConfigurationError, match=r"json and csv: both .*both; name two files"):
        evaluate("recording", scope, tmp_path / "both", tmp_path / "both")
    for files_out in ({"out_json": recorded / "results.json"}, {"out_csv": recorded / "results.json"}):
        with pytest.raises(OutputError, match=r"results\.json: exists already and holds no results; choose another"):
            evaluate("recording", scope, **files_out)
    assert [(path.name, path.read_text("utf-8")) for path in recorded.iterdir()] == [("results.json", "mine")]


@pytest.mark.parametrize("system", ["griffin-lim:4", "tiny"])
def test_a_folder_of_waves_is_compared_as_if_it_had_been_spoken_here(system, corpora, vocoder, tmp_path):
    scope = EvalConfig(corpora / "a", quick=True, jobs=1)
    spoken = evaluate(str(vocoder) if system == "tiny" else system, scope, waves=tmp_path / "theirs")
    read = evaluate(str(tmp_path / "theirs"), scope)
    for one, other in zip(spoken.clips, read.clips, strict=True):
        assert one.scores == other.scores
        assert (other.compute, one.compute is None) == (None, False)


@pytest.mark.parametrize("jobs", [0, -3])
def test_no_job_is_none(corpora, jobs):
    with pytest.raises(ConfigurationError, match=f"jobs: {jobs}; use 1 or more"):
        evaluate("recording", EvalConfig(corpora / "a", quick=True, jobs=jobs))


def test_only_the_recording_is_nothing_to_compare(corpora, tmp_path):
    with pytest.raises(ConfigurationError, match="only recording; name at least one to compare"):
        compare(["recording"], EvalConfig(corpora), tmp_path / "out")


def test_an_interrupted_run_goes_on_where_it_stopped_and_gives_the_same_bytes(corpora, tmp_path, monkeypatch):
    scope, whole, parts = (
        EvalConfig(corpora / "a", quick=True, jobs=1),
        tmp_path / "whole.json",
        tmp_path / "parts.json",
    )
    evaluate("griffin-lim:4", scope, whole)
    asked: list[str] = []

    def interrupted(job: Job, system: object) -> scoring.ClipScores:
        if asked == ["clip7"]:
            raise KeyboardInterrupt
        asked.append(job.clip)
        return measure(job, system)

    monkeypatch.setattr(scoring, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        evaluate("griffin-lim:4", scope, parts)
    assert not parts.exists()
    asked[:] = []
    evaluate("griffin-lim:4", scope, parts)
    assert asked == ["clip8"]
    one, other = (json.loads(path.read_text("utf-8")) for path in (whole, parts))
    one.pop("timing"), other.pop("timing")
    assert json.dumps(one) == json.dumps(other)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["parts.json", "whole.json"]


def test_a_later_comparison_measures_only_what_has_changed(corpora, tmp_path, monkeypatch):
    scope, theirs, out = EvalConfig(corpora, quick=True, jobs=1), tmp_path / "theirs", tmp_path / "out"
    evaluate("griffin-lim:4", scope, waves=theirs)
    first = compare([str(theirs)], scope, out)
    asked: list[tuple[str, str]] = []

    def counted(job: Job, system: object) -> scoring.ClipScores:
        asked.append((job.label, job.clip))
        return measure(job, system)

    monkeypatch.setattr(scoring, "measure", counted)
    again = compare([str(theirs)], scope, out, force=True)
    assert (asked, again.clips) == ([], first.clips)
    compare([str(theirs), "griffin-lim:2"], scope, out, force=True)
    assert {label for label, _ in asked} == {"griffin-lim:2"}
    asked[:] = []
    (out / "waves" / "griffin-lim:2" / "a" / "clip7.wav").unlink()
    compare([str(theirs), "griffin-lim:2"], scope, out, force=True)
    assert asked == [("griffin-lim:2", "clip7")]
    changed, was = theirs / "a" / "clip8.wav", (theirs / "a" / "clip8.wav").read_bytes()
    for content in ((theirs / "a" / "clip7.wav").read_bytes(), was):
        asked[:] = []
        changed.write_bytes(content)
        latest = compare([str(theirs)], scope, out, force=True)
        assert asked == [("theirs", clip) for clip in ("clip7", "clip8") * 2]
        assert (out / "waves" / "theirs" / "a" / "clip8.wav").read_bytes() == content
    assert latest.clips == first.clips
    changed.write_bytes(b"no sound")
    compare([str(theirs)], scope, out, force=True)
    assert not (out / "waves" / "theirs" / "a" / "clip8.wav").exists()


def test_a_clip_that_cannot_be_read_or_spoken_is_kept_with_its_reason(tmp_path):
    gone = measure(Job("recording", "recording", "a", "gone", tmp_path / "gone.flac", CHEAP, None), Recording())
    assert (gone.scores, list(gone.failures)) == ({}, ["clip"])
    assert gone.failures["clip"].endswith("gone.flac: no such file; expected a sound file")


class Mute:
    rate = None
    slack = 0
    computes = True

    def __call__(self, recorded: Recorded) -> files.Wave:
        return np.zeros_like(recorded.wave)


class Short(Mute):
    def __call__(self, recorded: Recorded) -> files.Wave:
        return recorded.wave[:-1]


def test_a_system_that_fails_says_so(corpora):
    job = Job("x", "x", "a", "clip8", corpora / "a" / "flac" / "clip8.flac", CHEAP, None)
    mute, short = measure(job, Mute()), measure(job, Short())
    assert mute.failures.keys() == CHEAP
    assert set(mute.failures.values()) == {"estimate: silent in all its 24000 samples; nothing to judge"}
    assert list(short.failures) == ["clip"]
    assert "23999 samples against 24000 recorded" in short.failures["clip"]


def test_a_run_without_any_score_is_an_error_after_its_reasons(tmp_path, capsys):
    prepare("folder", tmp_path / "out", recordings(tmp_path / "in", [24_000] * 3), CONFIG, jobs=1)
    (tmp_path / "waves").mkdir()
    with pytest.raises(CorpusError, match="none of its 1 test clips could be scored"):
        evaluate(str(tmp_path / "waves"), EvalConfig(tmp_path / "out", quick=True, jobs=1))
    assert "- waves, out/clip2, clip: " in capsys.readouterr().out


def test_a_file_that_cannot_be_written_is_an_error_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "below"
    for place in ({"out_json": below}, {"out_csv": below}, {"waves": below}):
        with pytest.raises(OutputError, match=r"cannot be made, since .*file is a file; choose another place"):
            evaluate("recording", EvalConfig(tmp_path / "before any work"), **place)
    with pytest.raises(OutputError, match=r"cannot be made, since .*file is a file; choose another place"):
        compare(["world"], EvalConfig(tmp_path / "before any work"), below)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
