"""Discriminators that a vocoder's training starts from: given by path, or saved beside the initial vocoder."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from short_trainings import with_settings

from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError, ModelFileError, TrainingError
from basis_melgan.models import model_file
from basis_melgan.training import vocoder
from basis_melgan.training.vocoder import VocoderInputs


@pytest.fixture(scope="module")
def vocoder_path(tmp_path_factory: pytest.TempPathFactory, config: Config, corpus: Path, separator: Path) -> Path:
    """A vocoder, with its discriminators beside it."""
    folder = tmp_path_factory.mktemp("vocoder")
    vocoder.train(corpus, folder, VocoderInputs(separator), config)
    return folder / "vocoder.safetensors"


@pytest.fixture
def inputs(vocoder_path: Path, tmp_path: Path) -> VocoderInputs:
    """The vocoder and its discriminators in separate folders."""
    folders = tmp_path / "generator", tmp_path / "discriminators"
    for folder in folders:
        folder.mkdir()
    return VocoderInputs(
        init_from=shutil.copy(vocoder_path, folders[0] / "vocoder.safetensors"),
        discriminators=shutil.copy(model_file.discriminators_of(vocoder_path), folders[1] / "initial.safetensors"),
    )


@pytest.fixture
def one_step(config: Config) -> Config:
    weights = config.vocoder_training.loss_weights | {"weights/l1": 0.0}
    return with_settings(
        config,
        "vocoder_training",
        steps=1,
        adversarial_from=0,
        discriminator_learning_rate=0.0,
        loss_weights=weights,
    )


def test_initial_discriminators_are_loaded(
    inputs: VocoderInputs, one_step: Config, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vocoder.train(corpus, tmp_path / "run", inputs, one_step)
    saved = model_file.discriminators_of(tmp_path / "run" / "vocoder.safetensors")
    expected, state = (model_file.read(path, "discriminators")[0] for path in (inputs.discriminators, saved))
    assert all(torch.equal(state[name], value) for name, value in expected.items())
    assert "no discriminators" not in capsys.readouterr().out


def test_initial_discriminators_take_precedence_over_those_beside_the_initial_vocoder(
    inputs: VocoderInputs, vocoder_path: Path, one_step: Config, corpus: Path, tmp_path: Path
) -> None:
    state, config = model_file.read(inputs.discriminators, "discriminators")
    negated = {name: -value for name, value in state.items()}
    model_file.save(inputs.discriminators, "discriminators", negated, config, model_file.Origin(1, ""))
    vocoder.train(corpus, tmp_path / "run", replace(inputs, init_from=vocoder_path), one_step)
    saved = model_file.discriminators_of(tmp_path / "run" / "vocoder.safetensors")
    state = model_file.read(saved, "discriminators")[0]
    assert all(torch.equal(state[name], value) for name, value in negated.items())


def test_file_of_another_kind_is_refused(inputs: VocoderInputs, one_step: Config, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"vocoder\.safetensors: holds a vocoder; expected a discriminators"):
        vocoder.train(corpus, tmp_path / "run", replace(inputs, discriminators=inputs.init_from), one_step)
    missing = replace(inputs, discriminators=tmp_path / "missing.safetensors")
    with pytest.raises(ModelFileError, match=r"missing\.safetensors: no such file"):
        vocoder.train(corpus, tmp_path / "run", missing, one_step)


@pytest.mark.parametrize("adversarial_from", [0, 1])
def test_other_settings_are_refused_even_without_an_adversarial_phase(
    inputs: VocoderInputs, one_step: Config, corpus: Path, tmp_path: Path, adversarial_from: int
) -> None:
    config = with_settings(one_step, "discriminators", stft_channels=8)
    config = with_settings(config, "vocoder_training", adversarial_from=adversarial_from)
    message = r"initial\.safetensors: its discriminators\.stft_channels is 4, but the configuration has 8; use the same"
    with pytest.raises(ConfigurationError, match=message):
        vocoder.train(corpus, tmp_path / "run", inputs, config)


def test_resuming_needs_the_same_discriminators(
    inputs: VocoderInputs, one_step: Config, corpus: Path, tmp_path: Path
) -> None:
    vocoder.train(corpus, tmp_path / "run", inputs, one_step)
    with pytest.raises(TrainingError, match=r"another discriminators \(hash \w{12}, now none\)"):
        vocoder.train(corpus, tmp_path / "run", replace(inputs, discriminators=None), one_step)


def test_initial_discriminators_are_not_overwritten(
    inputs: VocoderInputs, one_step: Config, corpus: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    vocoder.train(corpus, out, inputs, one_step)
    own_discriminators = replace(inputs, discriminators=model_file.discriminators_of(out / "vocoder.safetensors"))
    with pytest.raises(ConfigurationError, match="would be overwritten by the training; use another run folder"):
        vocoder.train(corpus, out, own_discriminators, one_step, force=True)
