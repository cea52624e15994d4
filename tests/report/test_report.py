"""The report: what it reads, what it shows of it, and how it refuses."""

import base64
import io
import json
import re
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
from basis_melgan.report import bases, clips, curves, pictures
from basis_melgan.report.comparison import ComparedClip, Comparison, failures, load
from basis_melgan.report.write import page, report

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
SYSTEMS = ("small", "rough", "recording")
CLIPS = (("one", "a"), ("one", "b"), ("two", "c"))
RATE = 24_000


def estimate(mean: float) -> dict[str, Any]:
    return {"mean": mean, "interval": [mean - 0.1, mean + 0.1], "clips": len(CLIPS)}


def results() -> dict[str, Any]:
    """A `results.json` of three systems on three clips of two corpora; one score is missing."""
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
        "data": "abc</script>",
        "baseline": "small",
        "columns": [
            {"name": "PESQ-WB", "unit": "", "higher_is_better": True},
            {"name": "MCD", "unit": "dB", "higher_is_better": False},
        ],
        "systems": [
            {"name": "small", "source": "small.safetensors", "parameters": 3_170_000, "gmac_per_second": 2.25},
            {"name": "rough", "source": "griffin-lim:1", "parameters": None, "gmac_per_second": None},
            {"name": "recording", "source": "recording", "parameters": None, "gmac_per_second": None},
        ],
        "clips": [
            {
                "corpus": corpus,
                "clip": clip,
                "seconds": 0.8,
                "scores": scores,
                "failures": {"rough": {"MCD": "too rough"}},
            }
            for corpus, clip in CLIPS
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


def comparison_of(folder: Path, content: dict[str, Any] | None = None) -> Path:
    """A folder such as `compare` leaves, of 0.8 s of three bundled clips."""
    for (corpus, clip), source in zip(CLIPS, EXAMPLES, strict=False):
        wave, rate = files.read(source, 24_000, round(0.8 * RATE))
        noise = np.random.default_rng(0).standard_normal(len(wave)).astype(np.float32)
        for place, system in enumerate(SYSTEMS):
            level = (0.003, 0.03, 0.0)[place]
            files.write(folder / "waves" / system / corpus / f"{clip}.wav", wave + level * noise, rate)
    (folder / "results.json").write_text(json.dumps(content or results()), encoding="utf-8")
    return folder


def log_of(run: Path, steps: int = 1000) -> Path:
    """A run with the log of a training."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(run / "log")) as board:
        for step in range(1, steps + 1):
            board.add_scalar("loss/total", 100.0 / step, step)
            board.add_scalar("rate/learning", 1e-3, step)
        board.add_scalar("validation/si_snr_noisy", 7.5, steps)
    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return comparison_of(tmp_path_factory.mktemp("comparison"))


def data_of(path: Path) -> dict[str, Any]:
    """What a report carries for its page."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', path.read_text("utf-8"), re.DOTALL)
    assert found
    return json.loads(found[1])


# Reading a comparison


def test_a_comparison_is_read_as_it_was_written(folder: Path) -> None:
    comparison = load(folder)
    assert comparison.systems == SYSTEMS
    assert [(clip.corpus, clip.clip) for clip in comparison.clips] == list(CLIPS)
    assert comparison.clips[0].scores["rough"] == {"PESQ-WB": 1.5}
    lost = failures(comparison.clips)
    assert len(lost) == 3
    assert lost[2] == {"system": "rough", "corpus": "two", "clip": "c", "metric": "MCD", "reason": "too rough"}


@pytest.mark.parametrize(
    ("keys", "value", "text"),
    [
        (("baseline",), None, "baseline is None, not str"),
        (("baseline",), "large", "baseline is 'large', none of the systems small, rough, recording"),
        (("columns",), [], "columns is empty"),
        (("columns", 1, "higher_is_better"), 1, "columns[1].higher_is_better is 1, not bool"),
        (("systems", 2, "name"), "small", "systems is naming one system twice"),
        (("systems", 0, "gmac_per_second"), "2", "systems[0].gmac_per_second is '2', not int or float or null"),
        (("clips", 0, "scores", "small", "MCD"), None, "clips[0].scores.small.MCD is None, not a number"),
        (("clips", 1, "failures", "rough"), [], "clips[1].failures.rough is list, not an object"),
        (("summary", "small", "all", "MCD"), {"mean": 1}, "summary.small.all.MCD.clips is missing"),
        (("summary", "small", "one"), 3, "summary.small.one is int, not an object"),
        (("differences", "rough", "all", "PESQ-WB", "interval"), [1], "interval is [1], not two numbers or null"),
        (("timing", "small", "mean"), "fast", "timing.small.mean is 'fast', not int or float"),
    ],
)
def test_what_is_not_as_it_should_be_is_named(
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
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    content = results()
    del content[key]
    (tmp_path / "results.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=rf"results.json: {key} is missing; run compare again"):
        load(tmp_path)


def test_other_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"holds no results.json; give the folder that `basis-melgan compare`"):
        load(tmp_path)
    (tmp_path / "results.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="cannot be read as JSON"):
        load(tmp_path)
    (tmp_path / "results.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="the file is list, not an object"):
        load(tmp_path)


def test_a_missing_wave_is_refused_unless_the_comparison_says_so(tmp_path: Path) -> None:
    content = results()
    content["clips"][0]["scores"] = {"small": {"PESQ-WB": 2.5}}
    content["clips"][0]["failures"] = {"rough": {"clip": "fell silent"}}
    comparison = load(comparison_of(tmp_path, content))
    for system in ("small", "rough"):
        (tmp_path / "waves" / system / "one" / "a.wav").unlink()
    assert comparison.wave("rough", comparison.clips[0]) is None
    with pytest.raises(AudioError, match=r"small/one/a.wav: no such wave, though results.json names it"):
        comparison.wave("small", comparison.clips[0])


lengths = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.3, 20.0)), min_size=1, max_size=12)


@given(lengths=lengths, count=st.integers(1, 14))
def test_clips_are_chosen_evenly_and_near_four_seconds(lengths: list[tuple[str, float]], count: int) -> None:
    every = tuple(ComparedClip(corpus, f"{n:02}", each, {}, {}) for n, (corpus, each) in enumerate(lengths))
    chosen = Comparison(Path(), {}, (), every).choose(count)
    assert len(chosen) == min(count, len(every))
    assert chosen == Comparison(Path(), {}, (), every[::-1]).choose(count)
    shares = {corpus: sum(clip.corpus == corpus for clip in chosen) for corpus, _ in lengths}
    wholes = {corpus: sum(clip.corpus == corpus for clip in every) for corpus in shares}
    open_ = [shares[corpus] for corpus in shares if shares[corpus] < wholes[corpus]]
    assert not open_ or max(shares.values()) - min(open_) <= 1
    for clip in [clip for clip in every if clip not in chosen]:
        assert all(abs(clip.seconds - 4) >= abs(other.seconds - 4) for other in chosen if other.corpus == clip.corpus)


def test_no_clips_to_listen_to_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="clips: 0 to listen to; show 1 or more"):
        load(folder).choose(0)


