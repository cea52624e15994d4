"""The command-line parser: help texts, arguments and settings."""

import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from basis_melgan.cli.commands import COMMANDS, DEFAULT_PRESETS, SECTIONS
from basis_melgan.cli.main import main
from basis_melgan.cli.parser import DEFAULT_PRESET, arguments, positional_names
from basis_melgan.config.loading import load, presets
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError


def parse(command: str, *argv: str) -> dict[str, Any]:
    function = COMMANDS[command]
    return arguments(function, SECTIONS[function], argv, DEFAULT_PRESETS.get(function, DEFAULT_PRESET))


def help_text(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Return the output of a help option."""
    with pytest.raises(SystemExit) as stop:
        main(list(argv))
    assert stop.value.code == 0
    return capsys.readouterr().out


# Help


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_fits_one_screen(command: str, capsys: pytest.CaptureFixture[str], columns: None) -> None:
    text = help_text(capsys, command, "--help")
    assert text.startswith(f"usage: basis-melgan {command} ")
    lines = text.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 100
    names = inspect.signature(COMMANDS[command]).parameters
    positionals = positional_names(COMMANDS[command])
    options = [name if name in positionals else f"--{name}".replace("_", "-") for name in names]
    entries = dict(re.findall(r"^  (?:-h, )?(\S+)((?: \S+)?\s{2,}\S.*)$", text, re.MULTILINE))
    assert set(options) <= set(entries)
    assert ("--help-config" in text) is bool(SECTIONS[COMMANDS[command]])


@pytest.mark.parametrize("command", [command for command in COMMANDS if SECTIONS[COMMANDS[command]]])
def test_settings_help_lists_the_sections_of_a_command(
    command: str, capsys: pytest.CaptureFixture[str], columns: None
) -> None:
    text = help_text(capsys, command, "--help-config")
    assert max(map(len, text.splitlines())) <= 100
    sections = re.findall(r"^  --(\w+)", text, re.MULTILINE)
    assert set(sections) == set(SECTIONS[COMMANDS[command]])


def test_settings_help_has_values_descriptions_and_types(capsys: pytest.CaptureFixture[str], columns: None) -> None:
    text = " ".join(help_text(capsys, "train-separator", "--help-config", "--config", "basis-melgan-paper").split())
    description = "blocks per repeat of conv-tasnet (X), with dilations 1 to 2^(X − 1) (integer)"
    assert f"--separator.blocks 8 {description}" in text
    text = " ".join(help_text(capsys, "train-separator", "--config=tiny", "--help-config").split())
    assert f"--separator.blocks {load('tiny').separator.blocks} {description}" in text
    text = " ".join(help_text(capsys, "train-vocoder", "--help-config").split())
    assert "--generator.kind convnext" in text
    assert "(one of melgan, convnext)" in text
    assert (
        "--vocoder_training.loss_weights.NAME VALUE weight of each loss; 0 disables it (mapping): weights/l1 0" in text
    )


def test_help_lists_the_presets_and_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    for command, default in (("train-separator", "basis-melgan-cpu"), ("train-vocoder", "convnext-24k")):
        text = "".join(help_text(capsys, command, "--help").split())
        assert f"preset({','.join(presets())})orYAMLfile(default:{default})" in text
        assert parse(command, "c", "o")["config"] == load(default)


# Arguments


def test_arguments_of_a_command() -> None:
    assert parse("separate", "in.wav", "out") == {
        "source": Path("in.wav"),
        "out": Path("out"),
        "force": False,
    }
    values = parse("analyze", "s", "c", "o", "--clips", "a,b", "--force", "--seed", "7", "--split=train")
    assert (values["clips"], values["force"], values["seed"], values["split"]) == ("a,b", True, 7, "train")
    assert parse("prepare", "folder", "out", "--source", "x")["source"] == Path("x")


def test_dotted_options_override_a_preset() -> None:
    argv = (
        "c",
        "o",
        "--config",
        "basis-melgan-paper",
        "--separator.blocks",
        "3",
        "--mixture.noise_sigma=1e-3",
        "--mixture.snr",
        "[-3,4.5]",
    )
    config = parse("train-separator", *argv)["config"]
    preset = load("basis-melgan-paper")
    assert config == replace(
        preset,
        separator=replace(preset.separator, blocks=3),
        mixture=replace(preset.mixture, noise_sigma=0.001, snr=(-3.0, 4.5)),
    )


def test_settings_can_be_spelled_with_dashes() -> None:
    config = parse("train-vocoder", "c", "o", "--vocoder-training.learning-rate", "1e-3", "--separator", "s")["config"]
    assert config.vocoder_training.learning_rate == 1e-3


def test_null_tuple_boolean_and_mapping_values() -> None:
    argv = ("c", "o", "--config=basis-melgan-paper", "--mixture.noise_sigma=null", "--mixture.level=null")
    config = parse("train-separator", *argv)["config"]
    assert (config.mixture.noise_sigma, config.mixture.level) == (None, None)
    config = parse("train-separator", "c", "o", "--separator.causal", "true")["config"]
    assert config.separator.causal is True
    argv = ("c", "o", "--separator", "s", "--mel", "vocos", "--vocoder_training.loss_weights.weights/l1", "1e1")
    values = parse("train-vocoder", *argv)
    assert values["separator"] == Path("s")
    assert values["config"].mel == "vocos"
    expected = load("convnext-24k").vocoder_training.loss_weights | {"weights/l1": 10.0}
    assert values["config"].vocoder_training.loss_weights == expected


def test_another_generator_kind_starts_from_its_defaults() -> None:
    argv = (
        "c",
        "o",
        "--config",
        "basis-melgan-cpu",
        "--generator.kind",
        "convnext",
        "--generator.blocks",
        "3",
        "--seed",
        "4",
    )
    config = parse("train-vocoder", *argv)["config"]
    assert (config.generator, config.seed) == (ConvNeXtConfig(blocks=3), 4)
    with pytest.raises(
        ConfigurationError, match=r"^generator\.blocks: not a setting of generator\.kind melgan; it has"
    ):
        parse("train-vocoder", "c", "o", "--config", "basis-melgan-cpu", "--generator.blocks", "3")
    with pytest.raises(ConfigurationError, match=r"^generator\.kind: 'wavenet'; expected one of melgan, convnext$"):
        parse("train-vocoder", "c", "o", "--generator.kind", "wavenet")


def test_file_can_have_sections_of_other_commands(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("mel: vocos\nvocoder_training:\n  learning_rate: 1e-3\nseparator: {blocks: 2}\n", encoding="utf-8")
    config = parse("train-separator", "c", "o", "--config", str(file), "--separator.repeats", "1")["config"]
    assert (config.mel, config.vocoder_training.learning_rate) == ("vocos", 1e-3)
    assert (config.separator.blocks, config.separator.repeats) == (2, 1)
    assert config.separator_training == Config().separator_training


def test_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# empty\n", encoding="utf-8")
    assert load(str(tmp_path / "empty.yaml")) == Config()
