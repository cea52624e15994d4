"""Presets, and the strict reading of a configuration."""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, Literal, get_type_hints

import pytest

from basis_melgan.config.loading import (
    PRESETS,
    describe_type,
    from_dict,
    keys,
    load,
    merge,
    parse_text,
    parse_yaml,
    preset_path,
    presets,
    section_settings,
)
from basis_melgan.config.networks import ConvNeXtConfig, DiscriminatorConfig, MelGANConfig
from basis_melgan.config.schema import Config, CorpusConfig, MixtureConfig, VocoderTrainingConfig
from basis_melgan.errors import ConfigurationError
from basis_melgan.training.run import flatten

NAMES = [
    "basis-melgan-cpu",
    "basis-melgan-paper",
    "convnext-24k",
    "paper-24k",
    "speech-24k",
    "speech-24k-live",
    "speech-24k-small",
    "tiny",
]


def test_presets() -> None:
    assert list(presets()) == NAMES
    assert preset_path("tiny") == PRESETS / "tiny.yaml"
    assert load("basis-melgan-paper") == Config()
    assert len({json.dumps(load(name).to_dict()) for name in NAMES}) == len(NAMES)


def test_the_paper_preset_lists_every_key_and_convnext_those_of_its_generator() -> None:
    names = ("basis-melgan-paper", "convnext-24k")
    paper, convnext = (parse_yaml(preset_path(name).read_text(encoding="utf-8")) for name in names)
    assert list(flatten(paper)) == list(flatten(Config().to_dict()))
    assert convnext["generator"] == asdict(ConvNeXtConfig())


def test_every_setting_has_a_type_and_a_help_text() -> None:
    for section in get_type_hints(Config):
        for key, setting in section_settings(section).items():
            assert setting.help, key
            assert describe_type(setting.hint) != "mapping" or key == "vocoder_training.loss_weights"


