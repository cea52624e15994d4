"""Which engine runs which vocoder: the one place where all of them are known."""

from pathlib import Path

from basis_melgan.config.schema import EngineName
from basis_melgan.config.validation import require_threads
from basis_melgan.errors import ConfigurationError
from basis_melgan.inference.pretrained import located
from basis_melgan.inference.vocoder import Vocoder


def open_vocoder(
    path: Path | str, threads: int = 1, engine: EngineName | None = None, mel_convention: str | None = None
) -> Vocoder:
    """A vocoder ready to speak.

    Args:
        path: its file, or the name of one that comes with this package.
        threads: to run it on.
        engine: what runs it; PyTorch for what training made (.safetensors) and ONNX Runtime for the rest unless given.
        mel_convention: what mels it is given, as `Vocoder.load` says.

    Raises:
        ConfigurationError: no thread or too many, or an engine that cannot run such a file.
        MelError: of such mels none of the vocoder's own can be made.
        ModelFileError: there is none, or it is damaged, of another kind, or of a later version.
    """
    require_threads(threads)
    path = Path(path)
    trained = path.suffix == ".safetensors" or (engine == "torch" and not path.suffix)
    if engine is not None and trained != (engine == "torch"):
        fitting = "torch runs what training made (.safetensors), onnx and openvino what export made (.onnx)"
        raise ConfigurationError(f"engine: {engine} cannot run {path}; {fitting}")
    if trained:
        import torch  # here and below, since speaking does without it

        from basis_melgan.inference.torch import TorchEngine

        torch.set_num_threads(threads)
        return Vocoder(TorchEngine(located(path, ".safetensors")), mel_convention)
    if engine == "openvino":
        from basis_melgan.inference.openvino import OpenVinoEngine

        return Vocoder(OpenVinoEngine(located(path, ".onnx"), threads), mel_convention)
    return Vocoder.load(path, threads, mel_convention)
