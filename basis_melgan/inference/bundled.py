"""Models that come with this package."""

from pathlib import Path

import basis_melgan
from basis_melgan.errors import ModelFileError

PACKAGE = Path(basis_melgan.__file__).parent


def bundled(name: str, suffix: str) -> Path:
    """Path of a model that comes with this package, such as `speech-24k`.

    A wheel carries them inside the package, a clone of the repository beside it.

    Args:
        name: the model's.
        suffix: .onnx, which speaks, or .safetensors, as training leaves it.

    Raises:
        ModelFileError: this installation holds no such model.
    """
    folders = (PACKAGE / "pretrained", PACKAGE.parent / "pretrained")
    for folder in folders:
        if (path := folder / f"{name}{suffix}").is_file():
            return path
    known = sorted({path.stem for folder in folders for path in folder.glob(f"*{suffix}") if "." not in path.stem})
    raise ModelFileError(f"{name}: neither a file nor a model that comes with this package ({', '.join(known)})")