def test_clips_whose_recording_cannot_be_read_are_left_out() -> None:
    lost = ComparedClip("a", "lost", 4.0, {}, {"recording": {"clip": "cannot be read"}})
    good = ComparedClip("a", "good", 9.0, {}, {})
    assert Comparison(Path(), {}, (), (lost, good)).choose(2) == [good]
    with pytest.raises(ConfigurationError, match="none of its recordings can be read"):
        Comparison(Path(), {}, (), (lost,)).choose(2)


# Pictures and sounds


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100])
def test_a_tone_stands_where_it_sounds_at_every_rate(rate: int) -> None:
    wave = (0.5 * np.sin(2 * np.pi * 3000 * np.arange(rate) / rate)).astype(np.float32)
    found = pictures.levels(wave, rate)
    assert found.shape == (pictures.ROWS, -(-rate // round(0.01 * rate)))
    assert found[:, 5:-5].argmax(axis=0) == pytest.approx(3000 / (rate / 2) * pictures.ROWS, abs=1)
    doubled = pictures.levels(2 * wave, rate)
    assert doubled.max() - found.max() == pytest.approx(6.02, abs=0.01)


def gray(base64_text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(base64_text))).convert("L"))


def test_an_image_has_its_first_row_at_the_bottom_and_its_levels_in_range() -> None:
    ramp = np.linspace(-90, 10, 101, dtype=np.float32)[:, None].repeat(64, axis=1)
    values = gray(pictures.spectrogram(ramp, 0.0))[::-1].astype(float)
    expected = np.clip(ramp / 80 + 1, 0, 1) * 255
    assert values.shape == (101, 64)
    np.testing.assert_allclose(values, expected, atol=6)


