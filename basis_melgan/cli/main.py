"""The command line: which verb is asked for, and what a mistake says."""

import codecs
import io
import os
import sys
import warnings
from collections.abc import Callable
from functools import partial
from typing import TextIO

from basis_melgan import __version__
from basis_melgan.cli.commands import COMMANDS, SECTIONS
from basis_melgan.config.loading import nearest
from basis_melgan.errors import BasisMelGANError, ConfigurationError, InputWarning
from basis_melgan.installation import install_command

# What pip calls the optional part that brings a module: none for those that always come along, `train` for the rest.
EXTRAS = {
    **dict.fromkeys(
        ("docstring_parser", "jsonargparse", "numpy", "onnxruntime", "rich", "soundfile", "soxr", "yaml"), ""
    ),
    **dict.fromkeys(("hama", "librosa", "requests", "resampy", "speechmos", "tqdm"), "metrics"),
    **dict.fromkeys(("onnx", "onnxscript"), "export"),
    "openvino": "openvino",
    "sounddevice": "play",
    "transformers": "peers",
}
# How characters are printed that the encoding of a terminal or a pipe lacks; of all others their escapes.
SUBSTITUTES = {"↑": "^", "↓": "v", "×": "x", "·": "*", "–": "-", "−": "-", "…": "..."}


def main(words: list[str] | None = None) -> int:
    """Run one verb; returns the exit status.

    2 for a user's mistake, told in one line; 130 for an interruption, 141 where nobody reads on, as shells have them.
    """
    words = sys.argv[1:] if words is None else words
    codecs.register_error("substitute", _substitute)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # whose encoding is the terminal's, which may know no arrow
            stream.reconfigure(errors="substitute")
    with warnings.catch_warnings():
        warnings.showwarning = partial(_show_warning, warnings.showwarning)
        return _status(words)


def _status(words: list[str]) -> int:
    try:
        status = _run(words)
        if sys.stdout:  # none where it was closed
            sys.stdout.flush()  # here, where a reader that has gone, such as `head`, is no mistake
        return status
    except BasisMelGANError as error:
        print(f"basis-melgan: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "basis_melgan":
            raise
        package = error.name.split(".")[0]
        extra = EXTRAS.get(package, "export" if words[0] == "export" else "train")
        hint = install_command(extra)
        print(f"basis-melgan: {words[0]} needs {package}, which is not installed; run {hint}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("basis-melgan: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        _silence_output()
        return 141
    except (OSError, MemoryError) as error:  # of the machine: a disk that is full, or no memory left
        _silence_output()
        print(f"basis-melgan: {str(error) or 'out of memory'}", file=sys.stderr)
        return 2


def _substitute(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that an encoding lacks, as an error handler of codecs."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    characters = error.object[error.start : error.end]
    escapes = (
        SUBSTITUTES.get(character) or character.encode("ascii", "backslashreplace").decode() for character in characters
    )
    return "".join(escapes), error.end


def _silence_output() -> None:
    """Let what standard output cannot take go nowhere, or the interpreter's last flush fails too."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _show_warning(
    otherwise: Callable[..., None],
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """One line for a warning of ours; Python's own way for any other."""
    if issubclass(category, InputWarning):
        print(f"basis-melgan: warning: {' '.join(str(message).split())}", file=file or sys.stderr)
    else:
        otherwise(message, category, filename, lineno, file, line)


def _run(words: list[str]) -> int:
    verb = words[0] if words else "--help"
    if verb in ("-h", "--help"):
        print(_help())
        return 0 if words else 2
    if verb == "--version":
        print(f"basis-melgan {__version__}")
        return 0
    if verb not in COMMANDS:
        raise ConfigurationError(
            f"unknown verb {verb or repr(verb)}{nearest(verb, COMMANDS) or '; see basis-melgan --help'}"
        )
    # Here, so that --help needs neither jsonargparse nor what it brings.
    from basis_melgan.cli.parser import arguments

    function = COMMANDS[verb]
    function(**arguments(function, SECTIONS[function], words[1:]))
    return 0


def _help() -> str:
    table = "\n".join(f"  {verb:<16} {(function.__doc__ or '').splitlines()[0]}" for verb, function in COMMANDS.items())
    return f"""usage: basis-melgan VERB ... [options]

Speech from mel spectrograms, over a basis learned by denoising.

{table}

basis-melgan VERB --help shows what a verb takes; basis-melgan --version shows the version."""
