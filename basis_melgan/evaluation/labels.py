"""Short labels that distinguish systems in tables and as names of folders."""

import os
from collections.abc import Sequence
from pathlib import Path

from basis_melgan.errors import ConfigurationError

VOCODER_SUFFIXES = (".safetensors", ".onnx")


def system_labels(names: Sequence[str]) -> list[str]:
    """Label systems: a `.safetensors` file by its stem, another file or a folder by its name, a baseline by its own.

    Folders above two files with equal labels distinguish them: ``a/vocoder.safetensors`` and ``b/vocoder.safetensors``
    become `a` and `b`, ``x/a/vocoder.safetensors`` and ``y/a/vocoder.safetensors`` become `x-a` and `y-a`. Labels
    differ by more than case, because some file systems ignore it.

    Raises:
        ConfigurationError: a system occurs twice, or two files of one folder differ in case only.
    """
    paths = [_label_parts(name) for name in names]
    depths = [0] * len(names)  # number of folders in a label
    with_stem = [False] * len(names)  # whether the file's own name follows them
    while True:
        labels = [_label(*arguments) for arguments in zip(paths, depths, with_stem, strict=True)]
        folded = [label.casefold() for label in labels]
        duplicate = next((label for label in folded if folded.count(label) > 1), None)
        if duplicate is None:
            return labels
        indices = [index for index, label in enumerate(folded) if label == duplicate]
        indices = [index for index in indices if depths[index]] or indices  # a name without folders stays as it is
        extensible = [index for index in indices if len(paths[index]) > depths[index] + 2]
        if not extensible:
            raise ConfigurationError(
                f"systems: two have the label {labels[indices[0]]}; name each system once, or rename a file"
            )
        for index in extensible:
            if depths[index] and not with_stem[index] and len({paths[index][-1] for index in extensible}) > 1:
                with_stem[index] = True
            else:
                depths[index] += 1


def _label(parts: tuple[str, ...], depth: int, with_stem: bool) -> str:
    """Join the lowest `depth` folders, and the file's name where there are none or `with_stem` is set."""
    if depth == 0:
        return parts[-1]
    return "-".join(parts[-1 - depth :] if with_stem else parts[-1 - depth : -1])


def _label_parts(name: str) -> tuple[str, ...]:
    """The folders above a file or a folder and its short name; the name alone for any other system."""
    path = Path(os.path.abspath(name))
    if not (os.sep in name or path.suffix in VOCODER_SUFFIXES or path.is_dir()):
        return (name,)
    return (*path.parts[:-1], path.stem if path.suffix == ".safetensors" else path.name)
