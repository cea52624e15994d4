"""All stages through the command line, on the bundled clips, at a very small size."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.cli.main import main
from basis_melgan.config.schema import Config
from basis_melgan.corpus import manifest
from basis_melgan.metrics.signal import stoi

CLIPS = Path(__file__).parents[1] / "examples" / "clips"


class Pipeline(NamedTuple):
    """Folders and files of the stages, and the settings behind them."""

    folder: Path
    settings: Path

    @property
    def corpus(self) -> Path:
        return self.folder / "corpus"

    @property
    def separator(self) -> Path:
        return self.folder / "separator" / "separator.safetensors"

    @property
    def decomposition(self) -> Path:
        return self.folder / "decomposition"

    @property
    def vocoder(self) -> Path:
        return self.folder / "vocoder" / "vocoder.safetensors"

    def commands(self) -> list[list[str]]:
        config = ["--config", str(self.settings)]
        return [
            ["prepare", "folder", str(self.corpus), "--source", str(CLIPS), "--jobs", "1", *config],
            ["train-separator", str(self.corpus), str(self.separator.parent), *config],
            ["decompose", str(self.separator), str(self.corpus), str(self.decomposition), *config],
            [
                "train-vocoder",
                str(self.corpus),
                str(self.vocoder.parent),
                *["--separator", str(self.separator), "--decomposition", str(self.decomposition)],
                *config,
            ],
        ]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory, config: Config) -> Pipeline:
    """The four stages, each run by its command."""
    folder = tmp_path_factory.mktemp("pipeline")
    small = replace(config, separator_training=replace(config.separator_training, steps=30))
    (folder / "settings.yaml").write_text(json.dumps(small.to_dict()), encoding="utf-8")
    made = Pipeline(folder, folder / "settings.yaml")
    for words in made.commands():
        assert main(words) == 0, words
    return made


def contents(folder: Path) -> dict[str, tuple[bytes, int]]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def test_each_stage_leaves_what_the_next_one_needs(pipeline: Pipeline) -> None:
    left = {name.split("/events")[0] for name in contents(pipeline.folder) if "/flac/" not in name}
    assert left == {
        "settings.yaml",
        *(f"corpus/{name}" for name in ("clips.jsonl", "corpus.json", "report.json", "sources.jsonl")),
        *(f"separator/{name}" for name in ("checkpoint.ckpt", "log", "separator.safetensors")),
        *(f"decomposition/{name}" for name in ("basis.safetensors", "run.json", "decomposition.json")),
        "decomposition/shards/00000.safetensors",
        *(f"vocoder/{name}" for name in ("checkpoint.ckpt", "log", "vocoder.safetensors")),
        "vocoder/vocoder.discriminators.safetensors",
    }


def test_running_all_of_it_again_changes_nothing(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    before = contents(pipeline.folder)
    for words in pipeline.commands():
        assert main(words) == 0, words
    assert contents(pipeline.folder) == before
    assert capsys.readouterr().out.count("trained to step") == 2


def test_a_mel_and_a_recording_are_spoken(
    pipeline: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = sorted(CLIPS.glob("*.flac"))[0]
    recording, rate = files.read(clip)
    mel = mel_spectrogram(recording, "paper", Config().frames)
    np.save(tmp_path / "mel.npy", mel)
    vocoder = ["--vocoder", str(pipeline.vocoder)]
    assert main(["vocode", str(tmp_path / "mel.npy"), str(tmp_path / "mel.wav"), *vocoder]) == 0
    assert main(["vocode", str(clip), str(tmp_path / "clip.wav"), *vocoder]) == 0
    spoken, spoken_rate = files.read(tmp_path / "mel.wav")
    assert (len(spoken), spoken_rate) == (mel.shape[1] * 240, rate)
    again, _ = files.read(tmp_path / "clip.wav")
    common = min(len(again), len(spoken)) - 2_400
    np.testing.assert_allclose(again[:common], spoken[:common], atol=2e-3)
    capsys.readouterr()
    assert main(["vocode", str(clip), str(tmp_path / "clip.wav"), *vocoder]) == 2
    assert "--force" in capsys.readouterr().err


def test_a_noisy_recording_is_separated(pipeline: Pipeline, tmp_path: Path) -> None:
    speech, rate = files.read(sorted(CLIPS.glob("*.flac"))[1])
    noise = 0.02 * np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    files.write(tmp_path / "noisy.wav", speech + noise, rate)
    words = ["separate", str(tmp_path / "noisy.wav"), str(tmp_path / "out"), "--separator", str(pipeline.separator)]
    assert main(words) == 0
    parts = {name: files.read(tmp_path / "out" / f"{name}.wav") for name in ("speech", "noise")}
    assert {(len(wave), its_rate) for wave, its_rate in parts.values()} == {(len(speech), rate)}
    estimate = parts["speech"][0]
    assert np.corrcoef(estimate, speech)[0, 1] > 0.5


def refusal(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The last line with which a command is refused."""
    capsys.readouterr()
    assert main(words) == 2
    return capsys.readouterr().err.rstrip().splitlines()[-1]


def test_a_changed_setting_is_refused_in_one_line(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    _, separator, _, vocoder = pipeline.commands()
    before = contents(pipeline.folder)
    said = refusal([*separator, "--separator.hidden", "25"], capsys)
    assert said.startswith(
        f"basis-melgan: {pipeline.folder}/separator/checkpoint.ckpt: separator.hidden was 24, now 25;"
    )
    said = refusal([*vocoder, "--vocoder_training.crop_frames", "12"], capsys)
    assert "vocoder_training.crop_frames was 10, now 12; use the same setting, another run folder, or --force" in said
    assert contents(pipeline.folder) == before


def test_a_file_of_another_kind_is_refused_in_one_line(
    pipeline: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["decompose", str(pipeline.vocoder), str(pipeline.corpus), str(tmp_path / "out")]
    assert refusal(words, capsys) == f"basis-melgan: {pipeline.vocoder}: holds a vocoder; expected a separator"
    words = ["train-vocoder", str(pipeline.corpus), str(tmp_path / "out"), "--separator", str(pipeline.corpus)]
    assert "corpus: neither a file nor a model that comes with this package" in refusal(words, capsys)


def test_a_training_that_ends_in_silence_says_so(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    """One of no more than six steps of the paper's generator, which begins in silence."""
    capsys.readouterr()
    assert main([*pipeline.commands()[-1], "--force"]) == 0
    assert re.search(
        r"its output is \d+ dB below the recordings, so the training has not converged;", capsys.readouterr().out
    )


def test_the_preset_of_the_pipeline_can_be_understood(
    tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a thirtieth of its steps; `make pipeline` takes them all, over a basis that it has learned."""
    short = ["--config", "tiny", "--vocoder_training.steps", "20", "--vocoder_training.batch_size", "4"]
    assert main(["train-vocoder", str(corpus), str(tmp_path / "vocoder"), *short]) == 0
    assert "has not converged" not in capsys.readouterr().out
    vocoder = tmp_path / "vocoder" / "vocoder.safetensors"
    (_, clip), *_ = manifest.load_clips(manifest.load(corpus), "test")
    recording, rate = files.read(corpus / clip.file)
    assert main(["vocode", str(corpus / clip.file), str(tmp_path / "out.wav"), "--vocoder", str(vocoder)]) == 0
    spoken, _ = files.read(tmp_path / "out.wav")
    assert stoi(recording, spoken, rate) > 0.7  # 0.9 was seen
    assert main(["export", str(vocoder), str(tmp_path / "vocoder.onnx")]) == 0
