"""Presets, and the strict reading of a configuration."""

import inspect
import json
import re
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from basis_melgan.cli.parser import load
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.loading import PRESETS, from_dict, keys, preset_path
from basis_melgan.config.networks import ConvNeXtConfig, DiscriminatorConfig, MelGANConfig
from basis_melgan.config.schema import Config, CorpusConfig, MixtureConfig, VocoderTrainingConfig
from basis_melgan.errors import ConfigurationError
from basis_melgan.training.run import flatten


def test_presets() -> None:
    assert [path.stem for path in sorted(PRESETS.glob("*.yaml"))] == ["cpu", "fast", "paper", "tiny"]
    assert preset_path("paper") == PRESETS / "paper.yaml"
    assert load("paper") == Config()
    assert len({json.dumps(load(name).to_dict()) for name in ("paper", "cpu", "fast", "tiny")}) == 4


def test_paper_lists_every_key_and_fast_those_of_its_generator() -> None:
    paper, fast = (yaml.safe_load(preset_path(name).read_text(encoding="utf-8")) for name in ("paper", "fast"))
    assert list(flatten(paper)) == list(flatten(Config().to_dict()))
    assert fast["generator"] == asdict(ConvNeXtConfig())


def test_every_comment_stands_where_help_finds_it() -> None:
    """Help takes the comment on a setting's own line; one that stands alone would be lost."""
    kinds = (Config, FrameGeometry, DiscriminatorConfig)
    sources = (Path(inspect.getsourcefile(kind)).read_text(encoding="utf-8") for kind in kinds)
    lines = "\n".join(sources).splitlines()
    assert [line for line in lines if re.match(r"    (#|\)  #)|    \w+: .*\($", line)] == []


def test_keys() -> None:
    known = keys()
    assert {"mel", "separator", "separator.blocks", "vocoder_training.loss_weights"} <= set(known)
    assert {"generator.kind", "generator.upsampling", "generator.lookahead"} <= set(known)  # of either kind
    assert len(known) == len(set(known))
    generators = {field.name for kind in (MelGANConfig, ConvNeXtConfig) for field in fields(kind)}
    others = sum(1 + len(getattr(section, "__dataclass_fields__", ())) for section in vars(Config()).values())
    assert len(known) == others - len(fields(MelGANConfig)) + len(generators)


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
def test_what_would_fail_in_training_is_refused_at_once(section: str, name: str, value: Any, message: str) -> None:
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
def test_a_convnext_generator_refuses_sizes_that_cannot_be(name: str, value: int, message: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^generator\.{name}: {message}"):
        ConvNeXtConfig(**{name: value})


def test_the_kind_of_generator_decides_on_its_settings() -> None:
    assert from_dict({"generator": {"channels": 64}}).generator == MelGANConfig(channels=64)
    assert from_dict({"generator": {"kind": "convnext", "blocks": 2}}).generator == ConvNeXtConfig(blocks=2)
    with pytest.raises(
        ConfigurationError, match=r"^generator\.blocks: not a setting of generator\.kind melgan; it has"
    ):
        from_dict({"generator": {"blocks": 2}})
    with pytest.raises(ConfigurationError, match=r"^generator\.kind: 'wavenet' is not one of melgan, convnext$"):
        from_dict({"generator": {"kind": "wavenet"}})
    with pytest.raises(ConfigurationError, match=r"^generator: 'melgan' is not MelGANConfig$"):
        from_dict({"generator": "melgan"})


def test_a_seed_is_not_negative() -> None:
    with pytest.raises(ConfigurationError, match=r"^seed: -1; use 0 or more"):
        Config(seed=-1)


def test_no_loss_weighs_less_than_nothing() -> None:
    with pytest.raises(ConfigurationError, match=r"^vocoder_training\.loss_weights\.mel/l1: -1\.0; use 0 or more"):
        VocoderTrainingConfig(loss_weights={"mel/l1": -1.0})


@pytest.mark.parametrize(("name", "setting", "none"), [("wave", "scales", 0), ("period", "periods", ())])
def test_a_loss_has_a_discriminator_that_says_it(name: str, setting: str, none: Any) -> None:
    training = VocoderTrainingConfig(loss_weights={f"adversarial/{name}": 1.0})
    with pytest.raises(
        ConfigurationError, match=rf"^vocoder_training\.loss_weights\.adversarial/{name}: 1\.0, but there is no"
    ):
        Config(vocoder_training=training, discriminators=DiscriminatorConfig(**{setting: none}))
    regression = replace(training, adversarial_from=training.steps)
    Config(vocoder_training=regression, discriminators=DiscriminatorConfig(**{setting: none}))


def test_a_basis_learns_at_a_share_of_a_rate() -> None:
    with pytest.raises(ConfigurationError, match=r"^vocoder_training\.basis_learning_rate: 0\.1 is scaled with"):
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
    with pytest.raises(ConfigurationError, match=r"^unknown key generator\.stack; did you mean generator\.stacks\?$"):
        from_dict({"generator": {"stack": "x"}})
