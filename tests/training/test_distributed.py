"""Two processes, started from the command line, give the results of one on the same global batch."""

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
from basis_melgan.training.vocoder import VocoderInputs

ROOT = Path(__file__).parents[2]
# Like the entry point `basis-melgan` of an installed package.
CONSOLE_SCRIPT = "import sys\nfrom basis_melgan.cli.main import main\nsys.exit(main())\n"


def with_stage(settings: Config, stage: str, **values: Any) -> Config:
    name = f"{stage}_training"
    return replace(settings, **{name: replace(getattr(settings, name), **values)})


@pytest.fixture(scope="module")
def settings(config: Config) -> Config:
    return with_stage(
        with_stage(config, "separator", batch_size=4), "vocoder", batch_size=4, adversarial_from=21, learning_rate=1e-4
    )


def run(command: list[str], settings: Config, folder: Path) -> str:
    """Run a command with two processes; returns its standard output."""
    yaml = folder / "settings.yaml"
    yaml.write_text(json.dumps(settings.to_dict()), encoding="utf-8")
    argv = [sys.executable, *command, "--trainer.devices", "2", "--config", str(yaml)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    for name in ("LOCAL_RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT"):
        environment.pop(name, None)
    result = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "distributed_backend=gloo" in result.stderr
    assert "2 processes" in result.stderr
    return result.stdout


def state(out: Path, *parts: str) -> dict[str, torch.Tensor]:
    """Weights of modules and gradient averages of optimizers in a checkpoint."""
    tensors: dict[str, torch.Tensor] = {}
    checkpoint = torch.load(out / "checkpoint.ckpt", weights_only=True)
    for part in parts:
        optimizer_state = checkpoint[part].get("state")
        if optimizer_state is None:
            values = checkpoint[part]
        else:
            values = {index: entry["exp_avg"] for index, entry in optimizer_state.items()}
        tensors |= {f"{part}/{name}": value.double() for name, value in values.items() if name != "n_averaged"}
    return tensors


def distance(tensors: dict[str, torch.Tensor], other_tensors: dict[str, torch.Tensor]) -> float:
    assert tensors.keys() == other_tensors.keys()
    return sum((value - other_tensors[name]).square().sum().item() for name, value in tensors.items()) ** 0.5


def norm(tensors: dict[str, torch.Tensor]) -> float:
    return sum(value.square().sum().item() for value in tensors.values()) ** 0.5


def test_two_processes_train_a_separator_like_one(tmp_path: Path, settings: Config, corpus: Path) -> None:
    settings = with_stage(settings, "separator", steps=4)
    command = ["-m", "basis_melgan", "train-separator", str(corpus), str(tmp_path / "double")]
    output = run(command, settings, tmp_path)
    assert output.count("separator.safetensors") == 1  # only the first process prints
    separator_stage.train(corpus, tmp_path / "single", settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("basis_melgan.training.schedule.noam_factor", lambda *_: 0.0)
        separator_stage.train(corpus, tmp_path / "start", settings)
    single, double, start = (state(tmp_path / name, "model") for name in ("single", "double", "start"))
    for name, value in single.items():
        torch.testing.assert_close(double[name], value, atol=1e-5, rtol=1e-5)
    assert distance(single, start) > 1e-3
    assert distance(single, double) < 1e-3 * distance(single, start)
    gradients = [state(tmp_path / name, "optimizer") for name in ("single", "double")]
    assert distance(*gradients) < 1e-4 * norm(gradients[0])
    atoms = [load_file(tmp_path / name / "separator.safetensors")["basis.atoms"] for name in ("single", "double")]
    np.testing.assert_allclose(*atoms, atol=1e-4)


def pretrained_like(convnext: Config) -> Config:
    """Generator, losses and discriminators of the pretrained vocoders, at tiny sizes."""
    weights = {"features/l1": 0.2, "adversarial/period": 0.1, "adversarial/wave": 0.0}
    training = convnext.vocoder_training
    return replace(
        convnext,
        generator=replace(convnext.generator, atoms=480, spacing="linear"),
        discriminators=replace(convnext.discriminators, scales=0, periods=(2, 3), period_channels=4),
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
def test_two_processes_train_a_vocoder_like_one(
    kind: str, tmp_path: Path, settings: Config, convnext: Config, corpus: Path, separator: Path
) -> None:
    """One step of each phase from a checkpoint.

    Untrained biases without effect have gradients of rounding errors only, which Adam would amplify to full steps.
    """
    options, inputs = ["--separator", str(separator)], VocoderInputs(separator)
    if kind == "convnext":
        settings, options, inputs = pretrained_like(convnext), [], VocoderInputs()
    vocoder.train(corpus, tmp_path / "single", inputs, with_stage(settings, "vocoder", steps=20))
    for name in ("double", "start"):
        shutil.copytree(tmp_path / "single", tmp_path / name)
    settings = with_stage(settings, "vocoder", steps=22)
    script = tmp_path / "basis-melgan"
    script.write_text(CONSOLE_SCRIPT)
    run([str(script), "train-vocoder", str(corpus), str(tmp_path / "double"), *options], settings, tmp_path)
    vocoder.train(corpus, tmp_path / "single", inputs, settings)
    for part, tolerance in (("generator", 3e-2), ("average", 3e-2), ("discriminators", 1e-3)):
        single, double, start = (state(tmp_path / name, part) for name in ("single", "double", "start"))
        assert distance(single, start) > 1e-5
        assert distance(single, double) < tolerance * distance(single, start), part
    # Adam amplifies the rounding of the first step in the second.
    for part, tolerance in (("optimizer", 5e-3), ("discriminators_optimizer", 1e-3)):
        single, double = (state(tmp_path / name, part) for name in ("single", "double"))
        assert distance(single, double) < tolerance * norm(single), part


def test_two_processes_decompose_like_one(tmp_path: Path, settings: Config, separator: Path) -> None:
    speech = files.read(sorted((ROOT / "examples" / "clips").glob("*.flac"))[0])[0]
    (tmp_path / "source").mkdir()
    for index in range(70):  # more than one shard
        soundfile.write(tmp_path / "source" / f"{index:02}.wav", speech[12_000 + 240 * index :][:7_300], 24_000)
    corpus = tmp_path / "corpus"
    prepare("folder", corpus, tmp_path / "source", settings, jobs=1)
    run(
        ["-m", "basis_melgan", "decompose", str(separator), str(corpus), str(tmp_path / "double")],
        settings,
        tmp_path,
    )
    decompose(separator, corpus, tmp_path / "single", settings.trainer)
    names = sorted(path.relative_to(tmp_path / "single") for path in (tmp_path / "single").rglob("*.*"))
    assert names == sorted(path.relative_to(tmp_path / "double") for path in (tmp_path / "double").rglob("*.*"))
    assert [name.as_posix() for name in names if name.parent.name == "shards"] == [
        "shards/00000.safetensors",
        "shards/00001.safetensors",
    ]
    for name in names:
        if name.suffix == ".json":
            assert (tmp_path / "single" / name).read_text() == (tmp_path / "double" / name).read_text()
            continue
        single, double = load_file(tmp_path / "single" / name), load_file(tmp_path / "double" / name)
        assert single.keys() == double.keys()
        for key, value in single.items():
            np.testing.assert_allclose(double[key].astype(np.float32), value.astype(np.float32), rtol=2e-3, atol=1e-5)
