"""Stage 2: discriminators, averaged weights, basis, targets, initialization and input validation."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from short_trainings import board, improvement, parameters, train_on_one_batch, vocoder_task, with_settings
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
from basis_melgan.training.vocoder import VocoderInputs
from basis_melgan.training.vocoder_task import VocoderTask


def test_discriminators_train_in_the_adversarial_phase_only(
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


@pytest.mark.parametrize(("fraction", "count"), [(1.0, 2), (0.5, 1), (0.01, 1)])
def test_adversarial_losses_use_the_configured_fraction_of_the_batch(
    tmp_path: Path, config: Config, corpus: Path, separator: Path, fraction: float, count: int
) -> None:
    config = with_settings(config, "vocoder_training", adversarial_from=0, discriminator_batch_fraction=fraction)
    task = vocoder_task(corpus, separator, tmp_path, config)
    batch = default_collate([task.dataset[index] for index in range(2)])
    with torch.no_grad():
        wave = task.generator.module(batch["mel"]).wave
        real, fake = task.discriminators(batch["wave"][:count]), task.discriminators(wave[:count])
        discriminator_losses = [losses.discriminator_loss(real[kind], fake[kind]) for kind in ("wave", "stft")]
        expected = {
            "adversarial/wave": losses.generator_adversarial_loss(fake["wave"]),
            "adversarial/stft": losses.generator_adversarial_loss(fake["stft"]),
            "loss/discriminators": torch.stack(discriminator_losses).mean(),
            **losses.stft_losses(Spectra(wave), Spectra(batch["wave"]), config.stft_loss.resolutions),
        }
    logs = task.step(batch, 0)
    assert {name: logs[name] for name in expected} == pytest.approx(
        {name: value.item() for name, value in expected.items()}, rel=1e-4
    )


def test_average_is_an_exponential_moving_average(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    task = vocoder_task(corpus, separator, tmp_path, with_settings(config, "vocoder_training", ema_decay=0.25))
    batch = default_collate([task.dataset[index] for index in range(2)])
    expected: dict[str, torch.Tensor] = {}
    for step, decay in enumerate((0.0, 2 / 11, 0.25, 0.25)):  # 3 / 12 reaches the limit
        task.step(batch, step)
        weights = parameters(task.generator.module)
        previous = expected or weights
        expected = {name: decay * previous[name] + (1 - decay) * weights[name] for name in weights}
    average = parameters(task.average.module)
    assert average.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(average[name], value, atol=1e-7, rtol=1e-5)
    task.save_model(4)
    saved, mel = model_file.load_generator(task.path)[0], torch.rand(1, 80, 20)
    torch.testing.assert_close(saved(mel).wave, task.average.module(mel).wave, atol=1e-6, rtol=1e-5)


def test_basis_is_the_separators_and_changes_only_with_a_learning_rate(
    tmp_path: Path, config: Config, separator: Path, train
) -> None:
    atoms = model_file.load_separator(separator)[0].basis.atoms
    frozen = model_file.load_generator(train("vocoder", tmp_path / "frozen", config, steps=5) / "vocoder.safetensors")[
        0
    ]
    assert torch.equal(frozen.basis.atoms, atoms)
    tuned = train("vocoder", tmp_path / "tuned", config, steps=5, basis_learning_rate=1e-4)
    change = (model_file.load_generator(tuned / "vocoder.safetensors")[0].basis.atoms - atoms).abs().max().item()
    assert 0.0 < change <= 5 * 1e-4 * 1.5  # Adam's steps are about the learning rate, a tenth of the generator's here


def test_saved_vocoder_records_its_origin_and_synthesizes(tmp_path: Path, config: Config, corpus: Path, train) -> None:
    path = train("vocoder", tmp_path, config, steps=2) / "vocoder.safetensors"
    generator, saved_config = model_file.load_generator(path)
    assert saved_config == with_settings(config, "vocoder_training", steps=2)
    metadata = model_file.metadata(path)
    assert (metadata["step"], metadata["data"]) == ("2", manifest.data_hash(manifest.load(corpus)))
    assert json.loads(metadata["origins"]).keys() == {"split", "separator"}
    assert generator(torch.rand(1, 80, 13)).wave.shape == (1, 13 * 240)


def test_training_starts_from_the_initial_vocoder(tmp_path: Path, config: Config, train) -> None:
    initial = train("vocoder", tmp_path / "initial", config, steps=5) / "vocoder.safetensors"
    frozen = (
        train("vocoder", tmp_path / "frozen", config, steps=1, init_from=initial, learning_rate=0.0)
        / "vocoder.safetensors"
    )
    assert [model_file.metadata(path)["step"] for path in (initial, frozen)] == ["5", "6"]
    states = [model_file.read(path, "vocoder")[0] for path in (initial, frozen)]
    assert states[0].keys() == states[1].keys()
    for name, parameter in states[0].items():
        torch.testing.assert_close(states[1][name], parameter, atol=1e-6, rtol=1e-5)
    other_config = with_settings(config, "generator", stacks=2)
    with pytest.raises(
        ConfigurationError, match=r"its generator is .*stacks=1.*, but the configuration has .*stacks=2.*; use"
    ):
        train("vocoder", tmp_path / "other", other_config, init_from=initial)


@pytest.mark.parametrize("target", ["recording", "resynthesis"])
def test_stored_and_computed_weight_targets_are_similar(
    target: str, tmp_path: Path, config: Config, corpus: Path, separator: Path, decomposition: Path
) -> None:
    config = with_settings(config, "vocoder_training", target=target, batch_size=8, steps=1)
    first_losses = {}
    for name, stored in (("stored", decomposition), ("computed", None)):
        vocoder.train(corpus, tmp_path / name, VocoderInputs(separator, stored), config)
        events = board(tmp_path / name)
        first_losses[name] = {tag: events.Scalars(tag)[0].value for tag in ("weights/l1", "stft/log_magnitude")}
    for tag, value in first_losses["stored"].items():  # gLN statistics of the clip and of the crop
        assert first_losses["computed"][tag] == pytest.approx(value, rel=0.3)
    if target == "recording":
        assert first_losses["computed"]["stft/log_magnitude"] == first_losses["stored"]["stft/log_magnitude"]


def test_unusable_decomposition_is_refused(tmp_path: Path, config: Config, corpus: Path, separator: Path) -> None:
    without_targets = with_settings(config, "vocoder_training", loss_weights={"mel/l1": 1.0})
    with pytest.raises(ConfigurationError, match=r"decomposition: no loss uses .*missing; leave it out"):
        vocoder.train(corpus, tmp_path, VocoderInputs(separator, tmp_path / "missing"), without_targets)
    with pytest.raises(CorpusError, match="holds no finished decomposition"):
        vocoder.train(corpus, tmp_path / "out", VocoderInputs(separator, tmp_path / "missing"), config)


def test_vocoder_needs_the_separators_frame_geometry(
    tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    other_config = replace(config, frames=FrameGeometry(basis_length=45))
    with pytest.raises(ConfigurationError, match=r"basis_length=45.* differs from the separator's .*basis_length=30"):
        vocoder.train(corpus, tmp_path, VocoderInputs(separator), other_config)
    with pytest.raises(ConfigurationError, match=r"generator\.channels: 24 differs from separator\.atoms 32"):
        vocoder.train(corpus, tmp_path, VocoderInputs(separator), with_settings(config, "generator", channels=24))
    with pytest.raises(ModelFileError, match="no such file"):
        vocoder.train(corpus, tmp_path, VocoderInputs(tmp_path / "missing.safetensors"), config)


def test_convnext_overfits_one_batch_without_a_separator(tmp_path: Path, convnext: Config, corpus: Path) -> None:
    config = with_settings(convnext, "vocoder_training", learning_rate=2e-3, steps=60)
    dataset = SpeechCrops(manifest.load_clips(manifest.load(corpus), "train"), config, None)
    run = Run(tmp_path, config, vocoder.SECTIONS, "x")
    task = VocoderTask(dataset, [], None, model_file.new_generator(config), run, build_fabric(config.trainer, 1))
    logs = train_on_one_batch(task, 60)
    assert improvement([entry["stft/convergence"] + entry["stft/log_magnitude"] for entry in logs]) > 0.2
    adam, muon = ([p for group in optimizer.param_groups for p in group["params"]] for optimizer in task.optimizers)
    trainable = [p for p in task.generator.parameters() if p.requires_grad]
    assert {id(p) for p in adam}.isdisjoint(id(p) for p in muon)
    assert {id(p) for p in (*adam, *muon)} >= {id(p) for p in trainable}
    assert sorted(tuple(p.shape) for p in muon) == [(48, 96)] * 2 + [(96, 48)] * 2


def test_convnext_trains_with_every_loss_and_a_slower_basis(tmp_path: Path, convnext: Config, corpus: Path) -> None:
    """With all losses of quadrature atoms, spectra, discriminators and their features, and a trainable basis."""
    weights = dict.fromkeys(LOSS_WEIGHTS, 1.0) | {"weights/l1": 0.0}
    config = with_settings(convnext, "discriminators", periods=(2, 3), period_channels=4)
    config = with_settings(config, "vocoder_training", adversarial_from=0, loss_weights=weights)
    config = with_settings(config, "vocoder_training", learning_rate=1e-3, basis_learning_rate=1e-4, warmup_steps=0)
    dataset = SpeechCrops(manifest.load_clips(manifest.load(corpus), "train"), config, None)
    run = Run(tmp_path, config, vocoder.SECTIONS, "x")
    task = VocoderTask(dataset, [], None, model_file.new_generator(config), run, build_fabric(config.trainer, 1))
    modules = task.generator.module, task.discriminators.module
    before = [parameters(module) for module in modules]
    logs = train_on_one_batch(task, 2)
    assert {*LOSS_WEIGHTS} - logs[0].keys() == {"weights/l1"}
    assert logs[1]["pairs/log_amplitude"] != logs[0]["pairs/log_amplitude"]
    changes = {
        name: (value - initial[name]).abs().max()
        for initial, module in zip(before, modules, strict=True)
        for name, value in parameters(module).items()
    }
    assert min(changes.values()) > 0.0, changes
    assert changes["basis.atoms"] <= 2 * 1e-4 * 1.5  # Adam's steps are about the learning rate


def test_untrained_convnext_maps_mels_a_deviation_below_the_mean_to_zero(
    tmp_path: Path, convnext: Config, corpus: Path
) -> None:
    config = with_settings(convnext, "vocoder_training", steps=1, learning_rate=0.0)
    vocoder.train(corpus, tmp_path, VocoderInputs(), config)
    embed = model_file.load_generator(tmp_path / "vocoder.safetensors")[0].embed
    dataset = SpeechCrops(manifest.load_clips(manifest.load(corpus), "train"), config, None)
    mels = torch.stack([dataset[index]["mel"] for index in range(vocoder.INPUT_LEVEL_CROPS)])
    hidden = embed((mels.mean() - mels.std()).expand(1, 9, mels.shape[1]))
    torch.testing.assert_close(hidden, torch.zeros_like(hidden), atol=1e-3, rtol=0.0)


def test_initial_vocoder_without_its_basis_is_refused(tmp_path: Path, convnext: Config, corpus: Path) -> None:
    config = with_settings(convnext, "vocoder_training", steps=1)
    vocoder.train(corpus, tmp_path / "initial", VocoderInputs(), config)
    initial = tmp_path / "initial" / "vocoder.safetensors"
    tensors = load_file(initial)
    del tensors[ATOMS]
    save_file(tensors, tmp_path / "incomplete.safetensors", model_file.metadata(initial))
    trainable = with_settings(config, "vocoder_training", basis_learning_rate=1e-4)
    with pytest.raises(ModelFileError, match=r"incomplete\.safetensors: its weights do not fit"):
        vocoder.train(corpus, tmp_path / "out", VocoderInputs(init_from=tmp_path / "incomplete.safetensors"), trainable)


def test_changed_generator_settings_of_the_initial_vocoder_are_printed(
    tmp_path: Path, convnext: Config, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = with_settings(convnext, "vocoder_training", steps=1)
    vocoder.train(corpus, tmp_path / "wide", VocoderInputs(), config)
    initial = tmp_path / "wide" / "vocoder.safetensors"
    vocoder.train(corpus, tmp_path / "same", VocoderInputs(init_from=initial), config)
    assert "changes from" not in capsys.readouterr().out
    vocoder.train(
        corpus,
        tmp_path / "narrow",
        VocoderInputs(init_from=initial),
        with_settings(config, "generator", hidden=64),
    )
    assert "generator.hidden changes from 96 to 64" in capsys.readouterr().out


def test_modulated_basis_becomes_trainable_parameters(tmp_path: Path, convnext: Config, corpus: Path) -> None:
    config = with_settings(convnext, "generator", spacing="linear", atoms=480)
    config = with_settings(config, "vocoder_training", steps=2, learning_rate=1e-3, warmup_steps=0)
    vocoder.train(corpus, tmp_path / "short", VocoderInputs(), config)
    initial = tmp_path / "short" / "vocoder.safetensors"
    assert ATOMS not in load_file(initial)
    trainable = with_settings(config, "vocoder_training", basis_learning_rate=1e-4)
    vocoder.train(corpus, tmp_path / "tuned", VocoderInputs(init_from=initial), trainable)
    tuned = tmp_path / "tuned" / "vocoder.safetensors"
    change = load_file(tuned)[ATOMS] - model_file.load_generator(initial)[0].basis.atoms
    assert 0.0 < change.abs().max() <= 2 * 1e-4 * 1.5  # Adam's steps are about the learning rate
    vocoder.train(corpus, tmp_path / "further", VocoderInputs(init_from=tuned), config)  # frozen again
    assert torch.equal(load_file(tmp_path / "further" / "vocoder.safetensors")[ATOMS], load_file(tuned)[ATOMS])


def test_basis_comes_from_a_separator_or_from_an_initial_vocoder(
    tmp_path: Path, convnext: Config, corpus: Path, separator: Path
) -> None:
    vocoder.train(corpus, tmp_path / "a", VocoderInputs(), with_settings(convnext, "vocoder_training", steps=1))
    initial = tmp_path / "a" / "vocoder.safetensors"
    with pytest.raises(
        ConfigurationError, match=r"the basis comes from .*; give either --separator or an initial vocoder"
    ):
        vocoder.train(corpus, tmp_path / "b", VocoderInputs(separator, init_from=initial), convnext)
    tensors = load_file(initial)
    del tensors["output_proj.bias"]
    incomplete = tmp_path / "incomplete.safetensors"
    save_file(tensors, incomplete, model_file.metadata(initial))
    with pytest.raises(ModelFileError, match=r"incomplete\.safetensors: its weights do not fit .*output_proj\.bias"):
        vocoder.train(corpus, tmp_path / "c", VocoderInputs(init_from=incomplete), convnext)


@pytest.mark.parametrize(("spacing", "atoms"), [("mixed", 96), ("linear", 480)])
def test_resumed_convnext_equals_an_uninterrupted_one(
    tmp_path: Path, convnext: Config, corpus: Path, spacing: str, atoms: int
) -> None:
    uninterrupted, resumed = tmp_path / "uninterrupted", tmp_path / "resumed"
    four_steps = with_settings(convnext, "vocoder_training", steps=4, decay_steps=0)
    four_steps = with_settings(four_steps, "generator", spacing=spacing, atoms=atoms)
    vocoder.train(corpus, uninterrupted, VocoderInputs(), four_steps)
    for steps in (2, 4):
        vocoder.train(corpus, resumed, VocoderInputs(), with_settings(four_steps, "vocoder_training", steps=steps))
    expected, state = (
        model_file.load_generator(out / "vocoder.safetensors")[0].state_dict() for out in (uninterrupted, resumed)
    )
    assert all(torch.equal(value, state[name]) for name, value in expected.items())


def test_inputs_must_match_the_generator(tmp_path: Path, config: Config, corpus: Path, separator: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"separator: generator\.kind melgan needs one .* --separator FILE"):
        vocoder.train(corpus, tmp_path, VocoderInputs(), config)
    convnext_config = replace(config, generator=ConvNeXtConfig())
    with pytest.raises(ConfigurationError, match=r"generator\.kind convnext does not use one; leave it out"):
        vocoder.train(corpus, tmp_path, VocoderInputs(separator, tmp_path), convnext_config)
    with pytest.raises(ConfigurationError, match=r"set vocoder_training\.loss_weights\.weights/l1 to 0"):
        vocoder.train(corpus, tmp_path, VocoderInputs(), convnext_config)
    weights = config.vocoder_training.loss_weights | {"pairs/phase": 1.0}
    quadrature = with_settings(config, "vocoder_training", loss_weights=weights)
    with pytest.raises(ConfigurationError, match=r"kind: melgan has no quadrature atoms; set pairs/phase"):
        vocoder.train(corpus, tmp_path, VocoderInputs(separator), quadrature)