def test_sections_have_at_most_80_settings() -> None:
    assert len([key for key in keys() if "." in key]) <= 80


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
def test_impossible_settings_are_refused(section: str, name: str, value: Any, message: str) -> None:
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
def test_a_convnext_generator_refuses_impossible_sizes(name: str, value: int, message: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^generator\.{name}: {message}"):
        ConvNeXtConfig(**{name: value})


def test_the_kind_of_generator_decides_on_its_settings() -> None:
    assert from_dict({"generator": {"channels": 64}}).generator == MelGANConfig(channels=64)
    assert from_dict({"generator": {"kind": "convnext", "blocks": 2}}).generator == ConvNeXtConfig(blocks=2)
    with pytest.raises(
        ConfigurationError, match=r"^generator\.blocks: not a setting of generator\.kind melgan; it has"
    ):
        from_dict({"generator": {"blocks": 2}})
    with pytest.raises(ConfigurationError, match=r"^generator\.kind: 'wavenet'; expected one of melgan, convnext$"):
        from_dict({"generator": {"kind": "wavenet"}})
    with pytest.raises(ConfigurationError, match=r"^generator: 'melgan'; expected mapping$"):
        from_dict({"generator": "melgan"})


def test_a_seed_is_not_negative() -> None:
    with pytest.raises(ConfigurationError, match=r"^seed: -1; use 0 or more"):
        Config(seed=-1)


def test_a_loss_weight_is_not_negative() -> None:
    with pytest.raises(ConfigurationError, match=r"^vocoder_training\.loss_weights\.mel/l1: -1\.0; use 0 or more"):
        VocoderTrainingConfig(loss_weights={"mel/l1": -1.0})


@pytest.mark.parametrize(("name", "setting", "none"), [("wave", "scales", 0), ("period", "periods", ())])
def test_an_adversarial_loss_needs_its_discriminator(name: str, setting: str, none: Any) -> None:
    training = VocoderTrainingConfig(loss_weights={f"adversarial/{name}": 1.0})
    with pytest.raises(
        ConfigurationError, match=rf"^vocoder_training\.loss_weights\.adversarial/{name}: 1\.0, but there is no"
    ):
        Config(vocoder_training=training, discriminators=DiscriminatorConfig(**{setting: none}))
    regression = replace(training, adversarial_from=training.steps)
    Config(vocoder_training=regression, discriminators=DiscriminatorConfig(**{setting: none}))


def test_the_learning_rate_of_the_basis_needs_that_of_the_generator() -> None:
    with pytest.raises(ConfigurationError, match=r"^vocoder_training\.basis_learning_rate: 0\.1 is scaled with"):
        VocoderTrainingConfig(learning_rate=0.0, basis_learning_rate=0.1)


@pytest.mark.parametrize("preset", NAMES)
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


def test_a_file_extends_another(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nvocoder_training: {steps: 9, loss_weights: {mel/l1: 3}}\n")
    (tmp_path / "base.yaml").write_text("extends: speech-24k\ngenerator: {blocks: 2}\nseed: 5\n")
    config, parent = load(str(tmp_path / "mine.yaml")), load("speech-24k")
    weights = parent.vocoder_training.loss_weights | {"mel/l1": 3.0}
    assert config == replace(
        parent,
        seed=5,
        generator=replace(parent.generator, blocks=2),
        vocoder_training=replace(parent.vocoder_training, steps=9, loss_weights=weights),
    )


def test_a_file_that_extends_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(ConfigurationError, match=r"a\.yaml: extends itself; remove one `extends`$"):
        load(str(tmp_path / "a.yaml"))
    for text, message in (("3", "extends: 3; expected text"), ("tin", "tin: neither a configuration file nor one of")):
        (tmp_path / "a.yaml").write_text(f"extends: {text}\n")
        with pytest.raises(ConfigurationError, match=f"^{message}"):
            load(str(tmp_path / "a.yaml"))


def test_a_section_of_another_kind_is_replaced_as_a_whole() -> None:
    settings = {"generator": {"kind": "convnext", "blocks": 2}, "separator": {"kind": "conv-tasnet", "hidden": 3}}
    changes = {"generator": {"kind": "melgan"}, "separator": {"kind": "tasnet"}}
    assert merge(settings, changes) == {"generator": {"kind": "melgan"}, "separator": {"kind": "tasnet", "hidden": 3}}
    assert merge({"generator": {"stacks": 1}}, {"generator": {"kind": "melgan"}})["generator"]["stacks"] == 1


@pytest.mark.parametrize(
    ("hint", "text", "value"),
    [
        (int, "3", 3),
        (float, "1e-3", 1e-3),
        (float, "-2.5E+1", -25.0),
        (float | None, "null", None),
        (bool, "true", True),
        (tuple[int, ...], "[2, 3]", (2, 3)),
        (str, "1e-3", "1e-3"),
        (str | None, "null", None),
        (Path | None, "[1", Path("[1")),
        (Literal["a", "1"], "1", "1"),
        (Literal["a"] | None, "a", "a"),
    ],
)
def test_command_line_text_is_yaml_except_for_text_and_paths(hint: Any, text: str, value: Any) -> None:
    assert parse_text(hint, text, "x") == value
    assert type(parse_text(hint, text, "x")) is type(value)


@pytest.mark.parametrize(
    ("hint", "text", "message"),
    [
        (int, "3.0", "x: 3.0; expected integer"),
        (int | None, "[", r"x: '\['; expected integer or null"),
        (float, "2024-13-45", "x: '2024-13-45'; expected number"),
        (float, "9" * 400, "x: 9+; expected number"),
        (tuple[float, float], "[1, b]", "x: 'b'; expected number"),
        (tuple[float, float], "3", r"x: 3; expected \[number, number\]"),
        (Literal["a", "b"], "c", "x: 'c'; expected one of a, b"),
    ],
)
def test_command_line_text_of_another_type_is_refused(hint: Any, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}$"):
        parse_text(hint, text, "x")


def test_from_dict_refuses_a_key_of_a_later_version() -> None:
    with pytest.raises(ConfigurationError, match=r"^unknown key generator\.stack; did you mean generator\.stacks\?$"):
        from_dict({"generator": {"stack": "x"}})
