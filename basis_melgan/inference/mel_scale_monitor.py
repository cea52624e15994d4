"""Check of the scale of a mel that arrives in chunks."""

import warnings

import numpy as np

from basis_melgan.errors import MelWarning
from basis_melgan.inference.mel_adapter import MelAdapter
from basis_melgan.inference.mel_checks import Mel
from basis_melgan.inference.mel_statistics import MAX_FRAMES, MIN_FRAMES


class ScaleMonitor:
    """Checks a stream's scale at `MIN_FRAMES` frames, at every doubling up to `MAX_FRAMES`, and at its end.

    A stream may begin with silence, so one check is not enough. Memory is bounded.
    """

    def __init__(self, adapter: MelAdapter) -> None:
        """Monitor mels against the scale of an adapter."""
        self._adapter = adapter
        self.reset()

    def reset(self) -> None:
        """Start on a new mel."""
        self._chunks: list[Mel] = []
        self._frame_count, self._threshold, self._has_warned = 0, MIN_FRAMES, False

    def add(self, mel: Mel) -> None:
        """Add frames (M, n) or (B, M, n), n from 0 upward, and check the mel so far; warn at most once.

        Raises:
            MelError: it is of another scale; these frames are not added.
        """
        if self._threshold > MAX_FRAMES:
            return
        chunks, frame_count = [*self._chunks, mel], self._frame_count + mel.shape[-1]
        if frame_count >= self._threshold:
            chunks = [self._check(chunks)]
            while self._threshold <= frame_count:
                self._threshold *= 2
        chunks[-1] = chunks[-1].copy()  # not a view: the caller may reuse its buffer
        self._chunks, self._frame_count = ([] if self._threshold > MAX_FRAMES else chunks), frame_count

    def end(self) -> None:
        """Check the whole mel, unless it was checked to `MAX_FRAMES` frames.

        Raises:
            MelError: it is of another scale; raised once.
        """
        chunks, self._chunks = self._chunks, []
        if chunks:
            self._check(chunks)

    def _check(self, chunks: list[Mel]) -> Mel:
        """The first `MAX_FRAMES` frames of chunks, checked."""
        mel = np.concatenate(chunks, axis=-1)[..., :MAX_FRAMES]
        doubt = self._adapter.scale_doubt(mel)
        if doubt and not self._has_warned:
            warnings.warn(doubt, MelWarning, stacklevel=4)
            self._has_warned = True
        return mel
