"""The entry point: help, error messages, exit statuses and standard streams."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from basis_melgan import __version__
from basis_melgan.cli import commands
from basis_melgan.cli.commands import COMMANDS
from basis_melgan.cli.main import main
from basis_melgan.config.loading import presets
from basis_melgan.errors import CorpusError

ROOT = Path(__file__).parents[2]


def error_line(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """Return the one-line error message of a command line."""
    assert main(list(argv)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("basis-melgan: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err.removeprefix("basis-melgan: ").rstrip()


def test_help_lists_every_command_without_heavy_imports() -> None:
    code = (
        "import sys; from basis_melgan.cli.main import main; main(['--help']); "
        "print(sorted({'numpy', 'rich', 'yaml', 'torch', 'soundfile'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    lines = result.stdout.splitlines()
    assert lines[-1] == "[]"
    assert {line.split()[0] for line in lines if line.startswith("  ")} == set(COMMANDS)
    assert all(len(line) <= 100 for line in lines)


def cpu_seconds(*argv: str) -> float:
    """Return the CPU seconds of a command: the minimum of five runs, since other tests may run at the same time."""
    times = []
    for _ in range(5):
        start = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "basis_melgan", *argv], cwd=ROOT, check=True, capture_output=True)
        end = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(end.ru_utime + end.ru_stime - start.ru_utime - start.ru_stime)
    return min(times)


def test_help_is_quick() -> None:
    assert cpu_seconds("--help") < 0.3
    assert cpu_seconds("train-separator", "--help") < 1.0


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"basis-melgan {__version__}\n"


def test_no_command_prints_the_help_and_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "train-vocoder" in capsys.readouterr().out


# Invalid arguments


@pytest.mark.parametrize(
    ("argv", "message"),
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
def test_invalid_arguments_are_refused(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert error_line(capsys, *argv) == message


@pytest.mark.parametrize(
    ("content", "message"),
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
def test_invalid_files_are_refused(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(content, encoding="utf-8")
    assert message in error_line(capsys, "train-separator", "c", "o", "--config", str(file))


def test_error_is_printed_on_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def stage() -> None:
        raise CorpusError("c: no such folder;\n  prepare it first")

    monkeypatch.setitem(commands.COMMANDS, "stage", stage)
    monkeypatch.setitem(commands.SECTIONS, stage, ())
    assert error_line(capsys, "stage") == "c: no such folder; prepare it first"


def test_interruption_and_unexpected_errors(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted_command() -> None:
        raise KeyboardInterrupt

    def failing_command() -> None:
        raise ZeroDivisionError("unexpected errors keep their traceback")

    monkeypatch.setitem(commands.COMMANDS, "interrupted", interrupted_command)
    monkeypatch.setitem(commands.COMMANDS, "failing", failing_command)
    monkeypatch.setitem(commands.SECTIONS, interrupted_command, ())
    monkeypatch.setitem(commands.SECTIONS, failing_command, ())
    assert main(["interrupted"]) == 130
    assert capsys.readouterr().err == "basis-melgan: interrupted\n"
    with pytest.raises(ZeroDivisionError):
        main(["failing"])
