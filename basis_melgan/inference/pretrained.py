"""Pretrained models, which come with this package."""

from pathlib import Path

import basis_melgan
from basis_melgan.errors import ModelFileError

PACKAGE = Path(basis_melgan.__file__).parent


def resolve_model(model: str | Path, suffix: str) -> Path:
    """Path of a model file, given as a path or as the name of a pretrained model.

    Args:
        model: path or name.
        suffix: suffix of a pretrained model's file, as `pretrained_path` takes it.

    Raises:
        ModelFileError: it is neither.
    """
    path = Path(model)
    return path if path.suffix or path.is_file() else pretrained_path(str(model), suffix)


def pretrained_path(name: str, suffix: str) -> Path:
    """Path of a pretrained model's file.

    A wheel carries the files inside the package, a clone of the repository beside it.

    Args:
        name: the model's, such as ``speech-24k``.
        suffix: ``.onnx``, exported for inference, or ``.safetensors``, as training writes it.

    Raises:
        ModelFileError: this installation holds no such model.
    """
    for folder in _folders():
        if (path := folder / f"{name}{suffix}").is_file():
            return path
    names = ", ".join(pretrained_names(suffix))
    raise ModelFileError(f"{name}: neither a file nor a model that comes with this package ({names})")


def pretrained_names(suffix: str) -> list[str]:
    """Names of the pretrained models that have a file of a suffix (.onnx or .safetensors), sorted."""
    return sorted({path.stem for folder in _folders() for path in folder.glob(f"*{suffix}") if "." not in path.stem})


def _folders() -> tuple[Path, Path]:
    return PACKAGE / "pretrained", PACKAGE.parent / "pretrained"
