"""Both stages, trained for a few steps on real clips: they learn, resume bit for bit, and stop when a loss breaks."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from short_trainings import board, improvement, on_one_batch, parameters, separator_task, vocoder_task, with_settings

from basis_melgan import progress
from basis_melgan.audio import files
from basis_melgan.config.schema import Config, TrainerConfig
from basis_melgan.corpus import manifest
from basis_melgan.errors import ConfigurationError, CorpusError, ModelFileError, TrainingError
from basis_melgan.models import model_file
from basis_melgan.training import losses
from basis_melgan.training.trainer import fit, native_bf16, require_finite

STAGES = ["separator", "vocoder"]


def checkpoint(out: Path) -> dict[str, Any]:
    return torch.load(out / "checkpoint.ckpt", weights_only=True)


def leaves(tree: Any, prefix: str = "") -> dict[str, Any]:
    """Everything in a checkpoint's state, by its path; what says where it is from left out."""
    if isinstance(tree, Mapping):
        parts = [leaves(value, f"{prefix}/{key}") for key, value in tree.items() if key != "identity"]
    elif isinstance(tree, list | tuple):
        parts = [leaves(value, f"{prefix}/{place}") for place, value in enumerate(tree)]
    else:
        return {prefix: tree}
    return {path: leaf for part in parts for path, leaf in part.items()}


def equal(one: Any, two: Any) -> bool:
    return torch.equal(one, two) if isinstance(one, torch.Tensor) else one == two


def different(one: dict[str, Any], two: dict[str, Any]) -> list[str]:
    """Paths of the leaves that only one has, or that are not the same to the last bit."""
    ours, theirs = leaves(one), leaves(two)
    shared = ours.keys() & theirs.keys()
    same = {path for path in shared if equal(ours[path], theirs[path])}
    return sorted((ours.keys() | theirs.keys()) - same)


# Resume


@pytest.mark.parametrize("stage", STAGES)
def test_a_resumed_training_ends_bit_for_bit_where_a_straight_one_does(
    stage: str, tmp_path: Path, config: Config, train
) -> None:
    straight = train(stage, tmp_path / "straight", config)
    train(stage, tmp_path / "resumed", config, steps=3)
    halfway = checkpoint(tmp_path / "resumed")
    assert halfway["step"] == 3
    in_parallel = replace(config, trainer=replace(config.trainer, workers=1))  # items do not depend on who reads them
    resumed = train(stage, tmp_path / "resumed", in_parallel)
    assert checkpoint(resumed)["step"] == 6
    assert different(checkpoint(straight), checkpoint(resumed)) == []
    moved = different(checkpoint(straight), halfway)
    sections = {path.split("/")[1] for path in moved}
    expected = {"model", "optimizer"}
    if stage == "vocoder":  # step 4 began the adversarial phase, which the first three steps had not seen
        expected = {"generator", "average", "discriminators", "optimizer", "discriminators_optimizer"}
    assert sections == expected | {"step"}
    name = f"{stage}.safetensors"
    assert (straight / name).read_bytes()[-10_000:] == (resumed / name).read_bytes()[-10_000:]


@pytest.mark.parametrize("stage", STAGES)
def test_a_finished_training_is_left_as_it_is(
    stage: str, tmp_path: Path, config: Config, train, capsys: pytest.CaptureFixture[str]
) -> None:
    out = train(stage, tmp_path, config, steps=2)
    before = (out / "checkpoint.ckpt").read_bytes()
    train(stage, tmp_path, config, steps=2)
    assert "trained to step 2 already; raise the number of steps to go on" in capsys.readouterr().out
    assert (out / "checkpoint.ckpt").read_bytes() == before
    model = out / f"{stage}.safetensors"
    released = model.read_bytes()[-10_000:]  # the order of what stands before the weights is any
    stamp = model.stat().st_mtime_ns
    train(stage, tmp_path, config, steps=2)
    assert model.stat().st_mtime_ns == stamp
    model.unlink()
    train(stage, tmp_path, config, steps=2)
    assert model.read_bytes()[-10_000:] == released
    train(stage, tmp_path / "earlier", config, steps=1)  # as if interrupted between checkpoint and model
    shutil.copy(tmp_path / "earlier" / model.name, model)
    train(stage, tmp_path, config, steps=2)
    assert model.read_bytes()[-10_000:] == released
    train(stage, tmp_path, config, steps=1, force=True)
    assert checkpoint(out)["step"] == 1


