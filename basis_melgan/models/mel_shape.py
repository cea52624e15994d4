"""The shape that generators expect of a mel."""

from torch import Tensor

from basis_melgan.errors import MelError


def require_mel(mel: Tensor, bands: int) -> None:
    """Check that a mel is (B, M, F) of `bands` bands and at least one frame.

    Raises:
        MelError: it has another shape.
    """
    if mel.ndim != 3 or mel.shape[1] != bands or mel.shape[2] == 0:
        raise MelError(f"mel of shape {tuple(mel.shape)}: expected (batch, {bands} bands, at least 1 frame)")
