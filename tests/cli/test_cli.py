"""The command line: help, arguments, refusals and standard streams."""

import inspect
import os
import re
import resource
import shlex
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from basis_melgan import __version__
from basis_melgan.cli import commands
from basis_melgan.cli.commands import COMMANDS, DEFAULT_PRESETS, SECTIONS
from basis_melgan.cli.main import SUBSTITUTES, main
from basis_melgan.cli.parser import DEFAULT_PRESET, arguments, positional_names
from basis_melgan.config.loading import load, presets
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError, CorpusError

ROOT = Path(__file__).parents[2]


def read(command: str, *words: str) -> dict[str, Any]:
    function = COMMANDS[command]
    return arguments(function, SECTIONS[function], words, DEFAULT_PRESETS.get(function, DEFAULT_PRESET))


def help_text(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """What a command prints for one of its help options."""
    with pytest.raises(SystemExit) as stop:
        main(list(words))
    assert stop.value.code == 0
    return capsys.readouterr().out


def refusal(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line with which a command line is refused."""
    assert main(list(words)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("basis-melgan: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err.removeprefix("basis-melgan: ").rstrip()


# Help


def test_help_lists_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from basis_melgan.cli.main import main; main(['--help']); "
        "print(sorted({'numpy', 'rich', 'yaml', 'torch', 'soundfile'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    lines = result.stdout.splitlines()
    assert lines[-1] == "[]"
    assert {line.split()[0] for line in lines if line.startswith("  ")} == set(COMMANDS)
    assert all(len(line) <= 100 for line in lines)


def seconds(*words: str) -> float:
    """CPU seconds of a command, the minimum of five runs, since other tests may run at the same time."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "basis_melgan", *words], cwd=ROOT, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


def test_help_is_quick() -> None:
    assert seconds("--help") < 0.3
    assert seconds("train-separator", "--help") < 1.0


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
def test_help_of_the_settings_lists_those_of_a_command(
    command: str, capsys: pytest.CaptureFixture[str], columns: None
) -> None:
    text = help_text(capsys, command, "--help-config")
    assert max(map(len, text.splitlines())) <= 100
    sections = re.findall(r"^  --(\w+)", text, re.MULTILINE)
    assert set(sections) == set(SECTIONS[COMMANDS[command]])


def test_help_of_a_setting_gives_its_value_text_and_type(capsys: pytest.CaptureFixture[str], columns: None) -> None:
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


def test_help_names_the_presets_and_the_default_one(capsys: pytest.CaptureFixture[str]) -> None:
    for command, default in (("train-separator", "basis-melgan-cpu"), ("train-vocoder", "convnext-24k")):
        text = "".join(help_text(capsys, command, "--help").split())
        assert f"preset({','.join(presets())})orYAMLfile(default:{default})" in text
        assert read(command, "c", "o")["config"] == load(default)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"basis-melgan {__version__}\n"


def test_no_command_shows_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "train-vocoder" in capsys.readouterr().out


# Arguments


def test_plain_arguments() -> None:
    assert read("separate", "in.wav", "out") == {
        "source": Path("in.wav"),
        "out": Path("out"),
        "force": False,
    }
    values = read("analyze", "s", "c", "o", "--clips", "a,b", "--force", "--seed", "7", "--split=train")
    assert (values["clips"], values["force"], values["seed"], values["split"]) == ("a,b", True, 7, "train")
    assert read("prepare", "folder", "out", "--source", "x")["source"] == Path("x")


def test_dotted_overrides_over_a_preset() -> None:
    words = (
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
    config = read("train-separator", *words)["config"]
    preset = load("basis-melgan-paper")
    assert config == replace(
        preset,
        separator=replace(preset.separator, blocks=3),
        mixture=replace(preset.mixture, noise_sigma=0.001, snr=(-3.0, 4.5)),
    )


def test_settings_may_be_spelled_with_dashes() -> None:
    config = read("train-vocoder", "c", "o", "--vocoder-training.learning-rate", "1e-3", "--separator", "s")["config"]
    assert config.vocoder_training.learning_rate == 1e-3


def test_null_tuples_flags_and_tables_on_the_command_line() -> None:
    words = ("c", "o", "--config=basis-melgan-paper", "--mixture.noise_sigma=null", "--mixture.level=null")
    config = read("train-separator", *words)["config"]
    assert (config.mixture.noise_sigma, config.mixture.level) == (None, None)
    config = read("train-separator", "c", "o", "--separator.causal", "true")["config"]
    assert config.separator.causal is True
    words = ("c", "o", "--separator", "s", "--mel", "vocos", "--vocoder_training.loss_weights.weights/l1", "1e1")
    values = read("train-vocoder", *words)
    assert values["separator"] == Path("s")
    assert values["config"].mel == "vocos"
    expected = load("convnext-24k").vocoder_training.loss_weights | {"weights/l1": 10.0}
    assert values["config"].vocoder_training.loss_weights == expected


def test_another_kind_of_generator_starts_from_its_defaults() -> None:
    words = (
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
    config = read("train-vocoder", *words)["config"]
    assert (config.generator, config.seed) == (ConvNeXtConfig(blocks=3), 4)
    with pytest.raises(
        ConfigurationError, match=r"^generator\.blocks: not a setting of generator\.kind melgan; it has"
    ):
        read("train-vocoder", "c", "o", "--config", "basis-melgan-cpu", "--generator.blocks", "3")
    with pytest.raises(ConfigurationError, match=r"^generator\.kind: 'wavenet'; expected one of melgan, convnext$"):
        read("train-vocoder", "c", "o", "--generator.kind", "wavenet")


def test_a_file_may_have_sections_of_other_commands(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("mel: vocos\nvocoder_training:\n  learning_rate: 1e-3\nseparator: {blocks: 2}\n", encoding="utf-8")
    config = read("train-separator", "c", "o", "--config", str(file), "--separator.repeats", "1")["config"]
    assert (config.mel, config.vocoder_training.learning_rate) == ("vocos", 1e-3)
    assert (config.separator.blocks, config.separator.repeats) == (2, 1)
    assert config.separator_training == Config().separator_training


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing yet\n", encoding="utf-8")
    assert load(str(tmp_path / "empty.yaml")) == Config()


# Refusals


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["trian-separator"], "unknown command trian-separator; did you mean train-separator?"),
        (["xyzzy"], "unknown command xyzzy; see basis-melgan --help"),
        (
            ["train-separator", "c", "o", "--separator.block", "3"],
            "unknown option --separator.block; did you mean --separator.blocks?",
        ),
        (["prepare", "folder", "o", "--job=3"], "unknown option --job; did you mean --jobs?"),
        (["vocode", "a", "b", "--vocodr", "c"], "unknown option --vocodr; did you mean --vocoder?"),
        (
            ["train-separator", "c", "o", "--vocoder_training.steps", "3"],
            "--vocoder_training.steps: train-separator does not use this setting; leave it out, or put it in a "
            "--config file",
        ),
        (
            ["train-vocoder", "c", "o", "--separator", "s", "--separator.blocks", "3"],
            "--separator.blocks: train-vocoder does not use this setting; leave it out, or put it in a --config file",
        ),
        (
            ["train-separator", "c", "o", "--separator.blocks", "three"],
            "separator.blocks: 'three'; expected integer",
        ),
        (
            ["train-separator", "c", "o", "--mixture.noise_sigma", "loud"],
            "mixture.noise_sigma: 'loud'; expected number or null",
        ),
        (
            ["train-vocoder", "c", "o", "--separator", "s", "--mel", "bark"],
            "mel: 'bark'; expected one of paper, hifigan, bigvgan, vocos",
        ),
        (["prepare", "folder", "o", "--jobs", "x"], "jobs: 'x'; expected integer or null"),
        (
            ["train-separator", "c"],
            "the following arguments are required: out; usage: basis-melgan train-separator corpus out [options]",
        ),
        (
            ["separate", "a", "b", "c", "d"],
            "too many arguments: c d; put patterns in quotes; usage: basis-melgan separate source out [options]",
        ),
        (
            ["compare", "a"],
            "the following arguments are required: --corpus, --out; usage: basis-melgan compare systems … "
            "--corpus CORPUS --out OUT [options]",
        ),
        (
            ["separate", "a", "b", "-x"],
            "unknown option -x; options begin with two dashes; see basis-melgan separate --help",
        ),
        (
            ["analyze", "a", "b", "c", "-s"],
            "unknown option -s; options begin with two dashes; did you mean --split or --seed or --snr?",
        ),
        (
            ["separate", "a", "b", "-force"],
            "unknown option -force; options begin with two dashes; did you mean --force?",
        ),
        (["separate", "--source", "a"], "--source: a positional argument, without --; expected source out [options]"),
        (["separate", "", "b"], "an argument is empty; expected source out [options]"),
        (["train-vocoder", "c", "o", "--steps", "3"], "unknown option --steps; did you mean --vocoder_training.steps?"),
        (
            ["train-separator", "c", "o", "--steps=3"],
            "unknown option --steps; did you mean --separator_training.steps?",
        ),
        (["fine-tune", "c", "o", "--step", "3"], "unknown option --step; did you mean --fine_tuning.steps?"),
        (
            ["fine-tune", "c", "o", "--learning-rate", "1"],
            "unknown option --learning-rate; did you mean --fine_tuning.learning_rate?",
        ),
        (
            ["train-vocoder", "c", "o", "--channels", "3"],
            "unknown option --channels; did you mean --generator.channels or --discriminators.channels?",
        ),
        (["vocode", "a", "b", "--steps", "3"], "unknown option --steps; see basis-melgan vocode --help"),
        (["vocode", "a", "b", "--config", "tiny"], "unknown option --config; did you mean --mel-config?"),
        (
            ["vocode", "a", "b", "--force=yes"],
            "argument --force: ignored explicit argument 'yes'; usage: basis-melgan vocode source out [options]",
        ),
        (["train-vocoder", "c", "o", "--start", "v"], "unknown option --start; see basis-melgan train-vocoder --help"),
        (["export", "v", "o", "--quantise", "int8"], "unknown option --quantise; did you mean --quantize?"),
        (
            ["export", "v", "o", "--quantize", "int4", "--calibration-data", "c"],
            "quantize: 'int4'; expected one of int8 or null",
        ),
        (
            ["export", "v", "o", "--quantize", "int8"],
            "--quantize and --calibration-data: each needs the other; give both, or neither",
        ),
        (
            ["export", "v", "o", "--exclude-layers", "trunk"],
            "--exclude-layers: has no effect without --quantize int8; add it, or leave this out",
        ),
        (["vocode", "a", "b", "--config-", "c"], "unknown option --config-; did you mean --mel-config?"),
        (
            ["train-vocoder", "c", "o", "--vocoder_training.loss_weights.mel/l2", "3"],
            "unknown option --vocoder_training.loss_weights.mel/l2; did you mean "
            "--vocoder_training.loss_weights.mel/l1?",
        ),
        (
            ["train-vocoder", "c", "o", "--generator.stacks", "3"],
            "generator.stacks: not a setting of generator.kind convnext; it has kind, channels, kernel, blocks, "
            "hidden, atoms, spacing, lookahead",
        ),
        ([""], "unknown command ''; see basis-melgan --help"),
        (
            ["prepare", "folder", "o", "--config"],
            "argument --config: expected one argument; usage: basis-melgan prepare recipe out [options]",
        ),
        (
            ["train-separator", "c", "o", "--mixture.snr", "[3,1]"],
            "mixture.snr: (3.0, 1.0) is not a range; give the lowest value first",
        ),
        (
            ["prepare", "folder", "o", "--config", "tin"],
            f"tin: neither a configuration file nor one of the presets {', '.join(presets())}",
        ),
    ],
    ids=lambda value: " ".join(value[:1] + value[3:4]) if isinstance(value, list) else "",
)
def test_refusals(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(capsys, *words) == text


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("separator:\n  block: 3\n", "unknown key separator.block; did you mean separator.blocks?"),
        ("seperator:\n  blocks: 3\n", "unknown key seperator; did you mean separator?"),
        ("separator:\n  blocks: three\n", "separator.blocks: 'three'; expected integer"),
        ("separator:\n  blocks: 3.0\n", "separator.blocks: 3.0; expected integer"),
        ("separator:\n  blocks: true\n", "separator.blocks: True; expected integer"),
        ("separator:\n  causal: 1\n", "separator.causal: 1; expected true or false"),
        ("mixture:\n  snr: [1]\n", "mixture.snr: [1]; expected [number, number]"),
        ("mixture:\n  noises: [white, blue]\n", "mixture.noises: 'blue'; expected one of white, "),
        ("frames:\n  hop: 250\n", "frames.stride: 15 does not divide frames.hop 250"),
        ("separator: 3\n", "separator: 3; expected mapping"),
        ("- 1\n", "configuration: [1]; expected mapping"),
        (
            "steps: 3\n",
            "unknown key steps; did you mean separator_training.steps or vocoder_training.steps or fine_tuning.steps?",
        ),
        ("a: [1\n", ": not YAML (while parsing a flow sequence"),
    ],
)
def test_refusals_of_a_file(content: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(content, encoding="utf-8")
    assert text in refusal(capsys, "train-separator", "c", "o", "--config", str(file))


def test_an_error_of_a_stage_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stage() -> None:
        raise CorpusError("c: no such folder;\n  prepare it first")

    monkeypatch.setitem(commands.COMMANDS, "stage", stage)
    monkeypatch.setitem(commands.SECTIONS, stage, ())
    assert refusal(capsys, "stage") == "c: no such folder; prepare it first"


def test_interruption_and_defects(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    def defective() -> None:
        raise ZeroDivisionError("a defect must show its traceback")

    monkeypatch.setitem(commands.COMMANDS, "interrupted", interrupted)
    monkeypatch.setitem(commands.COMMANDS, "defective", defective)
    monkeypatch.setitem(commands.SECTIONS, interrupted, ())
    monkeypatch.setitem(commands.SECTIONS, defective, ())
    assert main(["interrupted"]) == 130
    assert capsys.readouterr().err == "basis-melgan: interrupted\n"
    with pytest.raises(ZeroDivisionError):
        main(["defective"])


def test_a_closed_pipe_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "basis_melgan", "--help"]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writing)
    assert (result.returncode, result.stderr) == (141, b"")


# Standard streams


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "basis_melgan", *words]
    return subprocess.run(command, capture_output=True, cwd=ROOT, env={**os.environ, **environment}, check=False)


