"""Both stages on real clips: they learn, resume bit for bit, and stop at a loss that is not finite."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from short_trainings import (
    board,
    improvement,
    parameters,
    separator_task,
    train_on_one_batch,
    vocoder_task,
    with_settings,
)

from basis_melgan import progress
from basis_melgan.audio import files
from basis_melgan.config.schema import Config, TrainerConfig
from basis_melgan.corpus import manifest
from basis_melgan.errors import ConfigurationError, CorpusError, ModelFileError, TrainingError
from basis_melgan.models import model_file
from basis_melgan.training import losses
from basis_melgan.training.trainer import fit, has_native_bf16, require_finite

STAGES = ["separator", "vocoder"]


def checkpoint(out: Path) -> dict[str, Any]:
    return torch.load(out / "checkpoint.ckpt", weights_only=True)


def leaves(tree: Any, prefix: str = "") -> dict[str, Any]:
    """All values in a checkpoint by path, without its identity."""
    if isinstance(tree, Mapping):
        parts = [leaves(value, f"{prefix}/{key}") for key, value in tree.items() if key != "identity"]
    elif isinstance(tree, list | tuple):
        parts = [leaves(value, f"{prefix}/{index}") for index, value in enumerate(tree)]
    else:
        return {prefix: tree}
    return {path: leaf for part in parts for path, leaf in part.items()}


def equal(value: Any, other_value: Any) -> bool:
    return torch.equal(value, other_value) if isinstance(value, torch.Tensor) else value == other_value


def differences(state: dict[str, Any], other_state: dict[str, Any]) -> list[str]:
    """Paths of the leaves that are in one checkpoint only or not equal bit for bit."""
    values, other_values = leaves(state), leaves(other_state)
    equal_paths = {path for path in values.keys() & other_values.keys() if equal(values[path], other_values[path])}
    return sorted((values.keys() | other_values.keys()) - equal_paths)


# Resume


@pytest.mark.parametrize("stage", STAGES)
def test_resumed_training_equals_uninterrupted_one_bit_for_bit(
    stage: str, tmp_path: Path, config: Config, train
) -> None:
    uninterrupted = train(stage, tmp_path / "uninterrupted", config)
    train(stage, tmp_path / "resumed", config, steps=3)
    halfway = checkpoint(tmp_path / "resumed")
    assert halfway["step"] == 3
    in_parallel = replace(
        config, trainer=replace(config.trainer, workers=1)
    )  # items do not depend on the loading process
    resumed = train(stage, tmp_path / "resumed", in_parallel)
    assert checkpoint(resumed)["step"] == 6
    assert differences(checkpoint(uninterrupted), checkpoint(resumed)) == []
    changes = differences(checkpoint(uninterrupted), halfway)
    sections = {path.split("/")[1] for path in changes}
    expected = {"model", "optimizer"}
    if stage == "vocoder":  # the adversarial phase starts at step 4
        expected = {"generator", "average", "discriminators", "optimizer", "discriminators_optimizer"}
    assert sections == expected | {"step"}
    name = f"{stage}.safetensors"
    assert (uninterrupted / name).read_bytes()[-10_000:] == (resumed / name).read_bytes()[-10_000:]


@pytest.mark.parametrize("stage", STAGES)
def test_complete_training_is_left_unchanged(
    stage: str, tmp_path: Path, config: Config, train, capsys: pytest.CaptureFixture[str]
) -> None:
    out = train(stage, tmp_path, config, steps=2)
    before = (out / "checkpoint.ckpt").read_bytes()
    train(stage, tmp_path, config, steps=2)
    assert "already trained to step 2; increase steps to continue" in capsys.readouterr().out
    assert (out / "checkpoint.ckpt").read_bytes() == before
    model = out / f"{stage}.safetensors"
    weights = model.read_bytes()[-10_000:]  # the header before the weights has no fixed order
    modified = model.stat().st_mtime_ns
    train(stage, tmp_path, config, steps=2)
    assert model.stat().st_mtime_ns == modified
    model.unlink()
    train(stage, tmp_path, config, steps=2)
    assert model.read_bytes()[-10_000:] == weights
    train(stage, tmp_path / "earlier", config, steps=1)  # like an interruption between saving checkpoint and model
    shutil.copy(tmp_path / "earlier" / model.name, model)
    train(stage, tmp_path, config, steps=2)
    assert model.read_bytes()[-10_000:] == weights
    train(stage, tmp_path, config, steps=1, force=True)
    assert checkpoint(out)["step"] == 1


@pytest.mark.parametrize("stage", STAGES)
def test_changed_setting_is_named_when_resuming(stage: str, tmp_path: Path, config: Config, train) -> None:
    out = train(stage, tmp_path, config, steps=1)
    before = (out / "checkpoint.ckpt").read_bytes()
    with pytest.raises(TrainingError, match=rf"{stage}_training\.batch_size was 2, now 4; use the same setting"):
        train(stage, tmp_path, config, batch_size=4)
    with pytest.raises(ConfigurationError, match=rf"{stage}_training\.validate_every: 0; use 1 or more"):
        train(stage, tmp_path, config, validate_every=0)
    section, values = ("separator", {"hidden": 30}) if stage == "separator" else ("generator", {"stacks": 2})
    (key,) = values
    with pytest.raises(TrainingError, match=rf"{section}\.{key} was .*, now .*; use the same setting"):
        train(stage, tmp_path, with_settings(config, section, **values))
    assert (out / "checkpoint.ckpt").read_bytes() == before


@pytest.mark.parametrize("stage", STAGES)
def test_damaged_checkpoint_stops_the_training(stage: str, tmp_path: Path, config: Config, train) -> None:
    out = train(stage, tmp_path, config, steps=1)
    content = (out / "checkpoint.ckpt").read_bytes()
    (out / "checkpoint.ckpt").write_bytes(content[: len(content) // 2])
    with pytest.raises(TrainingError, match=r"checkpoint\.ckpt: cannot be resumed .*; start over with --force"):
        train(stage, tmp_path, config)
    train(stage, tmp_path, config, steps=1, force=True)
    assert (out / "checkpoint.ckpt").read_bytes() == content


def test_changed_corpus_stops_the_training(tmp_path: Path, config: Config, corpus: Path, train) -> None:
    out = train("separator", tmp_path / "run", config, steps=1)
    (prepared,) = manifest.load(corpus)
    smaller = replace(prepared, clips=prepared.clips[1:], folder=tmp_path / "smaller")
    smaller.folder.mkdir()
    (smaller.folder / "flac").symlink_to(prepared.folder / "flac")
    manifest.save(smaller)
    with pytest.raises(TrainingError, match=r"was trained with another data .*; use the same data"):
        train("separator", out, config, corpus=smaller.folder, steps=1)


# Learning


# Bounds are half of the smallest improvement over six seeds and all instruction sets of `make test-isa`.


@pytest.mark.parametrize("loss", ["si-snr", "pit-si-snr"])
def test_separator_overfits_one_batch(loss: str, tmp_path: Path, config: Config, corpus: Path) -> None:
    config = with_settings(config, "mixture", clean_fraction=0.0, snr=(0.0, 0.0))
    config = with_settings(config, "separator_training", loss=loss, steps=120, warmup_steps=60)
    logs = train_on_one_batch(separator_task(corpus, tmp_path, config), 120)
    assert improvement([entry[f"loss/{loss}"] for entry in logs]) > 14.0  # dB; observed: 30 to 52


def test_vocoder_overfits_one_batch(tmp_path: Path, config: Config, corpus: Path, separator: Path) -> None:
    config = with_settings(config, "vocoder_training", adversarial_from=1_000, learning_rate=1e-2, steps=150)
    logs = train_on_one_batch(vocoder_task(corpus, separator, tmp_path, config), 150)
    assert improvement([entry["stft/convergence"] + entry["stft/log_magnitude"] for entry in logs]) > 0.45


def test_saved_separator_has_unit_gain_for_clean_speech(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    model, saved_config = model_file.load_separator(separator)
    assert saved_config.separator == config.separator
    products = energies = 0.0
    for path, clip in manifest.load_clips(manifest.load(corpus), "validation"):
        speech = torch.from_numpy(files.read(path, 0, min(clip.samples, 4 * 24_000))[0]).double()
        estimate = model(speech.float()[None]).waves[0, 0].double()
        assert losses.si_snr(estimate, speech) > 2.5  # observed: 5; without correlation the gain would be meaningless
        products, energies = products + float(estimate @ speech), energies + float(estimate @ estimate)
    assert products / energies == pytest.approx(1.0, abs=1e-4)


def test_saved_separator_has_speech_first_with_a_permutation_invariant_loss(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    state, saved_config = model_file.read(separator, "separator")
    swapped = state | {"masker.masks.weight": state["masker.masks.weight"].unflatten(0, (2, -1)).flip(0).flatten(0, 1)}
    task = separator_task(corpus, tmp_path, with_settings(saved_config, "separator_training", loss="pit-si-snr"))
    for weights in (state, swapped):
        task.separator.load_state_dict(weights)
        task.save_model(1)
        saved_state = model_file.read(task.path, "separator")[0]
        torch.testing.assert_close(saved_state["masker.masks.weight"], state["masker.masks.weight"])


def test_separator_with_silent_output_keeps_its_scale(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    state, saved_config = model_file.read(separator, "separator")
    task = separator_task(corpus, tmp_path, saved_config)
    task.separator.load_state_dict(state | {"masker.masks.weight": torch.zeros_like(state["masker.masks.weight"])})
    task.save_model(1)
    saved_state = model_file.read(task.path, "separator")[0]
    torch.testing.assert_close(saved_state["basis.atoms"], state["basis.atoms"])


def test_board_shows_a_separators_training(tmp_path: Path, config: Config, train) -> None:
    events = board(train("separator", tmp_path, config, steps=2))
    assert {
        "loss/si-snr",
        "rate/learning",
        "rate/gradient_norm",
        "time/steps_per_second",
        "validation/si_snr_noisy",
        "validation/si_snr_improvement",
        "validation/si_snr_clean",
    } == set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("loss/si-snr")] == [1, 2]
    assert events.Tags()["images"] == ["basis"]
    audio = ["audio/mixture", "audio/speech_from_mixture", "audio/speech_from_clean"]
    assert sorted(events.Tags()["audio"]) == sorted(audio)
    noisy, improvement_db = (events.Scalars(f"validation/si_snr_{name}")[0].value for name in ("noisy", "improvement"))
    assert noisy - improvement_db == pytest.approx(-4.0, abs=0.1)  # the SNR of validation mixtures


@pytest.mark.parametrize("stage", STAGES)
def test_redirected_log_shows_steps_losses_and_validation(
    stage: str, tmp_path: Path, config: Config, train, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE_SECONDS", 0.0)
    monkeypatch.setattr(progress, "LINE_INTERVAL_SECONDS", 0.0)
    capsys.readouterr()
    train(stage, tmp_path, config, steps=4, validate_every=2)
    lines = capsys.readouterr().err.splitlines()
    loss, score = {"separator": ("si-snr", "si_snr_noisy"), "vocoder": ("total", "stft/convergence")}[stage]
    steps = [line for line in lines if " of 4, " in line]
    assert [line.split()[1] for line in steps] == ["1", "2", "3", "4"]
    assert all(re.search(rf"/s, \d+:\d\d:\d\d left; {loss} -?\d+\.\d{{3}}", line) for line in steps)
    validations = [line for line in lines if "validation" in line]
    assert [re.match(rf"step (\d): validation {score} -?\d+\.\d{{3}}", line)[1] for line in validations] == ["2", "4"]


def test_resumed_training_keeps_earlier_events_on_the_board(tmp_path: Path, config: Config, train) -> None:
    for steps in (2, 4):
        train("separator", tmp_path, config, steps=steps)
    events = board(tmp_path)
    assert [event.step for event in events.Scalars("rate/learning")] == [1, 2, 3, 4]
    assert [event.step for event in events.Scalars("validation/si_snr_clean")] == [2, 4]


def test_board_shows_both_phases_of_a_vocoder(tmp_path: Path, config: Config, train) -> None:
    events = board(train("vocoder", tmp_path, config, steps=6))
    steps = {name: [event.step for event in events.Scalars(name)] for name in events.Tags()["scalars"]}
    for name in ("loss/total", "stft/convergence", "stft/log_magnitude", "rate/learning", "rate/gradient_norm"):
        assert steps.pop(name) == [1, 2, 3, 4, 5, 6]
    assert steps.pop("weights/l1") == [1, 2, 3, 4]  # steps 0 to 3
    for name in ("adversarial/wave", "adversarial/stft", "loss/discriminators"):
        assert steps.pop(name) == [5, 6]
    scores = {f"validation/{name}" for name in ("stft/convergence", "stft/log_magnitude", "level")}
    assert set(steps) == {"time/steps_per_second", *scores}
    assert events.Tags()["images"] == ["spectrograms"]
    assert sorted(events.Tags()["audio"]) == ["audio/output", "audio/recording"]


@pytest.mark.parametrize("stage", STAGES)
def test_corpus_of_another_sample_rate_is_refused(
    stage: str, tmp_path: Path, config: Config, corpus: Path, train
) -> None:
    (prepared,) = manifest.load(corpus)
    resampled = replace(prepared, folder=tmp_path / "corpus", sample_rate=16_000)
    resampled.folder.mkdir()
    (resampled.folder / "flac").symlink_to(prepared.folder / "flac")
    manifest.save(resampled)
    with pytest.raises(CorpusError, match=r"prepared at 16000 Hz, but frames\.sample_rate is 24000"):
        train(stage, tmp_path / "run", config, corpus=resampled.folder)


# Failures


def test_loss_that_is_not_finite_is_named_with_step_and_clips() -> None:
    finite = {"a": torch.tensor(1.0)}
    require_finite(finite, 3, ["x"])
    for value in (float("nan"), float("inf")):
        with pytest.raises(TrainingError, match=rf"b/c is {value} at step 3, on one@5, two@7; check these clips"):
            require_finite({**finite, "b/c": torch.tensor(value)}, 3, ["one@5", "two@7"])


def test_diverging_separator_stops_with_finite_weights(
    tmp_path: Path, config: Config, train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("basis_melgan.training.schedule.noam_factor", lambda step, *_: 1e30 if step >= 2 else 1e-3)
    with pytest.raises(TrainingError, match=r"(loss/si-snr|gradient norm) is \S+ at step \d, on ru_\d+@\d+, ru_\d+@"):
        train("separator", tmp_path, config, validate_every=2)
    values = leaves(checkpoint(tmp_path))
    assert values["/step"] == 2
    assert all(bool(leaf.isfinite().all()) for leaf in values.values() if isinstance(leaf, torch.Tensor))


def test_gradient_that_is_not_finite_does_not_reach_the_weights(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    weights = {**config.vocoder_training.loss_weights, "stft/convergence": float("inf")}
    task = vocoder_task(corpus, separator, tmp_path, with_settings(config, "vocoder_training", loss_weights=weights))
    before = parameters(task.generator.module)
    with pytest.raises(TrainingError, match=r"gradient norm is nan at step 0, on ru_\d+@\d+, ru_\d+@\d+"):
        train_on_one_batch(task, 1)
    assert all(torch.equal(value, before[name]) for name, value in parameters(task.generator.module).items())


def test_cpu_precision_does_not_depend_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu_support = has_native_bf16("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not cpu_support)
    assert has_native_bf16("cpu") is cpu_support
    assert has_native_bf16("auto") is has_native_bf16("cuda") is not cpu_support


def test_batch_size_must_be_divisible_by_the_process_count(tmp_path: Path, config: Config, corpus: Path) -> None:
    task = separator_task(corpus, tmp_path, with_settings(config, "separator_training", batch_size=3))
    with pytest.raises(ConfigurationError, match="3 crops cannot be divided among 2 processes"):
        fit(task, SimpleNamespace(world_size=2), TrainerConfig(), task.run)


@pytest.mark.parametrize("stage", STAGES)
def test_failed_start_with_force_keeps_an_earlier_training(stage: str, tmp_path: Path, config: Config, train) -> None:
    out = train(stage, tmp_path, config, steps=1)
    before = (out / "checkpoint.ckpt").read_bytes()
    missing = tmp_path / "missing"
    if stage == "separator":
        config = with_settings(config, "mixture", noises=("recorded",), recorded=str(missing))
    with pytest.raises((CorpusError, ModelFileError), match="missing"):
        train(stage, tmp_path, config, init_from=missing, force=True)
    assert (out / "checkpoint.ckpt").read_bytes() == before
