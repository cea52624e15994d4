"""The report: reading of a comparison, the data of the page, and errors."""

import base64
import io
import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from basis_melgan.audio import files
from basis_melgan.cli.main import main
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.errors import AudioError, ConfigurationError, OutputError
from basis_melgan.evaluation.clip_scores import ClipScores
from basis_melgan.evaluation.results import Results, SystemInfo
from basis_melgan.metrics.table import Column
from basis_melgan.report import images
from basis_melgan.report.basis_data import basis_data
from basis_melgan.report.clip_data import clip_data
from basis_melgan.report.comparison import Comparison
from basis_melgan.report.curves import MAX_POINTS, learning_curves, parse_runs
from basis_melgan.report.html import render_page, write_report

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
SYSTEMS = ("small", "rough", "recording")
CLIPS = (("one", "a"), ("one", "b"), ("two", "c"))
RATE = 24_000


def estimate(mean: float) -> dict[str, Any]:
    return {"mean": mean, "interval": [mean - 0.1, mean + 0.1], "clips": len(CLIPS)}


def results() -> dict[str, Any]:
    """The content of a `results.json` of three systems on three clips of two corpora; one score is missing."""
    scores = {
        "small": {"PESQ-WB": 2.5, "MCD": 3.0},
        "rough": {"PESQ-WB": 1.5},
        "recording": {"PESQ-WB": 4.6, "MCD": 0.0},
    }
    means = {"small": 2.5, "rough": 1.5, "recording": 4.6}
    rows = ("one", "two", "all")
    return {
        "basis_melgan": "0.1.0",
        "split": "test",
        "data_hash": "abc</script>",
        "baseline": "small",
        "columns": [
            {"name": "PESQ-WB", "unit": "", "higher_is_better": True},
            {"name": "MCD", "unit": "dB", "higher_is_better": False},
        ],
        "systems": [
            asdict(SystemInfo("small", "small.safetensors", 3_170_000, 2.25, "float32")),
            asdict(SystemInfo("rough", "griffin-lim:1")),
            asdict(SystemInfo("recording", "recording")),
        ],
        "unavailable": {},
        "clips": [
            ClipScores(
                system=system,
                corpus=corpus,
                clip=clip,
                source_hash="",
                seconds=0.8,
                compute_seconds=None,
                scores=scores[system],
                failures={"MCD": "too rough"} if system == "rough" else {},
            ).to_dict()
            for corpus, clip in CLIPS
            for system in SYSTEMS
        ],
        "summary": {
            name: {row: {"PESQ-WB": estimate(mean), "MCD": estimate(5 - mean)} for row in rows}
            for name, mean in means.items()
        },
        "differences": {
            name: {row: {"PESQ-WB": estimate(means[name] - 2.5)} for row in rows} for name in ("rough", "recording")
        },
        "timing": {"small": {"mean": 0.03, "interval": None, "clips": 3}, "rough": estimate(0.5)},
    }


def make_comparison(folder: Path, content: dict[str, Any] | None = None) -> Path:
    """A folder as `compare` writes it, with 0.8 s of three clips."""
    for (corpus, clip), source in zip(CLIPS, EXAMPLES, strict=False):
        wave, rate = files.read(source, 24_000, round(0.8 * RATE))
        noise = np.random.default_rng(0).standard_normal(len(wave)).astype(np.float32)
        for system, level in zip(SYSTEMS, (0.003, 0.03, 0.0), strict=True):
            files.write(folder / "waves" / system / corpus / f"{clip}.wav", wave + level * noise, rate)
    (folder / "results.json").write_text(json.dumps(content or results()), encoding="utf-8")
    return folder


def make_run(run: Path, steps: int = 1000) -> Path:
    """The folder of a training with its log."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(run / "log")) as board:
        for step in range(1, steps + 1):
            board.add_scalar("loss/total", 100.0 / step, step)
            board.add_scalar("rate/learning", 1e-3, step)
        board.add_scalar("validation/si_snr_noisy", 7.5, steps)
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_comparison(tmp_path_factory.mktemp("comparison"))


def page_data(path: Path) -> dict[str, Any]:
    """The data in a report's page."""
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    assert match
    return json.loads(match[1])


