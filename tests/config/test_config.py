"""Presets, and the strict reading of a configuration."""

import inspect
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from basis_melgan.cli.parser import load
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.loading import PRESETS, from_dict, keys, preset_path
from basis_melgan.config.schema import Config, CorpusConfig, DiscriminatorConfig, MixtureConfig, VocoderTrainingConfig
from basis_melgan.errors import ConfigurationError
from basis_melgan.training.run import flatten


def test_presets() -> None:
    assert [path.stem for path in sorted(PRESETS.glob("*.yaml"))] == ["cpu", "fast", "paper", "tiny"]
    assert preset_path("paper") == PRESETS / "paper.yaml"
    assert load("paper") == Config()
    assert len({json.dumps(load(name).to_dict()) for name in ("paper", "cpu", "fast", "tiny")}) == 4


def test_paper_spells_out_every_key() -> None:
    spelt = yaml.safe_load(preset_path("paper").read_text(encoding="utf-8"))
    assert list(flatten(spelt)) == list(flatten(Config().to_dict()))


def test_every_comment_stands_where_help_finds_it() -> None:
    """Help takes the comment on a setting's own line; one that stands alone would be lost."""
    sources = (Path(inspect.getsourcefile(kind)).read_text(encoding="utf-8") for kind in (Config, FrameGeometry))
    lines = "\n".join(sources).splitlines()
    assert [line for line in lines if re.match(r"    (#|\)  #)|    \w+: .*\($", line)] == []


def test_keys() -> None:
    found = keys()
    assert {"mel", "separator", "separator.blocks", "vocoder_training.loss_weights"} <= set(found)
    sizes = sum(1 + len(getattr(section, "__dataclass_fields__", ())) for section in vars(Config()).values())
    assert len(found) == sizes


@pytest.mark.parametrize(
    ("section", "name", "value", "message"),
    [
        ("discriminators", "channels", 10, "10; use a multiple of 4"),
        ("discriminators", "periods", (2, 0), r"\(2, 0\); use 1 or more"),
        ("discriminators", "stft_stride", 0, "0; use 1 or more"),
        ("discriminators", "resolutions", ((512, 128, 1024),), "FFT 512, hop 128, window 1024; give an FFT"),
        ("discriminators", "resolutions", (), "there is none; give at least one"),
        ("vocoder_training", "discriminator_batch_fraction", 0.0, "0.0 is no share"),
        ("vocoder_training", "discriminator_batch_fraction", 1.5, "1.5 is no share"),
        ("vocoder_training", "ema_decay", 1.0, "1.0; use 0 or more, below 1"),
        ("vocoder_training", "warmup_steps", -3, "-3; use 0 or more"),
        ("vocoder_training", "decay_steps", -5, "-5; use 0 or more"),
        ("vocoder_training", "clip", 0.0, "0.0; use a gradient norm above 0"),
        ("separator_training", "decay_steps", -5, "-5; use 0 or more"),
        ("separator_training", "clip", -1.0, "-1.0; use a gradient norm above 0"),
        ("generator", "kernel", 4, "4; use an odd size"),
        ("generator", "kernel", -1, "-1; use an odd size"),
        ("vocoder_training", "crop_frames", 4, "4 mel frames are 960 samples; the discriminators need 1025"),
        ("fine_tuning", "discriminator_batch_fraction", 2.0, "2.0 is no share"),
        ("trainer", "workers", -1, "-1; use 0 or more"),
        ("corpus", "test_clips", -5, "-5; use 0 or more"),
        ("mixture", "level", (-16.0, -36.0), r"\(-16.0, -36.0\) runs downwards"),
        ("mixture", "noise_sigma", -1.0, "-1.0; use 0 or more"),
        ("separator", "atoms", 0, "0; use 1 or more"),
        ("separator", "blocks", 0, "0; use 1 or more"),
        ("separator_training", "steps", -1, "-1; use 1 or more"),
        ("generator", "stacks", -1, "-1; use 0 or more"),
        ("vocoder_training", "seed", -1, "-1; use 0 or more"),
    ],
)
def test_what_would_fail_in_training_is_refused_at_once(section: str, name: str, value: Any, message: str) -> None:
    config = Config()
    with pytest.raises(ConfigurationError, match=rf"^{section}\.{name}: {message}"):
        replace(config, **{section: replace(getattr(config, section), **{name: value})})


def test_no_loss_weighs_less_than_nothing() -> None:
    with pytest.raises(ConfigurationError, match=r"^vocoder_training\.loss_weights\.mel/l1: -1\.0; use 0 or more"):
        VocoderTrainingConfig(loss_weights={"mel/l1": -1.0})


@pytest.mark.parametrize(("name", "setting", "none"), [("wave", "scales", 0), ("period", "periods", ())])
def test_a_loss_has_a_discriminator_that_says_it(name: str, setting: str, none: Any) -> None:
    training = VocoderTrainingConfig(loss_weights={f"adversarial/{name}": 1.0})
    with pytest.raises(ConfigurationError, match=rf"^vocoder_training\.loss_weights\.adversarial/{name}: 1\.0, but no"):
        Config(vocoder_training=training, discriminators=DiscriminatorConfig(**{setting: none}))
    regression = replace(training, adversarial_from=training.steps)
    Config(vocoder_training=regression, discriminators=DiscriminatorConfig(**{setting: none}))


def test_a_basis_learns_at_a_share_of_a_rate() -> None:
    with pytest.raises(ConfigurationError, match=r"^vocoder_training\.basis_learning_rate: 0\.1 beside"):
        VocoderTrainingConfig(learning_rate=0.0, basis_learning_rate=0.1)


@pytest.mark.parametrize("preset", ["paper", "cpu", "fast", "tiny"])
def test_a_configuration_survives_json(preset: str) -> None:
    config = load(preset)
    again = from_dict(json.loads(json.dumps(config.to_dict())))
    assert again == config
    assert isinstance(again.discriminators.resolutions[0], tuple)


def test_from_dict_completes_and_converts() -> None:
    config = from_dict({"mixture": {"noise_sigma": 1, "noises": ["white", "pink"]}, "corpus": {"max_clips": None}})
    assert config.mixture == MixtureConfig(noise_sigma=1.0, noises=("white", "pink"))
    assert isinstance(config.mixture.noise_sigma, float)
    assert config.corpus == CorpusConfig()
    assert from_dict({}) == Config()


def test_from_dict_refuses_a_key_of_a_later_version() -> None:
    with pytest.raises(ConfigurationError, match=r"^unknown key generator\.trunk; did you mean generator\.stacks\?$"):
        from_dict({"generator": {"trunk": "x"}})
