"""Stage 2: its discriminators, its average, its basis, its targets, and what it needs."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from short_trainings import board, improvement, on_one_batch, parameters, vocoder_task, with_settings
from torch.utils.data import default_collate

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import LOSS_WEIGHTS, Config
from basis_melgan.corpus import manifest
from basis_melgan.corpus.datasets import SpeechCrops
from basis_melgan.errors import ConfigurationError, CorpusError, ModelFileError
from basis_melgan.models import model_file
from basis_melgan.models.bases.basis import ATOMS
from basis_melgan.training import losses, vocoder
from basis_melgan.training.run import Run
from basis_melgan.training.spectra import Spectra
from basis_melgan.training.trainer import build_fabric
from basis_melgan.training.vocoder import Sources
from basis_melgan.training.vocoder_task import VocoderTask


def test_discriminators_wait_for_their_phase_and_then_learn(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    task = vocoder_task(corpus, separator, tmp_path, with_settings(config, "vocoder_training", adversarial_from=2))
    batch = default_collate([task.dataset[index] for index in range(2)])
    before = parameters(task.discriminators)
    for step in (0, 1):
        logs = task.step(batch, step)
        assert {"weights/l1", "stft/convergence"} <= logs.keys()
        assert "adversarial/wave" not in logs
    assert all(torch.equal(value, before[name]) for name, value in parameters(task.discriminators).items())
    logs = task.step(batch, 2)
    assert "weights/l1" not in logs
    assert not any(torch.equal(value, before[name]) for name, value in parameters(task.discriminators).items())
    assert all(parameter.requires_grad for parameter in task.discriminators.parameters())


@pytest.mark.parametrize(("judged", "seen"), [(1.0, 2), (0.5, 1), (0.01, 1)])
def test_the_generators_adversarial_loss_is_the_discriminators_verdict_on_what_they_see(
    tmp_path: Path, config: Config, corpus: Path, separator: Path, judged: float, seen: int
) -> None:
    config = with_settings(config, "vocoder_training", adversarial_from=0, discriminator_batch_fraction=judged)
    task = vocoder_task(corpus, separator, tmp_path, config)
    batch = default_collate([task.dataset[index] for index in range(2)])
    with torch.no_grad():
        spoken = task.generator.module(batch["mel"]).wave
        real, made = task.discriminators(batch["wave"][:seen]), task.discriminators(spoken[:seen])
        told = [losses.discriminator_loss(real[kind], made[kind]) for kind in ("wave", "stft")]
        expected = {
            "adversarial/wave": losses.generator_adversarial_loss(made["wave"]),
            "adversarial/stft": losses.generator_adversarial_loss(made["stft"]),
            "loss/discriminators": torch.stack(told).mean(),
            **losses.stft_losses(Spectra(spoken), Spectra(batch["wave"]), config.stft_loss.resolutions),
        }
    logs = task.step(batch, 0)
    assert {name: logs[name] for name in expected} == pytest.approx(
        {name: value.item() for name, value in expected.items()}, rel=1e-4
    )


def test_the_average_is_exponential(tmp_path: Path, config: Config, corpus: Path, separator: Path) -> None:
    task = vocoder_task(corpus, separator, tmp_path, with_settings(config, "vocoder_training", ema_decay=0.25))
    batch = default_collate([task.dataset[index] for index in range(2)])
    expected: dict[str, torch.Tensor] = {}
    for step, decay in enumerate((0.0, 2 / 11, 0.25, 0.25)):  # 3 / 12 is the limit, which it then keeps to
        task.step(batch, step)
        now = parameters(task.generator.module)
        expected = {name: decay * expected[name] + (1 - decay) * now[name] for name in now} if expected else now
    found = parameters(task.average.module)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-7, rtol=1e-5)
    task.release(4)
    released, mel = model_file.load_vocoder(task.path)[0], torch.rand(1, 80, 20)
    torch.testing.assert_close(released(mel).wave, task.average.module(mel).wave, atol=1e-6, rtol=1e-5)


def test_the_basis_is_the_separators_and_moves_only_where_it_may(
    tmp_path: Path, config: Config, separator: Path, train
) -> None:
    taught = model_file.load_separator(separator)[0].basis.atoms
    frozen = model_file.load_vocoder(train("vocoder", tmp_path / "frozen", config, steps=5) / "vocoder.safetensors")[0]
    assert torch.equal(frozen.basis.atoms, taught)
    tuned = train("vocoder", tmp_path / "tuned", config, steps=5, basis_learning_rate=1e-4)
    moved = (model_file.load_vocoder(tuned / "vocoder.safetensors")[0].basis.atoms - taught).abs().max().item()
    assert 0.0 < moved <= 5 * 1e-4 * 1.5  # Adam's steps are about the rate, which is a tenth of the generator's here


def test_a_released_vocoder_says_where_it_is_from_and_speaks(
    tmp_path: Path, config: Config, corpus: Path, train
) -> None:
    path = train("vocoder", tmp_path, config, steps=2) / "vocoder.safetensors"
    generator, taught = model_file.load_vocoder(path)
    assert taught == with_settings(config, "vocoder_training", steps=2)
    said = model_file.metadata(path)
    assert (said["step"], said["data"]) == ("2", manifest.data_hash(manifest.load(corpus)))
    assert json.loads(said["origins"]).keys() == {"split", "separator"}
    assert generator(torch.rand(1, 80, 13)).wave.shape == (1, 13 * 240)


def test_a_vocoder_starts_where_another_ended(tmp_path: Path, config: Config, train) -> None:
    ended = train("vocoder", tmp_path / "ended", config, steps=5) / "vocoder.safetensors"
    still = (
        train("vocoder", tmp_path / "still", config, steps=1, start=ended, learning_rate=0.0) / "vocoder.safetensors"
    )
    assert [model_file.metadata(path)["step"] for path in (ended, still)] == ["5", "6"]
    states = [model_file.read(path, "vocoder")[0] for path in (ended, still)]
    assert states[0].keys() == states[1].keys()
    for name, parameter in states[0].items():
        torch.testing.assert_close(states[1][name], parameter, atol=1e-6, rtol=1e-5)
    other = with_settings(config, "generator", stacks=2)
    with pytest.raises(ConfigurationError, match=r"its generator is .*stacks=1.*, here it is .*stacks=2.*; start from"):
        train("vocoder", tmp_path / "other", other, start=ended)


@pytest.mark.parametrize("target", ["recording", "resynthesis"])
def test_stored_weights_and_computed_ones_ask_for_nearly_the_same(
    target: str, tmp_path: Path, config: Config, corpus: Path, separator: Path, decomposition: Path
) -> None:
    config = with_settings(config, "vocoder_training", target=target, batch_size=8, steps=1)
    first = {}
    for name, stored in (("stored", decomposition), ("computed", None)):
        vocoder.train(corpus, tmp_path / name, Sources(separator, stored), config)
        shown = board(tmp_path / name)
        first[name] = {tag: shown.Scalars(tag)[0].value for tag in ("weights/l1", "stft/log_magnitude")}
    for tag, value in first["stored"].items():  # gLN's statistics are the utterance's there and the crop's here
        assert first["computed"][tag] == pytest.approx(value, rel=0.3)
    if target == "recording":
        assert first["computed"]["stft/log_magnitude"] == first["stored"]["stft/log_magnitude"]


def test_a_decomposition_of_something_else_is_refused(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    aimless = with_settings(config, "vocoder_training", loss_weights={"mel/l1": 1.0})
    with pytest.raises(ConfigurationError, match=r"would not be read, since no loss aims at the separator; leave it"):
        vocoder.train(corpus, tmp_path, Sources(separator, tmp_path / "missing"), aimless)
    with pytest.raises(CorpusError, match="holds no finished decomposition"):
        vocoder.train(corpus, tmp_path / "out", Sources(separator, tmp_path / "nowhere"), config)


def test_the_vocoder_needs_the_separators_frames(tmp_path: Path, config: Config, corpus: Path, separator: Path) -> None:
    other = replace(config, frames=FrameGeometry(basis_length=45))
    with pytest.raises(ConfigurationError, match=r"basis_length=45.* differs from the separator's .*basis_length=30"):
        vocoder.train(corpus, tmp_path, Sources(separator), other)
    with pytest.raises(ConfigurationError, match=r"generator\.channels: 24 differs from separator\.atoms 32"):
        vocoder.train(corpus, tmp_path, Sources(separator), with_settings(config, "generator", channels=24))
    with pytest.raises(ModelFileError, match="no such file"):
        vocoder.train(corpus, tmp_path, Sources(tmp_path / "missing.safetensors"), config)


def test_the_frame_rate_generator_learns_a_batch_by_heart_without_a_separator(
    tmp_path: Path, frame_rate: Config, corpus: Path
) -> None:
    config = with_settings(frame_rate, "vocoder_training", learning_rate=2e-3, steps=60)
    dataset = SpeechCrops(manifest.load_clips(manifest.load(corpus), "train"), config, None)
    run = Run(tmp_path, config, vocoder.SECTIONS, "x")
    task = VocoderTask(dataset, [], None, model_file.new_generator(config), run, build_fabric(config.trainer, 1))
    logs = on_one_batch(task, 60)
    assert improvement([entry["stft/convergence"] + entry["stft/log_magnitude"] for entry in logs]) > 0.2
    adam, muon = ([p for group in each.param_groups for p in group["params"]] for each in task.optimizers)
    learning = [p for p in task.generator.parameters() if p.requires_grad]
    assert {id(p) for p in adam}.isdisjoint(id(p) for p in muon)
    assert {id(p) for p in (*adam, *muon)} >= {id(p) for p in learning}
    assert sorted(tuple(p.shape) for p in muon) == [(48, 96)] * 2 + [(96, 48)] * 2


def test_the_frame_rate_generator_learns_from_every_loss_and_its_basis_slowly(
    tmp_path: Path, frame_rate: Config, corpus: Path
) -> None:
    """With weight targets, all discriminators and their features, as the preset `fast` has them, and an open basis."""
    weights = dict.fromkeys(LOSS_WEIGHTS, 1.0) | {"weights/l1": 0.0}
    config = with_settings(frame_rate, "discriminators", periods=(2, 3), period_channels=4)
    config = with_settings(config, "vocoder_training", adversarial_from=0, loss_weights=weights)
    config = with_settings(config, "vocoder_training", learning_rate=1e-3, basis_learning_rate=1e-4, warmup_steps=0)
    dataset = SpeechCrops(manifest.load_clips(manifest.load(corpus), "train"), config, None)
    run = Run(tmp_path, config, vocoder.SECTIONS, "x")
    task = VocoderTask(dataset, [], None, model_file.new_generator(config), run, build_fabric(config.trainer, 1))
    modules = task.generator.module, task.discriminators.module
    before = [parameters(module) for module in modules]
    logs = on_one_batch(task, 2)
    assert {*LOSS_WEIGHTS} - logs[0].keys() == {"weights/l1"}
    assert logs[1]["pairs/log_amplitude"] != logs[0]["pairs/log_amplitude"]
    moved = {
        name: (value - was[name]).abs().max()
        for was, module in zip(before, modules, strict=True)
        for name, value in parameters(module).items()
    }
    assert min(moved.values()) > 0.0, moved
    assert moved["basis.atoms"] <= 2 * 1e-4 * 1.5  # Adam's steps are about the rate


def test_the_frame_rate_generator_begins_below_the_mean_of_the_mels(
    tmp_path: Path, frame_rate: Config, corpus: Path
) -> None:
    config = with_settings(frame_rate, "vocoder_training", steps=1, learning_rate=0.0)
    vocoder.train(corpus, tmp_path, Sources(), config)
    embed = model_file.load_vocoder(tmp_path / "vocoder.safetensors")[0].embed
    dataset = SpeechCrops(manifest.load_clips(manifest.load(corpus), "train"), config, None)
    mels = torch.stack([dataset[index]["mel"] for index in range(vocoder.LEVEL_CROPS)])
    heard = embed((mels.mean() - mels.std()).expand(1, 9, mels.shape[1]))
    torch.testing.assert_close(heard, torch.zeros_like(heard), atol=1e-3, rtol=0.0)


def test_a_start_without_the_basis_that_it_must_have_is_refused(
    tmp_path: Path, frame_rate: Config, corpus: Path
) -> None:
    config = with_settings(frame_rate, "vocoder_training", steps=1)
    vocoder.train(corpus, tmp_path / "whole", Sources(), config)
    start = tmp_path / "whole" / "vocoder.safetensors"
    tensors = load_file(start)
    del tensors[ATOMS]
    save_file(tensors, tmp_path / "maimed.safetensors", model_file.metadata(start))
    opened = with_settings(config, "vocoder_training", basis_learning_rate=1e-4)
    with pytest.raises(ModelFileError, match=r"maimed\.safetensors: its weights do not fit"):
        vocoder.train(corpus, tmp_path / "out", Sources(start=tmp_path / "maimed.safetensors"), opened)


def test_a_start_says_what_becomes_of_its_generator(
    tmp_path: Path, frame_rate: Config, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = with_settings(frame_rate, "vocoder_training", steps=1)
    vocoder.train(corpus, tmp_path / "wide", Sources(), config)
    start = tmp_path / "wide" / "vocoder.safetensors"
    vocoder.train(corpus, tmp_path / "same", Sources(start=start), config)
    assert "here it becomes" not in capsys.readouterr().out
    vocoder.train(corpus, tmp_path / "narrow", Sources(start=start), with_settings(config, "generator", hidden=64))
    assert "its generator.hidden is 96, here it becomes 64" in capsys.readouterr().out


def test_a_basis_without_taps_gets_them_to_be_fine_tuned(tmp_path: Path, frame_rate: Config, corpus: Path) -> None:
    config = with_settings(frame_rate, "generator", spacing="linear", atoms=480)
    config = with_settings(config, "vocoder_training", steps=2, learning_rate=1e-3, warmup_steps=0)
    vocoder.train(corpus, tmp_path / "short", Sources(), config)
    start = tmp_path / "short" / "vocoder.safetensors"
    assert ATOMS not in load_file(start)
    opened = with_settings(config, "vocoder_training", basis_learning_rate=1e-4)
    vocoder.train(corpus, tmp_path / "tuned", Sources(start=start), opened)
    tuned = tmp_path / "tuned" / "vocoder.safetensors"
    moved = load_file(tuned)[ATOMS] - model_file.load_vocoder(start)[0].basis.atoms
    assert 0.0 < moved.abs().max() <= 2 * 1e-4 * 1.5  # Adam's steps are about the rate
    vocoder.train(corpus, tmp_path / "further", Sources(start=tuned), config)  # frozen again
    assert torch.equal(load_file(tmp_path / "further" / "vocoder.safetensors")[ATOMS], load_file(tuned)[ATOMS])


def test_pairs_come_from_a_separator_or_from_a_vocoder_not_from_both(
    tmp_path: Path, frame_rate: Config, corpus: Path, separator: Path
) -> None:
    vocoder.train(corpus, tmp_path / "a", Sources(), with_settings(frame_rate, "vocoder_training", steps=1))
    start = tmp_path / "a" / "vocoder.safetensors"
    with pytest.raises(ConfigurationError, match=r"to start from, has its pairs already; leave out one of --separator"):
        vocoder.train(corpus, tmp_path / "b", Sources(separator, start=start), frame_rate)
    tensors = load_file(start)
    del tensors["output_proj.bias"]
    maimed = tmp_path / "maimed.safetensors"
    save_file(tensors, maimed, model_file.metadata(start))
    with pytest.raises(ModelFileError, match=r"maimed\.safetensors: its weights do not fit .*say\.bias"):
        vocoder.train(corpus, tmp_path / "c", Sources(start=maimed), frame_rate)


@pytest.mark.parametrize(("spacing", "pairs"), [("mixed", 96), ("linear", 480)])
def test_the_frame_rate_generator_resumes_where_it_stopped(
    tmp_path: Path, frame_rate: Config, corpus: Path, spacing: str, pairs: int
) -> None:
    straight, resumed = tmp_path / "straight", tmp_path / "resumed"
    whole = with_settings(frame_rate, "vocoder_training", steps=4, decay_steps=0)
    whole = with_settings(whole, "generator", spacing=spacing, atoms=pairs)
    vocoder.train(corpus, straight, Sources(), whole)
    for steps in (2, 4):
        vocoder.train(corpus, resumed, Sources(), with_settings(whole, "vocoder_training", steps=steps))
    one, two = (model_file.load_vocoder(out / "vocoder.safetensors")[0].state_dict() for out in (straight, resumed))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_each_generator_asks_for_the_sources_it_needs(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"separator: generator\.kind melgan needs one .* --separator FILE"):
        vocoder.train(corpus, tmp_path, Sources(), config)
    convnext = replace(config, generator=ConvNeXtConfig())
    with pytest.raises(ConfigurationError, match=r"convnext has no use for a decomposition; leave it out"):
        vocoder.train(corpus, tmp_path, Sources(separator, tmp_path), convnext)
    with pytest.raises(ConfigurationError, match=r"set vocoder_training\.loss_weights\.weights/l1 to 0"):
        vocoder.train(corpus, tmp_path, Sources(), convnext)
    weights = config.vocoder_training.loss_weights | {"pairs/phase": 1.0}
    paired = with_settings(config, "vocoder_training", loss_weights=weights)
    with pytest.raises(ConfigurationError, match=r"kind: melgan has no pairs; set pairs/phase"):
        vocoder.train(corpus, tmp_path, Sources(separator), paired)