# Reading a comparison


def test_load_reads_every_field_of_the_results(folder: Path) -> None:
    comparison = Comparison.load(folder)
    assert json.loads(comparison.results.to_json()) == results()
    clips = comparison.results.by_clip()
    assert [(clip["small"].corpus, clip["small"].clip) for clip in clips] == list(CLIPS)
    assert [tuple(clip) for clip in clips] == [SYSTEMS] * len(CLIPS)
    assert clips[0]["rough"].scores == {"PESQ-WB": 1.5}


@pytest.mark.parametrize(
    ("keys", "value", "text"),
    [
        (("baseline",), None, "baseline is None; expected text"),
        (("baseline",), "large", "baseline is 'large'; expected one of the systems small, rough, recording"),
        (("columns",), [], "columns is empty"),
        (("columns", 1, "higher_is_better"), 1, "columns[1].higher_is_better is 1; expected true or false"),
        (("systems", 2, "name"), "small", "systems names one system twice"),
        (("systems", 0, "gmac_per_second"), "2", "systems[0].gmac_per_second is '2'; expected a finite number"),
        (("clips", 0, "scores", "MCD"), None, "clips[0].scores.MCD is None; expected a finite number"),
        (("clips", 1, "failures"), [], "clips[1].failures is []; expected an object"),
        (
            ("clips", 1, "system"),
            "large",
            "clips has scores of one/a by small, large, recording; expected every system",
        ),
        (("summary", "small", "all", "MCD"), {"mean": 1, "clips": 1}, "summary.small.all.MCD.interval is missing"),
        (("summary", "small", "one"), 3, "summary.small.one is 3; expected an object"),
        (("differences", "rough", "all", "PESQ-WB", "interval"), [1], "interval is [1]; expected 2 items"),
        (("timing", "small", "mean"), "fast", "timing.small.mean is 'fast'; expected a finite number"),
    ],
)
def test_errors_name_the_invalid_field(
    tmp_path: Path, keys: tuple[Any, ...], value: Any, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    content = results()
    inner: Any = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    (tmp_path / "results.json").write_text(json.dumps(content), encoding="utf-8")
    assert main(["report", str(tmp_path), str(tmp_path / "out.html")]) == 2
    line = capsys.readouterr().err
    assert f"{text}; run compare again" in line
    assert str(tmp_path / "results.json") in line
    assert line.count("\n") == 1


@pytest.mark.parametrize("key", list(results()))
def test_errors_name_the_missing_field(tmp_path: Path, key: str) -> None:
    content = results()
    del content[key]
    (tmp_path / "results.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=rf"results.json: {key} is missing; run compare again"):
        Comparison.load(tmp_path)


def test_folders_without_results_raise(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has no results.json; give the folder that `basis-melgan compare`"):
        Comparison.load(tmp_path)
    (tmp_path / "results.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be read as JSON"):
        Comparison.load(tmp_path)
    (tmp_path / "results.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"the file is \[\]; expected an object"):
        Comparison.load(tmp_path)


def test_results_without_the_recording_raise(tmp_path: Path) -> None:
    scores = ClipScores("x", "a", "1", "", 1.0, None, {}, {"MCD": "too short"})
    content = Results.from_scores([SystemInfo("x", "x")], "test", "abc", [Column("MCD", "dB", False)], {}, [scores])
    (tmp_path / "results.json").write_text(content.to_json(), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"results\.json: has no scores of the recording"):
        Comparison.load(tmp_path)


def test_a_missing_wave_raises_unless_the_results_state_the_reason(tmp_path: Path) -> None:
    content = results()
    content["clips"][1] |= {"scores": {}, "failures": {"clip": "estimate is silent"}}
    comparison = Comparison.load(make_comparison(tmp_path, content))
    for system in ("small", "rough"):
        (tmp_path / "waves" / system / "one" / "a.wav").unlink()
    (clip, *_) = comparison.results.by_clip()
    assert comparison.wave_path(clip["rough"]) is None
    with pytest.raises(AudioError, match=r"small/one/a.wav: no such file, though results.json has its scores"):
        comparison.wave_path(clip["small"])


def recordings_comparison(*clips: ClipScores) -> Comparison:
    """A comparison of recordings alone."""
    return Comparison(Path(), Results.from_scores([SystemInfo("recording", "recording")], "test", "", [], {}, clips))


def recording(corpus: str, clip: str, seconds: float, failures: dict[str, str] | None = None) -> ClipScores:
    return ClipScores("recording", corpus, clip, "", seconds, None, {}, failures or {})


def selected_recordings(comparison: Comparison, count: int) -> list[ClipScores]:
    return [clip["recording"] for clip in comparison.select_clips(count)]


lengths = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.3, 20.0)), min_size=1, max_size=12)


@given(lengths=lengths, count=st.integers(1, 14))
def test_clips_are_selected_evenly_and_near_four_seconds(lengths: list[tuple[str, float]], count: int) -> None:
    clips = [recording(corpus, f"{index:02}", seconds) for index, (corpus, seconds) in enumerate(lengths)]
    selection = selected_recordings(recordings_comparison(*clips), count)
    assert len(selection) == min(count, len(clips))
    assert selection == selected_recordings(recordings_comparison(*clips[::-1]), count)
    counts = {corpus: sum(clip.corpus == corpus for clip in selection) for corpus, _ in lengths}
    totals = {corpus: sum(clip.corpus == corpus for clip in clips) for corpus in counts}
    incomplete = [counts[corpus] for corpus in counts if counts[corpus] < totals[corpus]]
    assert not incomplete or max(counts.values()) - min(incomplete) <= 1
    for clip in [clip for clip in clips if clip not in selection]:
        same_corpus = [candidate for candidate in selection if candidate.corpus == clip.corpus]
        assert all(abs(clip.seconds - 4) >= abs(candidate.seconds - 4) for candidate in same_corpus)


def test_a_count_of_no_clips_raises(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="clips: 0 is too few; show 1 or more"):
        Comparison.load(folder).select_clips(0)


def test_clips_with_an_unreadable_recording_are_skipped() -> None:
    unreadable = recording("a", "unreadable", 4.0, {"clip": "cannot be read"})
    readable = recording("a", "readable", 9.0)
    assert selected_recordings(recordings_comparison(unreadable, readable), 2) == [readable]
    with pytest.raises(ConfigurationError, match="no recording can be read"):
        recordings_comparison(unreadable).select_clips(2)


# Images and sounds


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100])
def test_a_tone_peaks_at_its_frequency_at_every_sample_rate(rate: int) -> None:
    wave = (0.5 * np.sin(2 * np.pi * 3000 * np.arange(rate) / rate)).astype(np.float32)
    levels = images.spectrogram_levels(wave, rate)
    assert levels.shape == (images.ROWS, -(-rate // round(0.01 * rate)))
    assert levels[:, 5:-5].argmax(axis=0) == pytest.approx(3000 / (rate / 2) * images.ROWS, abs=1)
    doubled = images.spectrogram_levels(2 * wave, rate)
    assert doubled.max() - levels.max() == pytest.approx(6.02, abs=0.01)


def gray(base64_text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(base64_text))).convert("L"))


