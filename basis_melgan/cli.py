"""The command line: which verb is asked for, and what a mistake says."""

import os
import sys
import warnings
from typing import TextIO

from basis_melgan import __version__
from basis_melgan.errors import BasisMelGANError, ConfigurationError, MelWarning
from basis_melgan.settings import nearest
from basis_melgan.verbs import SECTIONS, VERBS

# What pip calls the optional parts that hold a module, where a verb's own does not.
EXTRAS = {"openvino": "openvino", "sounddevice": "play"}


def main(words: list[str] | None = None) -> int:
    """Run one verb; returns the exit status.

    2 for a user's mistake, told in one line; 130 for an interruption, 141 where nobody reads on, as shells have them.
    """
    words = sys.argv[1:] if words is None else words
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            status = _run(words)
        sys.stdout.flush()  # here, where a reader that has gone, such as `head`, is no mistake
        return status
    except BasisMelGANError as error:
        print(f"basis-melgan: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == __package__:
            raise
        extra = EXTRAS.get(error.name) or ("export" if words[0] in ("export", "bench") else "train")
        hint = f'pip install "basis-melgan[{extra}]"'
        print(f"basis-melgan: {words[0]} needs {error.name}, which is not installed; run {hint}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("basis-melgan: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at the end
        return 141


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Tell a warning of this package in one line, others as Python does."""
    text = f"basis-melgan: warning: {' '.join(str(message).split())}\n"
    if not issubclass(category, MelWarning):
        text = warnings.formatwarning(message, category, filename, lineno, line)
    print(text, end="", file=file or sys.stderr)


def _run(words: list[str]) -> int:
    verb = words[0] if words else "--help"
    if verb in ("-h", "--help"):
        print(_help())
        return 0 if words else 2
    if verb == "--version":
        print(f"basis-melgan {__version__}")
        return 0
    if verb not in VERBS:
        raise ConfigurationError(f"unknown verb {verb}{nearest(verb, VERBS) or '; see basis-melgan --help'}")
    # Here, so that --help needs neither jsonargparse nor what it brings.
    from basis_melgan.parsing import arguments

    function = VERBS[verb]
    function(**arguments(function, SECTIONS[function], words[1:]))
    return 0


def _help() -> str:
    table = "\n".join(f"  {verb:<16} {(function.__doc__ or '').splitlines()[0]}" for verb, function in VERBS.items())
    return f"""usage: basis-melgan VERB ... [options]

Speech from mel spectrograms, over a basis learned by denoising.

{table}

basis-melgan VERB --help shows what a verb takes; basis-melgan --version shows the version."""


if __name__ == "__main__":
    sys.exit(main())