def test_colors_climb_in_lightness() -> None:
    stops = [[int(color[place : place + 2], 16) for place in (1, 3, 5)] for color in pictures.colors()]
    lightness = np.asarray(stops) @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(lightness) > 0).all()


@pytest.mark.parametrize("rate", [16_000, 24_000, 44_100])
def test_mp3_sounds_like_the_wave(rate: int) -> None:
    wave = (0.5 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.float32)
    heard, found = soundfile.read(io.BytesIO(files.mp3(wave, rate)))
    assert found == rate
    assert len(heard) == pytest.approx(rate, abs=0.1 * rate)
    peak = np.abs(np.fft.rfft(heard)).argmax() * rate / len(heard)
    assert peak == pytest.approx(440, abs=2)
    assert heard[rate // 4 : rate // 2].std() == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_mp3_refuses_rates_that_it_does_not_know() -> None:
    with pytest.raises(AudioError, match=r"23456 Hz: cannot be MP3 .*; use 8, 16"):
        files.mp3(np.zeros(1000, np.float32), 23_456)


def test_of_a_long_clip_the_beginning_is_shown(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    comparison = load(folder)
    whole = clips.gather(comparison, comparison.clips[0])
    monkeypatch.setattr(clips, "SHOWN", 0.5)
    found = clips.gather(comparison, comparison.clips[0])
    assert (whole["seconds"], found["seconds"]) == (0.8, 0.5)
    for name, voice in found["voices"].items():
        assert gray(voice["spectrogram"]).shape == (pictures.ROWS, 50), name


def test_a_clip_carries_every_system_the_recording_first(folder: Path) -> None:
    comparison = load(folder)
    found = clips.gather(comparison, comparison.clips[0])
    assert list(found["voices"]) == ["recording", "small", "rough"]
    assert (found["seconds"], found["hertz"]) == (0.8, 12_000)
    spectra = {name: gray(voice["spectrogram"]).astype(float) for name, voice in found["voices"].items()}
    assert {picture.shape for picture in spectra.values()} == {(pictures.ROWS, 80)}
    means = {name: picture.mean() for name, picture in spectra.items()}
    assert means["recording"] < means["small"] < means["rough"]  # noise fills the pauses
    voiced = [hertz for hertz in found["voices"]["recording"]["pitch"] if hertz]
    assert 70 < np.median(voiced) < 250  # a man's voice
    assert len(found["voices"]["recording"]["pitch"]) == pytest.approx(81, abs=1)


# Curves


def test_curves_keep_their_means_and_their_gaps(tmp_path: Path) -> None:
    found = curves.gather({"first": log_of(tmp_path / "a"), "second": log_of(tmp_path / "b", 10)})
    assert [(curve["name"], curve["unit"]) for curve in found] == [
        ("validation/si_snr_noisy", "dB"),
        ("loss/total", ""),
    ]
    assert found[0]["series"] == [{"run": "first", "points": [(1000, 7.5)]}, {"run": "second", "points": [(10, 7.5)]}]
    long, short = (series["points"] for series in found[1]["series"])
    assert short == [(step, pytest.approx(100 / step, rel=1e-4)) for step in range(1, 11)]
    assert len(long) == curves.POINTS
    assert long[0] == (3, pytest.approx(np.mean([100 / step for step in range(1, 6)]), rel=1e-4))


def test_values_that_are_not_finite_are_gaps(tmp_path: Path) -> None:
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "log")) as board:
        for step, value in enumerate((1.0, float("nan"), 3.0)):
            board.add_scalar("loss/total", value, step)
    (curve,) = curves.gather({"run": tmp_path})
    assert curve["series"][0]["points"] == [(0, 1.0), (1, None), (2, 3.0)]