def test_an_image_has_its_first_row_at_the_bottom_and_its_levels_in_range() -> None:
    ramp = np.linspace(-90, 10, 101, dtype=np.float32)[:, None].repeat(64, axis=1)
    values = gray(images.spectrogram_image(ramp, 0.0))[::-1].astype(float)
    expected = np.clip(ramp / 80 + 1, 0, 1) * 255
    assert values.shape == (101, 64)
    np.testing.assert_allclose(values, expected, atol=6)


def test_lightness_of_the_colors_increases() -> None:
    stops = [[int(color[start : start + 2], 16) for start in (1, 3, 5)] for color in images.color_stops()]
    lightness = np.asarray(stops) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_mp3_sounds_like_the_wave(rate: int) -> None:
    wave = (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)
    decoded, decoded_rate = soundfile.read(io.BytesIO(files.encode_mp3(wave, rate)))
    assert decoded_rate == rate
    assert len(decoded) == pytest.approx(rate, abs=0.1 * rate)
    peak = np.abs(np.fft.rfft(decoded)).argmax() * rate / len(decoded)
    assert peak == pytest.approx(440, abs=2)
    assert decoded[rate // 4 : rate // 2].std() == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_mp3_raises_for_unsupported_sample_rates() -> None:
    with pytest.raises(AudioError, match=r"23456 Hz: cannot be MP3 .*; use 8, 16"):
        files.encode_mp3(np.zeros(1000, np.float32), 23_456)


def test_a_long_clip_is_cut(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = Comparison.load(folder)
    clip = comparison.results.by_clip()[0]
    complete = clip_data(comparison, clip)
    monkeypatch.setattr("basis_melgan.report.clip_data.MAX_SECONDS", 0.5)
    data = clip_data(comparison, clip)
    assert (complete["seconds"], data["seconds"]) == (0.8, 0.5)
    for name, output in data["outputs"].items():
        assert gray(output["spectrogram"]).shape == (images.ROWS, 50), name


def test_clip_data_has_every_system_with_the_recording_first(folder: Path) -> None:
    comparison = Comparison.load(folder)
    data = clip_data(comparison, comparison.results.by_clip()[0])
    assert list(data["outputs"]) == ["recording", "small", "rough"]
    assert (data["corpus"], data["clip"]) == CLIPS[0]
    assert (data["seconds"], data["hertz"]) == (0.8, 12_000)
    assert data["scores"] == {
        "small": {"PESQ-WB": 2.5, "MCD": 3.0},
        "rough": {"PESQ-WB": 1.5},
        "recording": {"PESQ-WB": 4.6, "MCD": 0.0},
    }
    assert data["failures"] == {"rough": {"MCD": "too rough"}}
    spectrograms = {name: gray(output["spectrogram"]).astype(float) for name, output in data["outputs"].items()}
    assert {image.shape for image in spectrograms.values()} == {(images.ROWS, 80)}
    means = {name: image.mean() for name, image in spectrograms.items()}
    assert means["recording"] < means["small"] < means["rough"]  # noise fills the pauses
    voiced = [hertz for hertz in data["outputs"]["recording"]["pitch"] if hertz]
    assert 70 < np.median(voiced) < 250  # a man's voice
    assert len(data["outputs"]["recording"]["pitch"]) == pytest.approx(81, abs=1)


# Curves


def test_learning_curves_are_averaged_over_segments(tmp_path: Path) -> None:
    curves = learning_curves({"first": make_run(tmp_path / "a"), "second": make_run(tmp_path / "b", 10)})
    assert [(curve["name"], curve["unit"]) for curve in curves] == [
        ("validation/si_snr_noisy", "dB"),
        ("loss/total", ""),
    ]
    assert curves[0]["series"] == [{"run": "first", "points": [(1000, 7.5)]}, {"run": "second", "points": [(10, 7.5)]}]
    long, short = (series["points"] for series in curves[1]["series"])
    assert short == [(step, pytest.approx(100 / step, rel=1e-4)) for step in range(1, 11)]
    assert len(long) == MAX_POINTS
    assert long[0] == (3, pytest.approx(np.mean([100 / step for step in range(1, 6)]), rel=1e-4))


def test_non_finite_values_are_gaps(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "log")) as board:
        for step, value in enumerate((1.0, float("nan"), 3.0)):
            board.add_scalar("loss/total", value, step)
    (curve,) = learning_curves({"run": tmp_path})
    assert curve["series"][0]["points"] == [(0, 1.0), (1, None), (2, 3.0)]


def test_runs_are_parsed_to_folders_by_name() -> None:
    assert parse_runs("a=x,b=y/z=1") == {"a": Path("x"), "b": Path("y/z=1")}
    for text in ("a", "=x", "a=", "a=x,"):
        with pytest.raises(ConfigurationError, match="is not NAME=FOLDER; write NAME=FOLDER,NAME=FOLDER"):
            parse_runs(text)
    with pytest.raises(ConfigurationError, match="'a=y' repeats a name"):
        parse_runs("a=x,a=y")


def test_runs_without_curves_raise(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="log has no training log"):
        learning_curves({"run": tmp_path})
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "log")) as board:
        board.add_scalar("rate/learning", 1.0, 1)
    with pytest.raises(ConfigurationError, match="log has no curve yet"):
        learning_curves({"run": tmp_path})


