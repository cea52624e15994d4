"""Presets of the pretrained vocoders: their networks, training steps and rates."""

from pathlib import Path

import pytest

from basis_melgan.cli.main import main
from basis_melgan.config.loading import load
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.models import model_file

SECTIONS = ("frames", "mel", "generator", "discriminators", "stft_loss", "augmentation")
VOCODERS = ("speech-24k", "speech-24k-small", "speech-24k-live", "paper-24k")


@pytest.mark.parametrize("name", VOCODERS)
def test_preset_builds_the_network_of_the_pretrained_file(name: str) -> None:
    preset = load(name)
    state, pretrained_config = model_file.read(pretrained_path(name, ".safetensors"), "vocoder")
    generator = model_file.new_generator(preset)
    assert {key: value.shape for key, value in generator.state_dict().items()} == {
        key: value.shape for key, value in state.items()
    }
    for section in SECTIONS:
        assert getattr(preset, section) == getattr(pretrained_config, section), section
    weights = preset.vocoder_training.loss_weights
    assert weights == pretrained_config.vocoder_training.loss_weights


@pytest.mark.parametrize("name", VOCODERS)
def test_preset_has_the_steps_of_the_pretrained_file(name: str) -> None:
    training = load(name).vocoder_training
    assert training.steps == int(model_file.metadata(pretrained_path(name, ".safetensors"))["step"])
    assert training.adversarial is (name != "paper-24k")


@pytest.mark.parametrize("name", ["convnext-24k", *VOCODERS[:3]])
def test_adversarial_phase_has_3000_steps_and_the_learning_rates_of_fine_tuning(name: str) -> None:
    training = load(name).vocoder_training
    adversarial_steps = training.steps - training.adversarial_from
    assert adversarial_steps == 3_000
    factor = adversarial_steps / training.decay_steps
    assert factor * training.learning_rate == pytest.approx(3e-4)
    assert factor * training.discriminator_learning_rate == pytest.approx(2e-4, rel=0.01)


def test_preset_trains_both_phases(corpus: Path, tmp_path: Path) -> None:
    settings = {
        "vocoder_training.steps": 4,
        "vocoder_training.adversarial_from": 2,
        "vocoder_training.batch_size": 2,
        "trainer.workers": 0,
        "trainer.accelerator": "cpu",
    }
    options = [argument for key, value in settings.items() for argument in (f"--{key}", str(value))]
    assert main(["train-vocoder", str(corpus), str(tmp_path), "--config", "speech-24k-small", *options]) == 0
    vocoder = tmp_path / "vocoder.safetensors"
    assert model_file.metadata(vocoder)["step"] == "4"
    assert model_file.read(vocoder, "vocoder")[1].generator == load("speech-24k-small").generator
    assert model_file.metadata(model_file.discriminators_of(vocoder))["step"] == "4"
