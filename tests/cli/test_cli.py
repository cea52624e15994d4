"""The command line: what it accepts, and how it says no."""

import os
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
from basis_melgan.cli.commands import COMMANDS, SECTIONS
from basis_melgan.cli.main import SUBSTITUTES, main
from basis_melgan.cli.parser import arguments, load
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError, CorpusError

ROOT = Path(__file__).parents[2]


def read(verb: str, *words: str) -> dict[str, Any]:
    function = COMMANDS[verb]
    return arguments(function, SECTIONS[function], words)


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


def test_help_lists_every_verb_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from basis_melgan.cli.main import main; main(['--help']); "
        "print(sorted({'jsonargparse', 'numpy', 'rich', 'yaml', 'torch', 'soundfile'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    lines = result.stdout.splitlines()
    assert lines[-1] == "[]"
    assert {line.split()[0] for line in lines if line.startswith("  ")} == set(COMMANDS)
    assert all(len(line) <= 100 for line in lines)


def seconds(*words: str) -> float:
    """What a command costs, the least of five runs: CPU time, since other tests run beside this one."""
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


@pytest.mark.parametrize("verb", COMMANDS)
def test_help_of_a_verb(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([verb, "--help"])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith(f"usage: basis-melgan {verb} ")
    assert "<class" not in out
    for section in SECTIONS[COMMANDS[verb]]:
        assert f"--{section}" in out


def test_help_gives_text_type_and_default_of_a_setting(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train-separator", "--help", "--config", "paper"])
    out = " ".join(capsys.readouterr().out.split())
    text = "X of conv-tasnet, with dilations 1 to 2^(X − 1); more see further"
    assert f"--separator.blocks BLOCKS {text} (type: int, default: 8)" in out
    assert "--config CONFIG a preset (cpu, fast, paper, tiny) or a YAML file" in out


def test_help_shows_the_values_of_the_chosen_preset(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train-separator", "--config=tiny", "--help"])
    blocks = load("tiny").separator.blocks
    assert f"(type: int, default: {blocks})" in " ".join(capsys.readouterr().out.split()).split("--separator.blocks")[1]


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"basis-melgan {__version__}\n"


def test_no_verb_shows_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "train-vocoder" in capsys.readouterr().out


# Arguments


def test_plain_arguments() -> None:
    assert read("separate", "in.wav", "out") == {
        "source": Path("in.wav"),
        "out": Path("out"),
        "separator": None,
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
        "paper",
        "--separator.blocks",
        "3",
        "--mixture.noise_sigma=1e-3",
        "--mixture.snr",
        "[-3,4.5]",
    )
    config = read("train-separator", *words)["config"]
    paper = load("paper")
    assert config == replace(
        paper,
        separator=replace(paper.separator, blocks=3),
        mixture=replace(paper.mixture, noise_sigma=0.001, snr=(-3.0, 4.5)),
    )


def test_settings_may_be_spelled_with_dashes() -> None:
    config = read("train-vocoder", "c", "o", "--vocoder-training.learning-rate", "1e-3", "--separator", "s")["config"]
    assert config.vocoder_training.learning_rate == 1e-3


def test_null_tuples_flags_and_tables_on_the_command_line() -> None:
    config = read("train-separator", "c", "o", "--config=paper", "--mixture.noise_sigma=null", "--mixture.level=null")[
        "config"
    ]
    assert (config.mixture.noise_sigma, config.mixture.level) == (None, None)
    config = read("train-separator", "c", "o", "--separator.causal", "true")["config"]
    assert config.separator.causal is True
    words = ("c", "o", "--separator", "s", "--mel", "vocos", "--vocoder_training.loss_weights.weights/l1", "1e1")
    values = read("train-vocoder", *words)
    assert values["separator"] == Path("s")
    assert values["config"].mel == "vocos"
    expected = load("cpu").vocoder_training.loss_weights | {"weights/l1": 10.0}
    assert values["config"].vocoder_training.loss_weights == expected


def test_another_kind_of_generator_starts_from_its_defaults() -> None:
    words = ("c", "o", "--config", "cpu", "--generator.kind", "convnext", "--generator.blocks", "3", "--seed", "4")
    config = read("train-vocoder", *words)["config"]
    assert (config.generator, config.seed) == (ConvNeXtConfig(blocks=3), 4)
    with pytest.raises(ConfigurationError, match=r"^generator\.blocks: not a setting of generator\.kind melgan; leave"):
        read("train-vocoder", "c", "o", "--config", "cpu", "--generator.blocks", "3")
    with pytest.raises(ConfigurationError, match=r"^generator\.kind: 'wavenet' is not one of melgan, convnext"):
        read("train-vocoder", "c", "o", "--generator.kind", "wavenet")


def test_the_default_preset_is_cpu() -> None:
    assert read("train-separator", "c", "o")["config"] == load("cpu")


def test_own_file_with_sections_of_other_verbs(tmp_path: Path) -> None:
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
        (["trian-separator"], "unknown verb trian-separator; did you mean train-separator?"),
        (["xyzzy"], "unknown verb xyzzy; see basis-melgan --help"),
        (
            ["train-separator", "c", "o", "--separator.block", "3"],
            "unknown key separator.block; did you mean separator.blocks?",
        ),
        (["prepare", "folder", "o", "--job=3"], "unknown key job; did you mean jobs?"),
        (["vocode", "a", "b", "--vocodr", "c"], "unknown key vocodr; did you mean vocoder?"),
        (
            ["train-separator", "c", "o", "--vocoder_training.steps", "3"],
            "vocoder_training.steps is no setting of train-separator; leave it out, or put it in a --config file",
        ),
        (
            ["train-vocoder", "c", "o", "--separator", "s", "--separator.blocks", "3"],
            "separator.blocks is no setting of train-vocoder; leave it out, or put it in a --config file",
        ),
        (
            ["train-separator", "c", "o", "--separator.blocks", "three"],
            "separator.blocks: three is not int; see basis-melgan train-separator --help",
        ),
        (
            ["train-separator", "c", "o", "--mixture.noise_sigma", "loud"],
            "mixture.noise_sigma: loud is not float | null; see basis-melgan train-separator --help",
        ),
        (
            ["train-vocoder", "c", "o", "--separator", "s", "--mel", "bark"],
            "mel: bark is not one of paper, hifigan, bigvgan, vocos; see basis-melgan train-vocoder --help",
        ),
        (["prepare", "folder", "o", "--jobs", "x"], "jobs: x is not int | null; see basis-melgan prepare --help"),
        (
            ["train-separator", "c"],
            "missing: out; expected corpus out [options]; see basis-melgan train-separator --help",
        ),
        (
            ["separate", "a", "b", "c", "d"],
            "too many arguments: c d; expected source out [options], with patterns in quotes; "
            "see basis-melgan separate --help",
        ),
        (
            ["compare", "a"],
            "missing: --corpus, --out; expected systems … --corpus CORPUS --out OUT [options]; "
            "see basis-melgan compare --help",
        ),
        (
            ["separate", "a", "b", "-x"],
            "unknown option -x; options begin with two dashes; see basis-melgan separate --help",
        ),
        (
            ["analyze", "a", "b", "c", "-s"],
            "unknown option -s; options begin with two dashes; did you mean --separator or --split or --seed?",
        ),
        (
            ["separate", "a", "b", "-force"],
            "unknown option -force; options begin with two dashes; did you mean --force?",
        ),
        (["separate", "--source", "a"], "source: goes by its place, without --; expected source out [options]"),
        (["separate", "", "b"], "an argument is empty; expected source out [options]"),
        (["train-vocoder", "c", "o", "--steps", "3"], "unknown key steps; did you mean vocoder_training.steps?"),
        (["train-separator", "c", "o", "--steps=3"], "unknown key steps; did you mean separator_training.steps?"),
        (["fine-tune", "c", "o", "--step", "3"], "unknown key step; did you mean fine_tuning.steps?"),
        (
            ["fine-tune", "c", "o", "--learning-rate", "1"],
            "unknown key learning-rate; did you mean fine_tuning.learning_rate?",
        ),
        (
            ["train-vocoder", "c", "o", "--channels", "3"],
            "unknown key channels; did you mean generator.channels or discriminators.channels?",
        ),
        (["vocode", "a", "b", "--steps", "3"], "unknown key steps; see basis-melgan vocode --help"),
        (["vocode", "a", "b", "--config", "tiny"], "unknown key config; did you mean mel_config?"),
        (["vocode", "a", "b", "--force=yes"], "force: takes no value; see basis-melgan vocode --help"),
        ([""], "unknown verb ''; see basis-melgan --help"),
        (
            ["prepare", "folder", "o", "--config"],
            "argument --config: expected one argument; see basis-melgan prepare --help",
        ),
        (
            ["train-separator", "c", "o", "--mixture.snr", "[3,1]"],
            "mixture.snr: (3.0, 1.0) is not a range; give the lowest value first",
        ),
        (
            ["prepare", "folder", "o", "--config", "tin"],
            "tin: neither a configuration file nor one of the presets cpu, fast, paper, tiny",
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
        ("separator:\n  blocks: three\n", "separator.blocks: 'three' is not int"),
        ("separator:\n  blocks: 3.0\n", "separator.blocks: 3.0 is not int"),
        ("separator:\n  blocks: true\n", "separator.blocks: True is not int"),
        ("separator:\n  causal: 1\n", "separator.causal: 1 is not bool"),
        ("mixture:\n  snr: [1]\n", "mixture.snr: [1] is not tuple[float, float]"),
        ("mixture:\n  noises: [white, blue]\n", "mixture.noises: 'blue' is not one of white, "),
        ("frames:\n  hop: 250\n", "frames.stride: 15 does not divide frames.hop 250"),
        ("separator: 3\n", "separator: 3 is not SeparatorConfig"),
        ("- 1\n", "configuration: [1] is not Config"),
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


def test_a_mistake_found_by_a_stage_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_who_reads_no_further_is_told_nothing() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "basis_melgan", "--help"]
    result = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writing)
    assert (result.returncode, result.stderr) == (141, b"")


# Standard streams


def streamed(*words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "basis_melgan", *words]
    return subprocess.run(command, capture_output=True, cwd=ROOT, env={**os.environ, **environment}, check=False)


@pytest.mark.parametrize("encoding", ["cp1251", "cp1252", "ascii"])
@pytest.mark.parametrize("verb", ["vocode", "analyze"])
def test_a_terminal_of_any_encoding_is_written_to(verb: str, encoding: str) -> None:
    """The help of vocode has a ×, which cp1251 and ASCII lack, that of analyze a −, which all three lack."""
    words = (verb, "--help")
    told, expected = streamed(*words, PYTHONIOENCODING=encoding), streamed(*words, PYTHONIOENCODING="utf-8")
    assert (told.returncode, told.stderr) == (expected.returncode, b"") == (0, b"")
    text = expected.stdout.decode()
    for character, substitute in SUBSTITUTES.items():
        if character.encode(encoding, "ignore") == b"":
            text = text.replace(character, substitute)
    assert told.stdout.decode(encoding) == text
    assert text.isascii() or encoding != "ascii"


@pytest.mark.parametrize("encoding", ["cp1251", "ascii", "utf-8"])
def test_a_file_name_of_any_characters_is_told(encoding: str) -> None:
    for name in ("нет-such-ｆile.npy", os.fsdecode(b"no-\xff.npy")):
        told = streamed("vocode", name, "out.wav", PYTHONIOENCODING=encoding)
        assert told.returncode == 2
        line = told.stderr.decode(encoding)
        assert line.startswith("basis-melgan: ")
        assert line.endswith(".npy: no such file; expected a mel (.npy, .npz, .pt)\n")
        assert line.count("\n") == 1


@pytest.mark.parametrize("environment", [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}, {"LANG": "C"}])
def test_a_bare_locale_is_no_obstacle(environment: dict[str, str]) -> None:
    told = streamed("train-vocoder", "--help", **environment)
    assert (told.returncode, told.stderr) == (0, b"")


def test_closed_streams_are_no_obstacle() -> None:
    command = f"{shlex.quote(sys.executable)} -m basis_melgan.cli.main"
    cases = (("--version <&- >&- 2>&-", 0), ("--help >&-", 0), ("vocode a.npy - >&-", 2), ("nothing 2>&-", 2))
    for words, status in cases:
        told = subprocess.run(f"{command} {words}", shell=True, capture_output=True, cwd=ROOT, check=False)
        assert told.returncode == status, words
        assert b"Traceback" not in told.stderr


def test_a_full_disk_behind_standard_output_is_told_in_one_line() -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "basis_melgan", "--help"]
        told = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    assert (told.returncode, told.stderr) == (2, b"basis-melgan: [Errno 28] No space left on device\n")


def test_every_section_that_a_verb_names_exists() -> None:
    names = {field.name for field in fields(Config)}
    assert set().union(*SECTIONS.values()) == names