# Bases


def test_a_separator_and_a_vocoder_share_one_basis(folder: Path, tmp_path: Path, separator: Path) -> None:
    from basis_melgan.models import model_file

    model, config = model_file.load_separator(separator)
    generator = model_file.new_generator(config)
    generator.basis.load_state_dict(model.basis.state_dict())
    content = results()
    content["systems"][0]["source"] = str(tmp_path / "small.safetensors")
    model_file.save(
        tmp_path / "small.safetensors", "vocoder", generator.state_dict(), config, model_file.Origin(1, "x")
    )
    (tmp_path / "results.json").write_text(json.dumps(content), encoding="utf-8")
    (basis,) = basis_data(Comparison.load(tmp_path), separator)
    assert basis["names"] == [separator.stem, "small"]
    assert (basis["atoms"], basis["hertz"]) == (config.separator.atoms, 12_000)
    assert basis["seconds"] == FrameGeometry().basis_length / RATE
    atoms = model.basis.atoms.numpy()
    lowest = np.abs(np.fft.rfft(atoms, 512)).argmax(axis=1).argmin()
    np.testing.assert_allclose(basis["waveforms"][0]["values"], atoms[lowest], rtol=1e-2)
    assert gray(basis["image"]).shape == (257, config.separator.atoms)


def test_no_basis_without_a_model(folder: Path) -> None:
    assert basis_data(Comparison.load(folder), None) == []


