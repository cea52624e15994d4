"""Two processes, started by the commands a user would type, do what one does on the same global batch."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.numpy import load_file

from basis_melgan.audio import files
from basis_melgan.config.schema import AugmentationConfig, Config
from basis_melgan.corpus.prepare import prepare
from basis_melgan.training import separator as separator_stage
from basis_melgan.training import vocoder
from basis_melgan.training.decompose import decompose
from basis_melgan.training.vocoder import Sources

ROOT = Path(__file__).parents[2]
# What the entry point `basis-melgan` of an installed package looks like.
CONSOLE_SCRIPT = "import sys\nfrom basis_melgan.cli.main import main\nsys.exit(main())\n"


def changed(settings: Config, stage: str, **values: Any) -> Config:
    name = f"{stage}_training"
    return replace(settings, **{name: replace(getattr(settings, name), **values)})


@pytest.fixture(scope="module")
def settings(config: Config) -> Config:
    return changed(
        changed(config, "separator", batch_size=4), "vocoder", batch_size=4, adversarial_from=21, learning_rate=1e-4
    )


def run(command: list[str], settings: Config, folder: Path) -> str:
    """Run a command with two processes; returns what it prints."""
    yaml = folder / "settings.yaml"
    yaml.write_text(json.dumps(settings.to_dict()), encoding="utf-8")
    words = [sys.executable, *command, "--trainer.devices", "2", "--config", str(yaml)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    for name in ("LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"):
        environment.pop(name, None)
    result = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "distributed_backend=gloo" in result.stderr
    assert "2 processes" in result.stderr
    return result.stdout


def state(out: Path, *parts: str) -> dict[str, torch.Tensor]:
    """Weights of the modules and gradients' averages of the optimizers in a checkpoint."""
    found: dict[str, torch.Tensor] = {}
    whole = torch.load(out / "checkpoint.ckpt", weights_only=True)
    for part in parts:
        held = whole[part].get("state")
        values = whole[part] if held is None else {place: each["exp_avg"] for place, each in held.items()}
        found |= {f"{part}/{name}": value.double() for name, value in values.items() if name != "n_averaged"}
    return found


def distance(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> float:
    assert one.keys() == two.keys()
    return sum((value - two[name]).square().sum().item() for name, value in one.items()) ** 0.5


def size(one: dict[str, torch.Tensor]) -> float:
    return sum(value.square().sum().item() for value in one.values()) ** 0.5


def test_two_processes_train_the_separator_as_one(tmp_path: Path, settings: Config, corpus: Path) -> None:
    settings = changed(settings, "separator", steps=4)
    command = ["-m", "basis_melgan", "train-separator", str(corpus), str(tmp_path / "two")]
    printed = run(command, settings, tmp_path)
    assert printed.count("separator.safetensors") == 1  # one of the two speaks
    separator_stage.train(corpus, tmp_path / "one", settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("basis_melgan.training.schedule.noam", lambda *_: 0.0)
        separator_stage.train(corpus, tmp_path / "start", settings)
    one, two, start = (state(tmp_path / name, "model") for name in ("one", "two", "start"))
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, atol=1e-5, rtol=1e-5)
    assert distance(one, start) > 1e-3
    assert distance(one, two) < 1e-3 * distance(one, start)
    gradients = [state(tmp_path / name, "optimizer") for name in ("one", "two")]
    assert distance(*gradients) < 1e-4 * size(gradients[0])
    released = [load_file(tmp_path / name / "separator.safetensors")["basis.atoms"] for name in ("one", "two")]
    np.testing.assert_allclose(*released, atol=1e-4)


def released_kind(frame_rate: Config) -> Config:
    """The kind of generator that is released, its losses and its discriminators, at a tiny size."""
    weights = {"features/l1": 0.2, "adversarial/period": 0.1, "adversarial/wave": 0.0}
    training = frame_rate.vocoder_training
    return replace(
        frame_rate,
        generator=replace(frame_rate.generator, atoms=480, spacing="linear"),
        discriminators=replace(frame_rate.discriminators, scales=0, periods=(2, 3), period_channels=4),
        augmentation=AugmentationConfig(fraction=0.5, rate=(0.84, 1.19), level=(-12.0, 6.0), blur=(0.0, 1.0)),
        vocoder_training=replace(
            training,
            batch_size=4,
            adversarial_from=21,
            learning_rate=1e-4,
            loss_weights=training.loss_weights | weights,
        ),
    )


@pytest.mark.parametrize("kind", ["melgan", "convnext"])
def test_two_processes_train_the_vocoder_as_one(
    kind: str, tmp_path: Path, settings: Config, frame_rate: Config, corpus: Path, separator: Path
) -> None:
    """From a checkpoint on, one step of each phase. (From the start, rounding errors of biases that make no difference
    yet would be all their gradient, and Adam would take whole steps after them.)
    """
    words, sources = ["--separator", str(separator)], Sources(separator)
    if kind == "convnext":
        settings, words, sources = released_kind(frame_rate), [], Sources()
    vocoder.train(corpus, tmp_path / "one", sources, changed(settings, "vocoder", steps=20))
    for name in ("two", "start"):
        shutil.copytree(tmp_path / "one", tmp_path / name)
    settings = changed(settings, "vocoder", steps=22)
    script = tmp_path / "basis-melgan"
    script.write_text(CONSOLE_SCRIPT)
    run([str(script), "train-vocoder", str(corpus), str(tmp_path / "two"), *words], settings, tmp_path)
    vocoder.train(corpus, tmp_path / "one", sources, settings)
    for part, tolerance in (("generator", 3e-2), ("average", 3e-2), ("discriminators", 1e-3)):
        one, two, start = (state(tmp_path / name, part) for name in ("one", "two", "start"))
        assert distance(one, start) > 1e-5
        assert distance(one, two) < tolerance * distance(one, start), part
    # Adam lets rounding of the first step grow in the second.
    for part, tolerance in (("optimizer", 5e-3), ("discriminators_optimizer", 1e-3)):
        one, two = (state(tmp_path / name, part) for name in ("one", "two"))
        assert distance(one, two) < tolerance * size(one), part


def test_two_processes_decompose_as_one(tmp_path: Path, settings: Config, separator: Path) -> None:
    speech = files.read(sorted((ROOT / "examples" / "clips").glob("*.flac"))[0])[0]
    (tmp_path / "source").mkdir()
    for index in range(70):  # more than one shard holds
        soundfile.write(tmp_path / "source" / f"{index:02}.wav", speech[12_000 + 240 * index :][:7_300], 24_000)
    corpus = tmp_path / "corpus"
    prepare("folder", corpus, tmp_path / "source", settings, jobs=1)
    run(
        ["-m", "basis_melgan", "decompose", str(separator), str(corpus), str(tmp_path / "two")],
        settings,
        tmp_path,
    )
    decompose(separator, corpus, tmp_path / "one", settings.trainer)
    names = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert names == sorted(path.relative_to(tmp_path / "two") for path in (tmp_path / "two").rglob("*.*"))
    assert [name.as_posix() for name in names if name.parent.name == "shards"] == [
        "shards/00000.safetensors",
        "shards/00001.safetensors",
    ]
    for name in names:
        if name.suffix == ".json":
            assert (tmp_path / "one" / name).read_text() == (tmp_path / "two" / name).read_text()
            continue
        one, two = load_file(tmp_path / "one" / name), load_file(tmp_path / "two" / name)
        assert one.keys() == two.keys()
        for key, value in one.items():
            np.testing.assert_allclose(two[key].astype(np.float32), value.astype(np.float32), rtol=2e-3, atol=1e-5)