@pytest.mark.parametrize("encoding", ["cp1251", "cp1252", "ascii"])
@pytest.mark.parametrize("command", ["vocode", "analyze"])
def test_a_terminal_may_have_any_encoding(command: str, encoding: str) -> None:
    """The help of vocode has a ×, which cp1251 and ASCII lack, that of analyze a −, which all three lack."""
    words = (command, "--help")
    result, expected = run(*words, PYTHONIOENCODING=encoding), run(*words, PYTHONIOENCODING="utf-8")
    assert (result.returncode, result.stderr) == (expected.returncode, b"") == (0, b"")
    text = expected.stdout.decode()
    for character, substitute in SUBSTITUTES.items():
        if character.encode(encoding, "ignore") == b"":
            text = text.replace(character, substitute)
    assert result.stdout.decode(encoding) == text
    assert text.isascii() or encoding != "ascii"


@pytest.mark.parametrize("encoding", ["cp1251", "ascii", "utf-8"])
def test_a_file_name_may_have_any_characters(encoding: str) -> None:
    for name in ("нет-such-ｆile.npy", os.fsdecode(b"no-\xff.npy")):
        result = run("vocode", name, "out.wav", PYTHONIOENCODING=encoding)
        assert result.returncode == 2
        line = result.stderr.decode(encoding)
        assert line.startswith("basis-melgan: ")
        assert line.endswith(".npy: no such file; expected a mel (.npy, .npz, .pt)\n")
        assert line.count("\n") == 1


@pytest.mark.parametrize("environment", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LANG": "C"}])
def test_a_bare_locale_works(environment: dict[str, str]) -> None:
    result = run("train-vocoder", "--help", **environment)
    assert (result.returncode, result.stderr) == (0, b"")


def test_standard_streams_may_be_closed() -> None:
    command = f"{shlex.quote(sys.executable)} -m basis_melgan"
    cases = (("--version <&- >&- 2>&-", 0), ("--help >&-", 0), ("vocode a.npy - >&-", 2), ("nothing 2>&-", 2))
    for words, status in cases:
        result = subprocess.run(f"{command} {words}", shell=True, capture_output=True, cwd=ROOT, check=False)
        assert result.returncode == status, words
        assert b"Traceback" not in result.stderr


def test_a_full_disk_behind_standard_output_is_one_line() -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "basis_melgan", "--help"]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert (result.returncode, result.stderr) == (2, b"basis-melgan: [Errno 28] No space left on device\n")


def test_the_commands_use_every_section() -> None:
    names = {field.name for field in fields(Config)}
    assert set().union(*SECTIONS.values()) == names
