"""Which backend runs which vocoder: the one place where all of them are known."""

from pathlib import Path

from basis_melgan.config.schema import BackendName
from basis_melgan.config.validation import require_threads
from basis_melgan.errors import ConfigurationError
from basis_melgan.inference.pretrained import resolve_model
from basis_melgan.inference.vocoder import Vocoder


def load_vocoder(
    path: Path | str, threads: int = 1, backend: BackendName | None = None, mel_config: str | None = None
) -> Vocoder:
    """A vocoder ready to speak.

    Args:
        path: its file, or the name of one that comes with this package.
        threads: to run it on.
        backend: what runs it; PyTorch for what training made (.safetensors) and ONNX Runtime for the rest unless given.
        mel_config: what mels it is given, as `Vocoder.load` says.

    Raises:
        ConfigurationError: no thread or too many, or an backend that cannot run such a file.
        MelError: of such mels none of the vocoder's own can be made.
        ModelFileError: there is none, or it is damaged, of another kind, or of a later version.
    """
    require_threads(threads)
    path = Path(path)
    trained = path.suffix == ".safetensors" or (backend == "torch" and not path.suffix)
    if backend is not None and trained != (backend == "torch"):
        fitting = "torch runs what training made (.safetensors), onnx and openvino what export made (.onnx)"
        raise ConfigurationError(f"backend: {backend} cannot run {path}; {fitting}")
    if trained:
        import torch  # here and below, since speaking does without it

        from basis_melgan.inference.torch import TorchBackend

        torch.set_num_threads(threads)
        return Vocoder(TorchBackend(resolve_model(path, ".safetensors")), mel_config)
    if backend == "openvino":
        from basis_melgan.inference.openvino import OpenVinoBackend

        return Vocoder(OpenVinoBackend(resolve_model(path, ".onnx"), threads), mel_config)
    return Vocoder.load(path, threads, mel_config)
