"""Validation of settings."""

from dataclasses import replace
from typing import Any

import pytest

from basis_melgan.config.networks import ConvNeXtConfig, DiscriminatorConfig
from basis_melgan.config.schema import Config, VocoderTrainingConfig
from basis_melgan.errors import ConfigurationError


@pytest.mark.parametrize(
    ("section", "name", "value", "message"),
    [
        ("discriminators", "channels", 10, "10; use a multiple of 4"),
        ("discriminators", "periods", (2, 0), r"\(2, 0\); use 1 or more"),
        ("discriminators", "stft_stride", 0, "0; use 1 or more"),
        ("discriminators", "resolutions", ((512, 128, 1024),), "FFT 512, hop 128, window 1024; give an FFT"),
        ("discriminators", "resolutions", (), "there is none; give at least one"),
        ("vocoder_training", "discriminator_batch_fraction", 0.0, "0.0; use above 0"),
        ("vocoder_training", "discriminator_batch_fraction", 1.5, "1.5 is not a fraction; use 0 to 1"),
        ("vocoder_training", "ema_decay", 1.0, "1.0; use 0 or more, below 1"),
        ("vocoder_training", "warmup_steps", -3, "-3; use 0 or more"),
        ("vocoder_training", "decay_steps", -5, "-5; use 0 or more"),
        ("separator_training", "decay_steps", -5, "-5; use 0 or more"),
        ("vocoder_training", "crop_frames", 4, "4 mel frames are 960 samples; the discriminators need 1025"),
        ("fine_tuning", "adversarial_fraction", 2.0, "2.0 is not a fraction"),
        ("stft_loss", "resolutions", (), "there is none; give at least one"),
        ("generator", "upsampling", (16, 1), r"\(16, 1\) has a factor below 2"),
        ("trainer", "workers", -1, "-1; use 0 or more"),
        ("corpus", "test_clips", -5, "-5; use 0 or more"),
        ("mixture", "level", (-16.0, -36.0), r"\(-16.0, -36.0\) is not a range; give the lowest value first"),
        ("mixture", "noise_sigma", -1.0, "-1.0; use 0 or more"),
        ("separator", "atoms", 0, "0; use 1 or more"),
        ("separator", "blocks", 0, "0; use 1 or more"),
        ("separator_training", "steps", -1, "-1; use 1 or more"),
        ("generator", "stacks", -1, "-1; use 0 or more"),
    ],
)
def test_invalid_settings_are_refused(section: str, name: str, value: Any, message: str) -> None:
    config = Config()
    with pytest.raises(ConfigurationError, match=rf"^{section}\.{name}: {message}"):
        replace(config, **{section: replace(getattr(config, section), **{name: value})})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("kernel", 4, "4; use an odd size"),
        ("kernel", -1, "-1; use an odd size"),
        ("atoms", 0, "0; use 1 or more"),
        ("lookahead", -1, r"-1; use 0 \(causal\) or more mel frames, or null"),
    ],
)
def test_invalid_convnext_settings_are_refused(name: str, value: int, message: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^generator\.{name}: {message}"):
        ConvNeXtConfig(**{name: value})


def test_negative_seed_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^seed: -1; use 0 or more"):
        Config(seed=-1)


def test_negative_loss_weight_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^vocoder_training\.loss_weights\.mel/l1: -1\.0; use 0 or more"):
        VocoderTrainingConfig(loss_weights={"mel/l1": -1.0})


@pytest.mark.parametrize(("name", "setting", "empty_value"), [("wave", "scales", 0), ("period", "periods", ())])
def test_adversarial_loss_needs_its_discriminator(name: str, setting: str, empty_value: Any) -> None:
    training = VocoderTrainingConfig(loss_weights={f"adversarial/{name}": 1.0})
    with pytest.raises(
        ConfigurationError, match=rf"^vocoder_training\.loss_weights\.adversarial/{name}: 1\.0, but there is no"
    ):
        Config(vocoder_training=training, discriminators=DiscriminatorConfig(**{setting: empty_value}))
    regression = replace(training, adversarial_from=training.steps)
    Config(vocoder_training=regression, discriminators=DiscriminatorConfig(**{setting: empty_value}))


def test_basis_learning_rate_needs_a_generator_learning_rate() -> None:
    with pytest.raises(ConfigurationError, match=r"^vocoder_training\.basis_learning_rate: 0\.1 is scaled with"):
        VocoderTrainingConfig(learning_rate=0.0, basis_learning_rate=0.1)