# The file


def test_the_command_writes_one_self_contained_file(folder: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "new" / "report.html", make_run(tmp_path / "run", 20)
    assert main(["report", str(folder), str(out), "--runs", f"mine={run}", "--clips", "2"]) == 0
    data = page_data(out)
    assert [(clip["corpus"], clip["clip"]) for clip in data["clips"]] == [("one", "a"), ("two", "c")]
    assert data["summary"] == results()["summary"]
    assert data["data_hash"] == "abc</script>"
    assert (data["clip_count"], data["seconds"], data["corpora"]) == (3, pytest.approx(2.4), ["one", "two"])
    assert len(data["failures"]) == 3
    failure = {"system": "rough", "corpus": "two", "clip": "c", "metric": "MCD", "reason": "too rough"}
    assert data["failures"][2] == failure
    assert [curve["name"] for curve in data["curves"]] == ["validation/si_snr_noisy", "loss/total"]
    assert {peer["name"] for peer in data["peers"]} == {"Vocos", "HiFi-GAN V1", "HiFi-GAN V2", "iSTFTNet"}
    text = out.read_text(encoding="utf-8")
    markup = re.sub(r"<script.*?</script>|<style>.*?</style>", "", text, flags=re.DOTALL)
    assert re.findall(r"(?:src|href)=\"([^\"#][^\"]*)", markup) == ["data:,"]
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|@import|url\(", text)
    assert "default-src 'none'" in text
    assert sorted(path.name for path in out.parent.iterdir()) == ["report.html"]


def test_the_same_comparison_gives_the_same_file(folder: Path, tmp_path: Path) -> None:
    for name in ("a.html", "b.html"):
        write_report(folder, tmp_path / name, count=1)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_placeholders_in_data_are_not_replaced() -> None:
    assert '"data":"{{style}}"' in render_page({"data": "{{style}}"})


def test_an_existing_file_is_kept_without_force(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already; use --force to replace it"):
        write_report(folder, out)
    assert out.read_text(encoding="utf-8") == "mine"
    write_report(folder, out, count=1, force=True)
    assert page_data(out)["baseline"] == "small"


def test_unwritable_paths_raise(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder; name a file"):
        write_report(folder, tmp_path, force=True)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match=r"out\.html: cannot be created because .*file is a file; choose"):
        write_report(folder, tmp_path / "file" / "out.html", count=1)
