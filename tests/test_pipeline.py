"""The pipeline through the command line: all stages on the example clips with small models."""

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
    """Folders and files of the stages, and their settings file."""

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
    """The outputs of the four stages, each run by its command."""
    folder = tmp_path_factory.mktemp("pipeline")
    small = replace(config, separator_training=replace(config.separator_training, steps=30))
    (folder / "settings.yaml").write_text(json.dumps(small.to_dict()), encoding="utf-8")
    stages = Pipeline(folder, folder / "settings.yaml")
    for command in stages.commands():
        assert main(command) == 0, command
    return stages


def folder_content(folder: Path) -> dict[str, tuple[bytes, int]]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}


def test_stages_write_the_expected_files(pipeline: Pipeline) -> None:
    names = {name.split("/events")[0] for name in folder_content(pipeline.folder) if "/flac/" not in name}
    assert names == {
        "settings.yaml",
        *(f"corpus/{name}" for name in ("clips.jsonl", "corpus.json", "report.json", "sources.jsonl")),
        *(f"separator/{name}" for name in ("checkpoint.ckpt", "log", "separator.safetensors")),
        *(f"decomposition/{name}" for name in ("basis.safetensors", "run.json", "decomposition.json")),
        "decomposition/shards/00000.safetensors",
        *(f"vocoder/{name}" for name in ("checkpoint.ckpt", "log", "vocoder.safetensors")),
        "vocoder/vocoder.discriminators.safetensors",
    }


def test_rerun_changes_nothing(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    content = folder_content(pipeline.folder)
    for command in pipeline.commands():
        assert main(command) == 0, command
    assert folder_content(pipeline.folder) == content
    assert capsys.readouterr().out.count("trained to step") == 2


def test_mel_and_recording_are_synthesized(
    pipeline: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = sorted(CLIPS.glob("*.flac"))[0]
    recording, rate = files.read(clip)
    mel = mel_spectrogram(recording, "paper", Config().frames)
    np.save(tmp_path / "mel.npy", mel)
    vocoder = ["--vocoder", str(pipeline.vocoder)]
    assert main(["vocode", str(tmp_path / "mel.npy"), str(tmp_path / "mel.wav"), *vocoder]) == 0
    assert main(["vocode", str(clip), str(tmp_path / "clip.wav"), *vocoder]) == 0
    mel_wave, mel_wave_rate = files.read(tmp_path / "mel.wav")
    assert (len(mel_wave), mel_wave_rate) == (mel.shape[1] * 240, rate)
    clip_wave, _ = files.read(tmp_path / "clip.wav")
    common = min(len(clip_wave), len(mel_wave)) - 2_400
    np.testing.assert_allclose(clip_wave[:common], mel_wave[:common], atol=2e-3)
    capsys.readouterr()
    assert main(["vocode", str(clip), str(tmp_path / "clip.wav"), *vocoder]) == 2
    assert "--force" in capsys.readouterr().err


def test_noisy_recording_is_separated(pipeline: Pipeline, tmp_path: Path) -> None:
    speech, rate = files.read(sorted(CLIPS.glob("*.flac"))[1])
    noise = 0.02 * np.random.default_rng(0).standard_normal(len(speech)).astype(np.float32)
    files.write(tmp_path / "noisy.wav", speech + noise, rate)
    command = ["separate", str(tmp_path / "noisy.wav"), str(tmp_path / "out"), "--separator", str(pipeline.separator)]
    assert main(command) == 0
    estimates = {name: files.read(tmp_path / "out" / f"{name}.wav") for name in ("speech", "noise")}
    assert {(len(wave), estimate_rate) for wave, estimate_rate in estimates.values()} == {(len(speech), rate)}
    assert np.corrcoef(estimates["speech"][0], speech)[0, 1] > 0.5


def error_line(command: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """Return the last error line of a command that is refused."""
    capsys.readouterr()
    assert main(command) == 2
    return capsys.readouterr().err.rstrip().splitlines()[-1]


def test_changed_setting_is_refused_in_one_line(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    _, separator, _, vocoder = pipeline.commands()
    content = folder_content(pipeline.folder)
    line = error_line([*separator, "--separator.hidden", "25"], capsys)
    assert line.startswith(
        f"basis-melgan: {pipeline.folder}/separator/checkpoint.ckpt: separator.hidden was 24, now 25;"
    )
    line = error_line([*vocoder, "--vocoder_training.crop_frames", "12"], capsys)
    assert "vocoder_training.crop_frames was 10, now 12; use the same setting, another run folder, or --force" in line
    assert folder_content(pipeline.folder) == content


def test_model_of_another_kind_is_refused_in_one_line(
    pipeline: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["decompose", str(pipeline.vocoder), str(pipeline.corpus), str(tmp_path / "out")]
    assert error_line(command, capsys) == f"basis-melgan: {pipeline.vocoder}: holds a vocoder; expected a separator"
    command = ["train-vocoder", str(pipeline.corpus), str(tmp_path / "out"), "--separator", str(pipeline.corpus)]
    assert "corpus: neither a file nor a model that comes with this package" in error_line(command, capsys)


def test_training_that_ends_in_silence_is_reported(pipeline: Pipeline, capsys: pytest.CaptureFixture[str]) -> None:
    """Six steps of the MelGAN generator, which is silent at initialization."""
    capsys.readouterr()
    assert main([*pipeline.commands()[-1], "--force"]) == 0
    assert re.search(
        r"its output is \d+ dB below the recordings, so the training has not converged;", capsys.readouterr().out
    )


def test_tiny_preset_is_intelligible_after_a_short_training(
    tmp_path: Path, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """After a thirtieth of its steps; `make pipeline` runs all of them with a learned basis."""
    short = ["--config", "tiny", "--vocoder_training.steps", "20", "--vocoder_training.batch_size", "4"]
    assert main(["train-vocoder", str(corpus), str(tmp_path / "vocoder"), *short]) == 0
    assert "has not converged" not in capsys.readouterr().out
    vocoder = tmp_path / "vocoder" / "vocoder.safetensors"
    (_, clip), *_ = manifest.load_clips(manifest.load(corpus), "test")
    recording, rate = files.read(corpus / clip.file)
    assert main(["vocode", str(corpus / clip.file), str(tmp_path / "out.wav"), "--vocoder", str(vocoder)]) == 0
    estimate, _ = files.read(tmp_path / "out.wav")
    assert stoi(recording, estimate, rate) > 0.7  # about 0.9 when measured
    assert main(["export", str(vocoder), str(tmp_path / "vocoder.onnx")]) == 0
