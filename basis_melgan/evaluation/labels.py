"""Short names that tell systems apart, in tables and as names of folders."""

import os
from collections.abc import Sequence
from pathlib import Path

from basis_melgan.errors import ConfigurationError

VOCODERS = (".safetensors", ".onnx")  # suffixes of their files


def labels(names: Sequence[str]) -> list[str]:
    """Short names for systems: a file's stem (an exported one's whole name), a folder's name, a baseline's own.

    Where two files or folders would bear the same, those above them tell them apart: ``a/vocoder.safetensors`` and
    ``b/vocoder.safetensors`` are `a` and `b`, ``x/a/vocoder.safetensors`` and ``y/a/vocoder.safetensors`` are `x-a` and
    `y-a`. No two names differ by case alone, since some file systems do not tell them apart.

    Raises:
        ConfigurationError: a system is named twice, or two files of one folder differ by case alone.
    """
    paths = [_path(name) for name in names]
    depths, with_stem = (
        [0] * len(names),
        [False] * len(names),
    )  # folders in a label, and whether a file's own name follows
    while True:
        short = [_label(*arguments) for arguments in zip(paths, depths, with_stem, strict=True)]
        folded = [label.casefold() for label in short]
        clash = next((label for label in folded if folded.count(label) > 1), None)
        if clash is None:
            return short
        places = [place for place, label in enumerate(folded) if label == clash]
        places = [place for place in places if depths[place]] or places  # who bears its own name alone keeps it
        longer = [place for place in places if len(paths[place]) > depths[place] + 2]
        if not longer:
            raise ConfigurationError(
                f"systems: two of them are called {short[places[0]]}; name each once, or rename a file"
            )
        for place in longer:
            if depths[place] and not with_stem[place] and len({paths[place][-1] for place in longer}) > 1:
                with_stem[place] = True
            else:
                depths[place] += 1


def _label(path: tuple[str, ...], depth: int, with_stem: bool) -> str:
    if depth == 0:
        return path[-1]
    return "-".join(path[-1 - depth :] if with_stem else path[-1 - depth : -1])


def _path(name: str) -> tuple[str, ...]:
    """The folders above a file or a folder and its short name; of anything else the name alone."""
    path = Path(os.path.abspath(name))
    if not (os.sep in name or path.suffix in VOCODERS or path.is_dir()):
        return (name,)
    return (*path.parts[:-1], path.stem if path.suffix == ".safetensors" else path.name)