def test_runs_are_named_folders() -> None:
    assert curves.named_folders("a=x,b=y/z=1") == {"a": Path("x"), "b": Path("y/z=1")}
    for text in ("a", "=x", "a=", "a=x,"):
        with pytest.raises(ConfigurationError, match="is not NAME=FOLDER; write NAME=FOLDER,NAME=FOLDER"):
            curves.named_folders(text)
    with pytest.raises(ConfigurationError, match="'a=y' names a run again"):
        curves.named_folders("a=x,a=y")


def test_runs_without_curves_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="log holds no log of a training"):
        curves.gather({"run": tmp_path})
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "log")) as board:
        board.add_scalar("rate/learning", 1.0, 1)
    with pytest.raises(ConfigurationError, match="log holds no curve yet"):
        curves.gather({"run": tmp_path})


# Bases


def test_the_basis_of_a_separator_and_of_vocoders_that_share_it(folder: Path, tmp_path: Path, separator: Path) -> None:
    from basis_melgan.models import model_file

    model, config = model_file.load_separator(separator)
    generator = model_file.new_generator(config)
    generator.basis.load_state_dict(model.basis.state_dict())
    content = results()
    content["systems"][0]["source"] = str(tmp_path / "small.safetensors")
    model_file.save(
        tmp_path / "small.safetensors", "vocoder", generator.state_dict(), config, model_file.Origin(1, "x")
    )
    comparison = Comparison(folder, content, SYSTEMS, ())
    (basis,) = bases.gather(comparison, separator)
    assert basis["names"] == [separator.stem, "small"]
    assert (basis["signals"], basis["hertz"]) == (config.separator.atoms, 12_000)
    assert basis["seconds"] == FrameGeometry().basis_length / RATE
    signals = model.basis.atoms.numpy()
    lowest = np.abs(np.fft.rfft(signals, 512)).argmax(axis=1).argmin()
    np.testing.assert_allclose(basis["shapes"][0]["values"], signals[lowest], rtol=1e-2)
    assert gray(basis["picture"]).shape == (257, config.separator.atoms)


def test_no_basis_without_a_model(folder: Path) -> None:
    assert bases.gather(load(folder), None) == []


# The file


def test_the_command_writes_one_file_that_loads_nothing(folder: Path, tmp_path: Path) -> None:
    out, run = tmp_path / "new" / "report.html", log_of(tmp_path / "run", 20)
    assert main(["report", str(folder), str(out), "--runs", f"mine={run}", "--clips", "2"]) == 0
    data = data_of(out)
    assert [(clip["corpus"], clip["clip"]) for clip in data["clips"]] == [("one", "a"), ("two", "c")]
    assert data["summary"] == results()["summary"]
    assert data["data"] == "abc</script>"
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
        report(folder, tmp_path / name, count=1)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_text_that_looks_like_a_placeholder_stays_text() -> None:
    assert '"data":"{{style}}"' in page({"data": "{{style}}"})


def test_an_existing_file_stays_without_force(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    out.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="exists already; use --force to replace it"):
        report(folder, out)
    assert out.read_text(encoding="utf-8") == "mine"
    report(folder, out, count=1, force=True)
    assert data_of(out)["baseline"] == "small"


def test_places_that_cannot_be_written_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder; name a file"):
        report(folder, tmp_path, force=True)
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match=r"out\.html: cannot be made, since .*file is a file; choose"):
        report(folder, tmp_path / "file" / "out.html", count=1)
