"""Which engine runs which vocoder: the one place where all of them are known."""

from pathlib import Path

from basis_melgan.errors import ConfigurationError
from basis_melgan.inference.vocoder import Vocoder


def open_vocoder(path: Path | str, threads: int = 1) -> Vocoder:
    """A vocoder ready to speak: what training made (.safetensors) in PyTorch, what export made (.onnx) in ONNX Runtime.

    Args:
        path: its file, or the name of one that comes with this package.
        threads: to run it on.

    Raises:
        ConfigurationError: no thread.
        ModelFileError: there is none, or it is damaged, of another kind, or of a later version.
    """
    if threads < 1:
        raise ConfigurationError(f"threads: {threads}; use 1 or more")
    if Path(path).suffix == ".safetensors":
        import torch  # here and below, since speaking does without it

        from basis_melgan.models.engine import TorchEngine

        torch.set_num_threads(threads)
        return Vocoder(TorchEngine(Path(path)))
    return Vocoder.load(path, threads)
