"""Entry point of the command line: runs a command, and prints a mistake as one line."""

import codecs
import io
import os
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import TextIO

from basis_melgan import __version__
from basis_melgan.cli import parser
from basis_melgan.cli.commands import COMMANDS, DEFAULT_PRESETS, SECTIONS
from basis_melgan.cli.parser import DEFAULT_PRESET
from basis_melgan.config.loading import nearest
from basis_melgan.errors import BasisMelGANError, ConfigurationError, InputWarning
from basis_melgan.installation import install_command

# The extra of pip that installs a module: none for required ones, `train` for those that are not listed.
EXTRAS = {
    **dict.fromkeys(("numpy", "onnxruntime", "rich", "soundfile", "soxr", "yaml"), ""),
    **dict.fromkeys(("hama", "librosa", "requests", "resampy", "speechmos", "tqdm"), "metrics"),
    **dict.fromkeys(("onnx", "onnxscript"), "export"),
    "openvino": "openvino",
    "sounddevice": "play",
    "transformers": "peers",
}
# Replacements of characters that the encoding of a terminal or a pipe lacks; all others are escaped.
SUBSTITUTES = {"↑": "^", "↓": "v", "×": "x", "·": "*", "–": "-", "−": "-", "…": "..."}


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status.

    It is 2 for a user's mistake, which is printed as one line, 130 for an interruption and 141 for a closed pipe, as in
    shells.
    """
    argv = sys.argv[1:] if argv is None else argv
    codecs.register_error("substitute", _substitute)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # has the terminal's encoding, which may lack arrows
            stream.reconfigure(errors="substitute")
    with warnings.catch_warnings():
        warnings.showwarning = partial(_show_warning, warnings.showwarning)
        return _exit_status(argv)


def _exit_status(argv: list[str]) -> int:
    try:
        status = _run(argv)
        if sys.stdout:  # None if it was closed
            sys.stdout.flush()  # here, where a reader that has exited, such as `head`, raises BrokenPipeError
        return status
    except BasisMelGANError as error:
        print(f"basis-melgan: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "basis_melgan":
            raise
        package = error.name.split(".")[0]
        extra = EXTRAS.get(package, "export" if argv[0] == "export" else "train")
        hint = install_command(extra)
        print(f"basis-melgan: {argv[0]} needs {package}, which is not installed; run {hint}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("basis-melgan: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _silence_output()
        return 141
    except (OSError, MemoryError) as error:  # of the machine, such as a full disk
        _silence_output()
        print(f"basis-melgan: {str(error) or 'out of memory'}", file=sys.stderr)
        return 2


def _substitute(error: UnicodeError) -> tuple[str, int]:
    """Replace characters that an encoding lacks; an error handler of `codecs`."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    escapes = (
        SUBSTITUTES.get(character) or character.encode("ascii", "backslashreplace").decode() for character in characters
    )
    return "".join(escapes), error.end


def _silence_output() -> None:
    """Redirect standard output to nowhere if it cannot be written, or the interpreter's last flush fails too."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_warning(
    show_other: Callable[..., None],
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning of this package as one line, and others as Python does."""
    if issubclass(category, InputWarning):
        print(f"basis-melgan: warning: {' '.join(str(message).split())}", file=file or sys.stderr)
    else:
        show_other(message, category, filename, lineno, file, line)


def _run(argv: list[str]) -> int:
    command = argv[0] if argv else "--help"
    if command in ("-h", "--help"):
        print(_help())
        return 0 if argv else 2
    if command == "--version":
        print(f"basis-melgan {__version__}")
        return 0
    if command not in COMMANDS:
        hint = nearest(command, COMMANDS) or "; see basis-melgan --help"
        raise ConfigurationError(f"unknown command {command or repr(command)}{hint}")
    function = COMMANDS[command]
    preset = DEFAULT_PRESETS.get(function, DEFAULT_PRESET)
    function(**parser.arguments(function, SECTIONS[function], argv[1:], preset))
    return 0


def _help() -> str:
    table = "\n".join(f"  {name:<16} {(function.__doc__ or '').splitlines()[0]}" for name, function in COMMANDS.items())
    return f"""usage: basis-melgan COMMAND ... [options]

Fast neural vocoder for CPUs, with training, evaluation and ONNX export.

{table}

basis-melgan COMMAND --help shows the arguments of a command, basis-melgan --version the version."""
