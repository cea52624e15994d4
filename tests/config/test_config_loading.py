"""Presets, and loading of configurations from YAML, JSON and the command line."""

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
from basis_melgan.config.networks import ConvNeXtConfig, MelGANConfig
from basis_melgan.config.schema import Config, CorpusConfig, MixtureConfig
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


def test_presets_list_every_key_of_the_default_and_of_the_convnext_generator() -> None:
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
    names = keys()
    assert {"mel", "separator", "separator.blocks", "vocoder_training.loss_weights"} <= set(names)
    assert {"generator.kind", "generator.upsampling", "generator.lookahead"} <= set(names)  # of both kinds
    assert len(names) == len(set(names))
    generators = {field.name for kind in (MelGANConfig, ConvNeXtConfig) for field in fields(kind)}
    count = sum(1 + len(getattr(section, "__dataclass_fields__", ())) for section in vars(Config()).values())
    assert len(names) == count - len(fields(MelGANConfig)) + len(generators)


def test_generator_kind_selects_its_settings() -> None:
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


@pytest.mark.parametrize("preset", NAMES)
def test_json_round_trip(preset: str) -> None:
    config = load(preset)
    decoded = from_dict(json.loads(json.dumps(config.to_dict())))
    assert decoded == config
    assert isinstance(decoded.discriminators.resolutions[0], tuple)


def test_from_dict_adds_defaults_and_converts_types() -> None:
    config = from_dict({"mixture": {"noise_sigma": 1, "noises": ["white", "pink"]}, "corpus": {"max_clips": None}})
    assert config.mixture == MixtureConfig(noise_sigma=1.0, noises=("white", "pink"))
    assert isinstance(config.mixture.noise_sigma, float)
    assert config.corpus == CorpusConfig()
    assert from_dict({}) == Config()


def test_file_extends_another(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "extends: base.yaml\nvocoder_training: {steps: 9, loss_weights: {mel/l1: 3}}\n"
    )
    (tmp_path / "base.yaml").write_text("extends: speech-24k\ngenerator: {blocks: 2}\nseed: 5\n")
    config, parent = load(str(tmp_path / "config.yaml")), load("speech-24k")
    weights = parent.vocoder_training.loss_weights | {"mel/l1": 3.0}
    assert config == replace(
        parent,
        seed=5,
        generator=replace(parent.generator, blocks=2),
        vocoder_training=replace(parent.vocoder_training, steps=9, loss_weights=weights),
    )


def test_file_that_extends_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(ConfigurationError, match=r"a\.yaml: extends itself; remove one `extends`$"):
        load(str(tmp_path / "a.yaml"))
    for text, message in (("3", "extends: 3; expected text"), ("tin", "tin: neither a configuration file nor one of")):
        (tmp_path / "a.yaml").write_text(f"extends: {text}\n")
        with pytest.raises(ConfigurationError, match=f"^{message}"):
            load(str(tmp_path / "a.yaml"))


def test_generator_section_of_another_kind_is_replaced() -> None:
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
def test_command_line_values_are_yaml_except_text_and_paths(hint: Any, text: str, value: Any) -> None:
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
def test_command_line_value_of_another_type_is_refused(hint: Any, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{message}$"):
        parse_text(hint, text, "x")


def test_unknown_key_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"^unknown key generator\.stack; did you mean generator\.stacks\?$"):
        from_dict({"generator": {"stack": "x"}})
