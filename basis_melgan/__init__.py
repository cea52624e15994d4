"""Basis-MelGAN: mel spectrograms to speech over a basis learned by denoising (arXiv 2106.13419)."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from basis_melgan.inference.stream import Stream
    from basis_melgan.inference.vocoder import Vocoder

__version__ = "0.1.0"
__all__ = ["Stream", "Vocoder", "__version__"]


def __getattr__(name: str) -> Any:
    """Import what speaks when it is first asked for: the command line's help does without it."""
    if name == "Vocoder":
        from basis_melgan.inference.vocoder import Vocoder

        return Vocoder
    if name == "Stream":
        from basis_melgan.inference.stream import Stream

        return Stream
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
