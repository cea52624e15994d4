"""Basis-MelGAN: mel spectrograms to speech on a CPU, as a sum of basis atoms (arXiv 2106.13419)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from basis_melgan.errors import (
    AudioError,
    BasisMelGANError,
    ConfigurationError,
    CorpusError,
    InputWarning,
    MelError,
    MelWarning,
    MissingPackageError,
    ModelFileError,
    OutputError,
    TrainingError,
)

if TYPE_CHECKING:
    from basis_melgan.inference.backend import Info
    from basis_melgan.inference.stream import Stream
    from basis_melgan.inference.vocoder import Vocoder

__version__ = "0.1.0"
__all__ = [
    "AudioError",
    "BasisMelGANError",
    "ConfigurationError",
    "CorpusError",
    "Info",
    "InputWarning",
    "MelError",
    "MelWarning",
    "MissingPackageError",
    "ModelFileError",
    "OutputError",
    "Stream",
    "TrainingError",
    "Vocoder",
    "__version__",
]

# Imported at first use: the command line's help starts without NumPy.
_LAZY_MODULES = {
    "Info": "basis_melgan.inference.backend",
    "Stream": "basis_melgan.inference.stream",
    "Vocoder": "basis_melgan.inference.vocoder",
}


def __getattr__(name: str) -> Any:
    """Import a public class at its first use."""
    if name in _LAZY_MODULES:
        return getattr(import_module(_LAZY_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