@pytest.mark.parametrize("stage", STAGES)
def test_a_changed_setting_is_named_when_resuming(stage: str, tmp_path: Path, config: Config, train) -> None:
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
def test_a_damaged_checkpoint_stops_the_training(stage: str, tmp_path: Path, config: Config, train) -> None:
    out = train(stage, tmp_path, config, steps=1)
    content = (out / "checkpoint.ckpt").read_bytes()
    (out / "checkpoint.ckpt").write_bytes(content[: len(content) // 2])
    with pytest.raises(TrainingError, match=r"checkpoint\.ckpt: cannot be resumed .*; start afresh with --force"):
        train(stage, tmp_path, config)
    train(stage, tmp_path, config, steps=1, force=True)
    assert (out / "checkpoint.ckpt").read_bytes() == content


def test_other_clips_stop_the_training(tmp_path: Path, config: Config, corpus: Path, train) -> None:
    out = train("separator", tmp_path / "run", config, steps=1)
    (whole,) = manifest.load(corpus)
    smaller = replace(whole, clips=whole.clips[1:], folder=tmp_path / "smaller")
    smaller.folder.mkdir()
    (smaller.folder / "flac").symlink_to(whole.folder / "flac")
    manifest.save(smaller)
    with pytest.raises(TrainingError, match=r"was trained with another data .*; give the same data"):
        train("separator", out, config, corpus=smaller.folder, steps=1)


# Learning


# Bounds are half of the least that was learned over six seeds and all that `make test-isa` tries.


@pytest.mark.parametrize("loss", ["si-snr", "pit-si-snr"])
def test_a_separator_learns_a_batch_by_heart(loss: str, tmp_path: Path, config: Config, corpus: Path) -> None:
    config = with_settings(config, "mixture", clean_fraction=0.0, snr=(0.0, 0.0))
    config = with_settings(config, "separator_training", loss=loss, steps=120, warmup_steps=60)
    logs = on_one_batch(separator_task(corpus, tmp_path, config), 120)
    assert improvement([entry[f"loss/{loss}"] for entry in logs]) > 14.0  # dB; seen: 30 to 52


def test_a_vocoder_learns_a_batch_by_heart(tmp_path: Path, config: Config, corpus: Path, separator: Path) -> None:
    config = with_settings(config, "vocoder_training", adversarial_from=1_000, learning_rate=1e-2, steps=150)
    logs = on_one_batch(vocoder_task(corpus, separator, tmp_path, config), 150)
    assert improvement([entry["stft/convergence"] + entry["stft/log_magnitude"] for entry in logs]) > 0.45


def test_the_released_separator_speaks_at_the_level_it_hears(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    model, taught = model_file.load_separator(separator)
    assert taught.separator == config.separator
    products = energies = 0.0
    for path, clip in manifest.load_clips(manifest.load(corpus), "validation"):
        speech = torch.from_numpy(files.read(path, 0, min(clip.samples, 4 * 24_000))[0]).double()
        estimate = model(speech.float()[None]).waves[0, 0].double()
        assert losses.si_snr(estimate, speech) > 2.5  # of 5 that were seen; else a gain would mean nothing
        products, energies = products + float(estimate @ speech), energies + float(estimate @ estimate)
    assert products / energies == pytest.approx(1.0, abs=1e-4)


def test_speech_comes_first_where_the_loss_leaves_the_order_open(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    state, taught = model_file.read(separator, "separator")
    swapped = state | {"masker.masks.weight": state["masker.masks.weight"].unflatten(0, (2, -1)).flip(0).flatten(0, 1)}
    task = separator_task(corpus, tmp_path, with_settings(taught, "separator_training", loss="pit-si-snr"))
    for weights in (state, swapped):
        task.separator.load_state_dict(weights)
        task.release(1)
        found = model_file.read(task.path, "separator")[0]
        torch.testing.assert_close(found["masker.masks.weight"], state["masker.masks.weight"])


def test_a_separator_that_says_nothing_keeps_its_scale(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    state, taught = model_file.read(separator, "separator")
    task = separator_task(corpus, tmp_path, taught)
    task.separator.load_state_dict(state | {"masker.masks.weight": torch.zeros_like(state["masker.masks.weight"])})
    task.release(1)
    found = model_file.read(task.path, "separator")[0]
    torch.testing.assert_close(found["basis.atoms"], state["basis.atoms"])


def test_the_board_shows_how_a_separator_learns(tmp_path: Path, config: Config, train) -> None:
    shown = board(train("separator", tmp_path, config, steps=2))
    assert {
        "loss/si-snr",
        "rate/learning",
        "rate/gradient_norm",
        "time/steps_per_second",
        "validation/si_snr_noisy",
        "validation/si_snr_improvement",
        "validation/si_snr_clean",
    } == set(shown.Tags()["scalars"])
    assert [event.step for event in shown.Scalars("loss/si-snr")] == [1, 2]
    assert shown.Tags()["images"] == ["basis"]
    audio = ["audio/mixture", "audio/speech_from_mixture", "audio/speech_from_clean"]
    assert sorted(shown.Tags()["audio"]) == sorted(audio)
    noisy, gained = (shown.Scalars(f"validation/si_snr_{name}")[0].value for name in ("noisy", "improvement"))
    assert noisy - gained == pytest.approx(-4.0, abs=0.1)  # validation mixes at this ratio


@pytest.mark.parametrize("stage", STAGES)
def test_a_redirected_log_shows_steps_losses_and_validation(
    stage: str, tmp_path: Path, config: Config, train, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:
    monkeypatch.setattr(progress, "FIRST_LINE", 0.0)
    monkeypatch.setattr(progress, "LINES", 0.0)
    capsys.readouterr()
    train(stage, tmp_path, config, steps=4, validate_every=2)
    lines = capsys.readouterr().err.splitlines()
    loss, score = {"separator": ("si-snr", "si_snr_noisy"), "vocoder": ("total", "stft/convergence")}[stage]
    steps = [line for line in lines if " of 4, " in line]
    assert [line.split()[1] for line in steps] == ["1", "2", "3", "4"]
    assert all(re.search(rf"/s, \d+:\d\d:\d\d left; {loss} -?\d+\.\d{{3}}", line) for line in steps)
    validations = [line for line in lines if "validation" in line]
    assert [re.match(rf"step (\d): validation {score} -?\d+\.\d{{3}}", line)[1] for line in validations] == ["2", "4"]


def test_a_resumed_training_keeps_all_that_the_board_has_shown(tmp_path: Path, config: Config, train) -> None:
    for steps in (2, 4):
        train("separator", tmp_path, config, steps=steps)
    shown = board(tmp_path)
    assert [event.step for event in shown.Scalars("rate/learning")] == [1, 2, 3, 4]
    assert [event.step for event in shown.Scalars("validation/si_snr_clean")] == [2, 4]


def test_the_board_shows_both_phases_of_a_vocoder(tmp_path: Path, config: Config, train) -> None:
    shown = board(train("vocoder", tmp_path, config, steps=6))
    steps = {name: [event.step for event in shown.Scalars(name)] for name in shown.Tags()["scalars"]}
    for name in ("loss/total", "stft/convergence", "stft/log_magnitude", "rate/learning", "rate/gradient_norm"):
        assert steps.pop(name) == [1, 2, 3, 4, 5, 6]
    assert steps.pop("weights/l1") == [1, 2, 3, 4]  # steps 0 to 3
    for name in ("adversarial/wave", "adversarial/stft", "loss/discriminators"):
        assert steps.pop(name) == [5, 6]
    scores = {f"validation/{name}" for name in ("stft/convergence", "stft/log_magnitude", "level")}
    assert set(steps) == {"time/steps_per_second", *scores}
    assert shown.Tags()["images"] == ["spectrograms"]
    assert sorted(shown.Tags()["audio"]) == ["audio/recording", "audio/spoken"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_corpus_of_another_rate_is_refused(stage: str, tmp_path: Path, config: Config, corpus: Path, train) -> None:
    (whole,) = manifest.load(corpus)
    other = replace(whole, folder=tmp_path / "corpus", sample_rate=16_000)
    other.folder.mkdir()
    (other.folder / "flac").symlink_to(whole.folder / "flac")
    manifest.save(other)
    with pytest.raises(CorpusError, match=r"prepared at 16000 Hz, but frames\.sample_rate is 24000"):
        train(stage, tmp_path / "run", config, corpus=other.folder)


# What breaks a training


def test_a_loss_that_is_not_finite_is_named_with_step_and_clips() -> None:
    fine = {"a": torch.tensor(1.0)}
    require_finite(fine, 3, ["x"])
    for value in (float("nan"), float("inf")):
        with pytest.raises(TrainingError, match=rf"b/c is {value} at step 3, on one@5, two@7; look at these clips"):
            require_finite({**fine, "b/c": torch.tensor(value)}, 3, ["one@5", "two@7"])


def test_a_separator_that_diverges_stops_with_finite_weights(
    tmp_path: Path, config: Config, train, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("basis_melgan.training.schedule.noam", lambda step, *_: 1e30 if step >= 2 else 1e-3)
    with pytest.raises(TrainingError, match=r"(loss/si-snr|gradient norm) is \S+ at step \d, on ru_\d+@\d+, ru_\d+@"):
        train("separator", tmp_path, config, validate_every=2)
    left = leaves(checkpoint(tmp_path))
    assert left["/step"] == 2
    assert all(bool(leaf.isfinite().all()) for leaf in left.values() if isinstance(leaf, torch.Tensor))


def test_a_gradient_that_is_not_finite_does_not_reach_the_weights(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    weights = {**config.vocoder_training.loss_weights, "stft/convergence": float("inf")}
    task = vocoder_task(corpus, separator, tmp_path, with_settings(config, "vocoder_training", loss_weights=weights))
    before = parameters(task.generator.module)
    with pytest.raises(TrainingError, match=r"gradient norm is nan at step 0, on ru_\d+@\d+, ru_\d+@\d+"):
        on_one_batch(task, 1)
    assert all(torch.equal(value, before[name]) for name, value in parameters(task.generator.module).items())


def test_a_processor_trains_in_its_own_precision_beside_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = native_bf16("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: not alone)
    assert native_bf16("cpu") is alone
    assert native_bf16("auto") is native_bf16("cuda") is not alone


def test_a_batch_that_does_not_divide_is_refused(tmp_path: Path, config: Config, corpus: Path) -> None:
    task = separator_task(corpus, tmp_path, with_settings(config, "separator_training", batch_size=3))
    with pytest.raises(ConfigurationError, match="batch: 3 crops do not divide among 2 processes"):
        fit(task, SimpleNamespace(world_size=2), TrainerConfig(), task.run)


@pytest.mark.parametrize("stage", STAGES)
def test_what_cannot_be_trained_leaves_an_earlier_training_alone(
    stage: str, tmp_path: Path, config: Config, train
) -> None:
    out = train(stage, tmp_path, config, steps=1)
    before = (out / "checkpoint.ckpt").read_bytes()
    nowhere = tmp_path / "nowhere"
    if stage == "separator":
        config = with_settings(config, "mixture", noises=("recorded",), recorded=str(nowhere))
    with pytest.raises((CorpusError, ModelFileError), match="nowhere"):
        train(stage, tmp_path, config, start=nowhere, force=True)
    assert (out / "checkpoint.ckpt").read_bytes() == before
