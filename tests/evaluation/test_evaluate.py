"""Evaluation and comparison on prepared corpora: scores, tables, files, and clips without scores."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.cli.main import main
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import MelGANConfig, SeparatorConfig
from basis_melgan.config.schema import Config, CorpusConfig
from basis_melgan.corpus import manifest
from basis_melgan.corpus.prepare import prepare
from basis_melgan.errors import ConfigurationError, CorpusError, OutputError
from basis_melgan.evaluation import baselines
from basis_melgan.evaluation.clip_scores import ClipScores
from basis_melgan.evaluation.evaluate import MARKER, EvalConfig, compare_systems, evaluate_system
from basis_melgan.evaluation.results import Results
from basis_melgan.evaluation.scoring import Task, score_clip
from basis_melgan.evaluation.systems import RecordedClip, RecordingSystem, System
from basis_melgan.evaluation.tables import markdown_table
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.metrics import signal, waves
from basis_melgan.models import model_file
from basis_melgan.storage.paths import require_output_folder

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
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
    """Two corpora with two test clips each; the last clip of `b` is too short for ESTOI."""
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


def test_results_of_recent_waves_are_cached():
    computed_rates = []

    @waves.cache_recent
    def loudest(wave: np.ndarray, rate: int) -> float:
        computed_rates.append(rate)
        return float(wave.max())

    first, *later_waves = (np.full(4, level, dtype=np.float32) for level in range(waves.CACHE_SIZE + 1))
    assert loudest(first, 8_000) == loudest(first.copy(), 8_000) == 0.0
    assert len(computed_rates) == 1
    assert loudest(first.astype(np.float64), 8_000) == loudest(first, 16_000) == 0.0
    assert len(computed_rates) == 3
    for wave in later_waves:
        loudest(wave, 8_000)
    loudest(first, 8_000)
    assert len(computed_rates) == 3 + waves.CACHE_SIZE + 1


def test_the_recording_has_perfect_scores(corpora, tmp_path, capsys):
    config = EvalConfig(corpora / "a", quick=True, jobs=1)
    json_path = tmp_path / "new" / "a.json"
    results = evaluate_system("recording", config, json_path, tmp_path / "a.csv", tmp_path / "waves")
    require_output_folder(tmp_path / "waves", MARKER)  # a later run may use it again
    output, progress = capsys.readouterr()
    assert output == ""
    assert re.search(
        r"^2 waves, 2 s of audio, synthesized and scored in \d+ s \(processes: 1\)$", progress, re.MULTILINE
    )
    table = markdown_table(results)
    assert table.splitlines()[:3] == [
        "|  | a (2) |",
        "| --- | ---: |",
        "| PESQ-WB ↑ | 4.644 [4.644, 4.644] |",
    ]
    assert "| MR-STFT ↓ | 0.000 [0.000, 0.000] |" in table
    (corpus,) = manifest.load(corpora / "a")
    for clip in corpus.split("test"):
        wave, rate = files.read(tmp_path / "waves" / "a" / f"{clip.id}.wav")
        assert rate == 24_000
        np.testing.assert_array_equal(wave, files.read(corpus.path(clip))[0])
    content = json.loads(json_path.read_text("utf-8"))
    assert (content["systems"][0]["source"], content["split"]) == ("recording", "test")
    assert content["data_hash"] == manifest.data_hash([corpus])
    assert [clip["clip"] for clip in content["clips"]] == ["clip7", "clip8"]
    assert content["columns"][3] == {"name": "MCD", "unit": "dB", "higher_is_better": False}
    mean = content["summary"]["recording"]["a"]["ESTOI"]
    assert mean == {"mean": pytest.approx(1.0), "interval": pytest.approx([1, 1]), "clips": 2}
    assert (content["timing"], content["differences"]) == ({}, {})
    assert Results.load(json_path) == results
    lines = (tmp_path / "a.csv").read_text("utf-8").splitlines()
    assert lines[0].startswith("system,corpus,clip,seconds,PESQ-WB,STOI,ESTOI,MCD,")
    assert [line.split(",")[:4] for line in lines[1:]] == [
        ["recording", "a", "clip7", "1.0"],
        ["recording", "a", "clip8", "1.0"],
    ]


def test_two_processes_give_the_results_of_one_and_the_table_lists_failures(corpora, tmp_path):
    serial = evaluate_system("griffin-lim:4", EvalConfig(corpora, quick=True, jobs=1), tmp_path / "1.json")
    parallel = evaluate_system("griffin-lim:4", EvalConfig(corpora, quick=True, jobs=2), tmp_path / "2.json")
    assert serial.timing["griffin-lim:4"].clips == parallel.timing["griffin-lim:4"].clips == 4
    assert [(c.corpus, c.clip) for c in serial.clips] == [
        ("a", "clip7"),
        ("a", "clip8"),
        ("b", "clip7"),
        ("b", "clip8"),
    ]
    for first, second in zip(serial.clips, parallel.clips, strict=True):
        assert (first.key, first.failures) == (second.key, second.failures)
        assert first.scores == pytest.approx(second.scores, rel=1e-3)
    short = serial.clips[-1]
    assert short.failures["ESTOI"] == "ESTOI: less than 0.4 s of speech without pauses; use a longer clip"
    assert {"PESQ-WB", "MCD", "MR-STFT"} <= short.scores.keys()
    table = markdown_table(serial)
    rows = {line.split(" | ")[0]: line.split(" | ") for line in table.splitlines()}
    assert rows["| "][1:] == ["a (2)", "b (2)", "all (4) |"]
    assert rows["| ESTOI ↑"][2] == f"{serial.clips[2].scores['ESTOI']:.3f} (1 clips)"
    assert rows["| ESTOI ↑"][3].endswith("(3 clips) |")
    assert "- griffin-lim:4, b/clip8, ESTOI: ESTOI: less than 0.4 s" in table
    wave, rate = files.read(corpora / "a" / "flac" / "clip8.flac")
    estimate = baselines.griffin_lim(mel_spectrogram(wave, "paper", FrameGeometry()), "paper", FrameGeometry(), 4)
    expected = signal.stft_distance(*signal.trim_to_common_length(wave, files.quantize_pcm16(estimate), 240), rate)
    assert serial.clips[1].scores["MR-STFT"] == pytest.approx(expected, rel=1e-4)


def test_a_vocoder_is_evaluated_from_its_file_alone(corpora, vocoder, tmp_path):
    results = evaluate_system(str(vocoder), EvalConfig(corpora / "a", quick=True, jobs=1), waves=tmp_path)
    assert {*results.clips[0].scores, *results.clips[0].failures} == {column.name for column in results.columns}
    assert results.clips[0].compute_seconds > 0
    generator, config = model_file.load_generator(vocoder)
    mel = mel_spectrogram(files.read(corpora / "a" / "flac" / "clip7.flac")[0], config.mel, config.frames)
    wave = files.read(tmp_path / "a" / "clip7.wav")[0]
    assert np.abs(wave).max() > 0.01
    expected = generator(torch.from_numpy(mel)[None]).wave[0, : wave.size].clamp(-1, 1)
    # The vocoder synthesizes in chunks, which may differ from the whole by 1e-5; rounding to 16 bits adds half a step.
    np.testing.assert_allclose(wave, expected, atol=2**-16 + 1e-5)


def test_a_vocoder_raises_for_a_corpus_of_another_sample_rate(corpora, tmp_path):
    config = Config(
        frames=FrameGeometry(sample_rate=16_000),
        generator=MelGANConfig(channels=8),
        separator=SeparatorConfig(atoms=8),
    )
    path = tmp_path / "slow.safetensors"
    model_file.save(path, "vocoder", model_file.new_generator(config).state_dict(), config, model_file.Origin(1, ""))
    with pytest.raises(CorpusError, match=r"prepared at 24000 Hz, but frames\.sample_rate is 16000"):
        evaluate_system(str(path), EvalConfig(corpora))


def test_systems_are_compared_clip_by_clip(corpora, vocoder, tmp_path):
    out = tmp_path / "out"
    config = EvalConfig(corpora, quick=True, jobs=1)
    results = compare_systems(["griffin-lim:4", str(vocoder), "recording"], config, out)
    content = json.loads((out / "results.json").read_text("utf-8"))
    assert [system["name"] for system in content["systems"]] == ["griffin-lim:4", "tiny", "recording"]
    folded = model_file.load_generator(vocoder)[0]
    assert content["systems"][1]["parameters"] == sum(parameter.numel() for parameter in folded.parameters())
    assert content["baseline"] == "griffin-lim:4"
    assert sorted(content["timing"]) == ["griffin-lim:4", "tiny"]
    scores = [
        [clip["scores"]["PESQ-WB"] for clip in content["clips"] if clip["system"] == name]
        for name in ("tiny", "griffin-lim:4")
    ]
    difference = content["differences"]["tiny"]["all"]["PESQ-WB"]
    assert difference["mean"] == pytest.approx(np.mean(np.subtract(*scores)))
    assert difference["clips"] == 4
    assert "griffin-lim:4" not in content["differences"]
    assert (out / "table.md").read_text("utf-8") == markdown_table(results) + "\n"
    assert Results.load(out / "results.json") == results
    for system in ("griffin-lim:4", "tiny", "recording"):
        assert len(list((out / "waves" / system).rglob("*.wav"))) == 4
    with pytest.raises(OutputError, match="has results of a comparison; choose another folder, or --force"):
        compare_systems(["world"], EvalConfig(corpora, quick=True, jobs=1), out)


def test_two_own_runs_are_compared_with_a_pretrained_vocoder_in_their_precision(corpora, vocoder, tmp_path, capsys):
    for run in ("first", "second"):
        (tmp_path / run).mkdir()
        (tmp_path / run / "vocoder.safetensors").write_bytes(vocoder.read_bytes())
    runs = [str(tmp_path / run / "vocoder.safetensors") for run in ("first", "second")]
    floating, exported = (pretrained_path("speech-24k-small", suffix) for suffix in (".safetensors", ".onnx"))
    out = tmp_path / "out"
    results = compare_systems(
        [*runs, "speech-24k-small", str(exported)], EvalConfig(corpora / "a", quick=True, jobs=1), out
    )
    names = ["first", "second", "speech-24k-small", "speech-24k-small.onnx", "recording"]
    assert [system.name for system in results.systems] == names
    assert sorted(path.name for path in (out / "waves").iterdir()) == sorted(names)
    assert results.differences["second"]["a"]["PESQ-WB"].mean == 0.0
    content = json.loads((out / "results.json").read_text("utf-8"))
    assert [system["precision"] for system in content["systems"]] == ["float32", "float32", "float32", "int8", None]
    notes = capsys.readouterr().err
    assert f"speech-24k-small: evaluated from {floating}\n" in notes
    line = "speech-24k-small.onnx int8: differences include the cost of 8 bits"
    assert (notes.count(line), (out / "table.md").read_text("utf-8").count(line)) == (1, 1)
    (corpus,) = manifest.load(corpora / "a")
    clip = corpus.split("test")[0]
    wave = files.read(out / "waves" / "speech-24k-small" / "a" / f"{clip.id}.wav")[0]
    recording, rate = files.read(corpus.path(clip))
    expected, quantized = (load_vocoder(path).resynthesize(recording, rate) for path in (floating, exported))
    assert np.abs(wave - expected).max() < 1e-4 < np.abs(wave - quantized).max()


def test_other_files_are_neither_replaced_nor_mixed_with_results(corpora, tmp_path):
    config = EvalConfig(corpora / "a", quick=True, jobs=1)
    folder = tmp_path / "recordings"
    folder.mkdir()
    (folder / "results.json").write_text("mine", "utf-8")
    for force in (False, True):
        with pytest.raises(
            OutputError, match=r"recordings: holds unrelated files, such as results\.json; name a new or empty"
        ):
            compare_systems(["world"], config, folder, force)
    with pytest.raises(OutputError, match=r"holds unrelated files, such as results\.json"):
        evaluate_system("recording", config, waves=folder)
    with pytest.raises(OutputError, match=r"results\.json: is a file; name a folder"):
        evaluate_system("recording", config, waves=folder / "results.json")
    with pytest.raises(OutputError, match=r"recordings: is a folder; name a file"):
        evaluate_system("recording", config, csv_path=folder)
    with pytest.raises(ConfigurationError, match=r"json and csv: both .*both; name two files"):
        evaluate_system("recording", config, tmp_path / "both", tmp_path / "both")
    for outputs in ({"json_path": folder / "results.json"}, {"csv_path": folder / "results.json"}):
        with pytest.raises(OutputError, match=r"results\.json: exists and has no results; choose another"):
            evaluate_system("recording", config, **outputs)
    assert [(path.name, path.read_text("utf-8")) for path in folder.iterdir()] == [("results.json", "mine")]


@pytest.mark.parametrize("system", ["griffin-lim:4", "tiny"])
def test_a_folder_of_waves_has_the_scores_of_the_system_that_synthesized_them(system, corpora, vocoder, tmp_path):
    config = EvalConfig(corpora / "a", quick=True, jobs=1)
    results = evaluate_system(str(vocoder) if system == "tiny" else system, config, waves=tmp_path / "waves")
    folder_results = evaluate_system(str(tmp_path / "waves"), config)
    for clip, folder_clip in zip(results.clips, folder_results.clips, strict=True):
        assert clip.scores == folder_clip.scores
        assert (folder_clip.compute_seconds, clip.compute_seconds is None) == (None, False)


def test_a_warning_of_a_worker_is_one_line_on_the_command_line(corpora, tmp_path, capsys):
    (corpus,) = manifest.load(corpora / "a")
    paths = []
    for clip in corpus.split("test"):
        wave, rate = files.read(corpus.path(clip))
        paths.append(tmp_path / "waves" / f"{clip.id}.wav")
        paths[-1].parent.mkdir(exist_ok=True)
        soundfile.write(paths[-1], 2 * wave / np.abs(wave).max(), rate, "FLOAT")
    argv = ["evaluate", str(tmp_path / "waves"), str(corpora / "a"), "--quick", "--jobs", "2"]
    assert main(argv) == 0
    output, errors = capsys.readouterr()
    assert output.startswith("|  | a (2) |\n")
    prefix = "basis-melgan: warning: "
    lines = [line.removeprefix(prefix) for line in errors.splitlines() if line.startswith(prefix)]
    assert sorted(line.split(": ")[0] for line in lines) == [str(path) for path in paths]
    assert all("beyond full scale" in line for line in lines)
    assert "InputWarning" not in errors


@pytest.mark.parametrize("jobs", [0, -3])
def test_fewer_than_one_job_raises(corpora, jobs):
    with pytest.raises(ConfigurationError, match=f"jobs: {jobs}; use 1 or more"):
        evaluate_system("recording", EvalConfig(corpora / "a", quick=True, jobs=jobs))


def test_a_comparison_of_the_recording_alone_raises(corpora, tmp_path):
    with pytest.raises(ConfigurationError, match="only recording; name at least one to compare"):
        compare_systems(["recording"], EvalConfig(corpora), tmp_path / "out")


def test_an_interrupted_run_resumes_and_gives_the_same_results(corpora, tmp_path, monkeypatch):
    config = EvalConfig(corpora / "a", quick=True, jobs=1)
    complete, resumed = tmp_path / "complete.json", tmp_path / "resumed.json"
    evaluate_system("griffin-lim:4", config, complete)
    calls: list[str] = []

    def interrupt_second_clip(task: Task, system: System) -> ClipScores:
        if calls == ["clip7"]:
            raise KeyboardInterrupt
        calls.append(task.clip)
        return score_clip(task, system)

    monkeypatch.setattr("basis_melgan.evaluation.scoring.score_clip", interrupt_second_clip)
    with pytest.raises(KeyboardInterrupt):
        evaluate_system("griffin-lim:4", config, resumed)
    assert not resumed.exists()
    calls.clear()
    evaluate_system("griffin-lim:4", config, resumed)
    assert calls == ["clip8"]
    contents = [json.loads(path.read_text("utf-8")) for path in (complete, resumed)]
    for content in contents:
        del content["timing"]
        for clip in content["clips"]:
            del clip["compute_seconds"]
    assert json.dumps(contents[0]) == json.dumps(contents[1])
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["complete.json", "resumed.json"]


def test_a_later_comparison_scores_only_what_has_changed(corpora, tmp_path, monkeypatch):
    config, folder, out = EvalConfig(corpora, quick=True, jobs=1), tmp_path / "folder", tmp_path / "out"
    evaluate_system("griffin-lim:4", config, waves=folder)
    first = compare_systems([str(folder)], config, out)
    calls: list[tuple[str, str]] = []

    def record_call(task: Task, system: System) -> ClipScores:
        calls.append((task.system, task.clip))
        return score_clip(task, system)

    monkeypatch.setattr("basis_melgan.evaluation.scoring.score_clip", record_call)
    repeated = compare_systems([str(folder)], config, out, force=True)
    assert (calls, repeated.clips) == ([], first.clips)
    compare_systems([str(folder), "griffin-lim:2"], config, out, force=True)
    assert {label for label, _ in calls} == {"griffin-lim:2"}
    calls.clear()
    (out / "waves" / "griffin-lim:2" / "a" / "clip7.wav").unlink()
    compare_systems([str(folder), "griffin-lim:2"], config, out, force=True)
    assert calls == [("griffin-lim:2", "clip7")]
    wave, original = folder / "a" / "clip8.wav", (folder / "a" / "clip8.wav").read_bytes()
    for content in ((folder / "a" / "clip7.wav").read_bytes(), original):
        calls.clear()
        wave.write_bytes(content)
        latest = compare_systems([str(folder)], config, out, force=True)
        assert calls == [("folder", clip) for clip in ("clip7", "clip8") * 2]
        assert (out / "waves" / "folder" / "a" / "clip8.wav").read_bytes() == content
    assert latest.clips == first.clips
    wave.write_bytes(b"no sound")
    compare_systems([str(folder)], config, out, force=True)
    assert not (out / "waves" / "folder" / "a" / "clip8.wav").exists()


def test_an_unreadable_clip_has_a_reason(tmp_path):
    task = Task("recording", "recording", "a", "missing", tmp_path / "missing.flac", CHEAP)
    result = score_clip(task, RecordingSystem())
    assert (result.scores, list(result.failures)) == ({}, ["clip"])
    assert result.failures["clip"].endswith("missing.flac: no such file; expected a sound file")


class SilentSystem(System):
    def resynthesize(self, clip: RecordedClip) -> files.Wave:
        return np.zeros_like(clip.wave)


class ShortSystem(System):
    def resynthesize(self, clip: RecordedClip) -> files.Wave:
        return clip.wave[:-1]


def test_an_unusable_wave_has_a_reason(corpora):
    task = Task("x", "x", "a", "clip8", corpora / "a" / "flac" / "clip8.flac", CHEAP)
    silent, short = score_clip(task, SilentSystem()), score_clip(task, ShortSystem())
    assert silent.failures.keys() == CHEAP
    assert set(silent.failures.values()) == {"estimate: silent in all its 24000 samples; nothing to compare"}
    assert list(short.failures) == ["clip"]
    assert "23999 samples against 24000 recorded" in short.failures["clip"]


def test_a_run_without_any_score_raises_with_a_reason(tmp_path):
    prepare("folder", tmp_path / "out", recordings(tmp_path / "in", [24_000] * 3), CONFIG, jobs=1)
    (tmp_path / "waves").mkdir()
    with pytest.raises(CorpusError, match=r"none of 1 test clips has a score; waves, out/clip2, clip: .* has neither"):
        evaluate_system(str(tmp_path / "waves"), EvalConfig(tmp_path / "out", quick=True, jobs=1))


def test_an_unwritable_path_raises_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    below = tmp_path / "file" / "below"
    for outputs in ({"json_path": below}, {"csv_path": below}, {"waves": below}):
        with pytest.raises(OutputError, match=r"cannot be created because .*file is a file; choose another place"):
            evaluate_system("recording", EvalConfig(tmp_path / "absent"), **outputs)
    with pytest.raises(OutputError, match=r"cannot be created because .*file is a file; choose another place"):
        compare_systems(["world"], EvalConfig(tmp_path / "absent"), below)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
