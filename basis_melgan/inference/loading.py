"""Loading of vocoders: the choice of a backend for a model file."""

from pathlib import Path

from basis_melgan.config.schema import BackendName
from basis_melgan.config.validation import require_threads
from basis_melgan.errors import ConfigurationError
from basis_melgan.inference.pretrained import resolve_model
from basis_melgan.inference.vocoder import Vocoder


def load_vocoder(
    path: Path | str, threads: int = 1, backend: BackendName | None = None, mel_config: str | None = None
) -> Vocoder:
    """Load a vocoder into a backend.

    Args:
        path: its model file, or the name of a pretrained vocoder.
        threads: CPU threads.
        backend: None is PyTorch for files of training (.safetensors) and ONNX Runtime for exported files (.onnx).
        mel_config: mel config of the mels it takes and returns, as `Vocoder.load` documents it.

    Raises:
        ConfigurationError: the number of threads is out of range, or the backend cannot run such a file.
        MelError: mels of `mel_config` cannot be converted to the vocoder's own.
        ModelFileError: the file is missing, damaged, of another kind, or of a later version.
    """
    require_threads(threads)
    path = Path(path)
    needs_torch = path.suffix == ".safetensors" or (backend == "torch" and not path.suffix)
    if backend is not None and needs_torch != (backend == "torch"):
        raise ConfigurationError(
            f"backend: {backend} cannot run {path}; torch runs files of training (.safetensors), onnx and openvino "
            "files of export (.onnx)"
        )
    if needs_torch:
        import torch  # only here and below: inference of exported files runs without PyTorch

        from basis_melgan.inference.torch import TorchBackend

        torch.set_num_threads(threads)
        return Vocoder(TorchBackend(resolve_model(path, ".safetensors")), mel_config)
    if backend == "openvino":
        from basis_melgan.inference.openvino import OpenVinoBackend

        return Vocoder(OpenVinoBackend(resolve_model(path, ".onnx"), threads), mel_config)
    return Vocoder.load(path, threads, mel_config)
