"""The scale of a mel that comes in chunks: checked as soon as enough of it is there, and as more comes."""

import warnings

import numpy as np

from basis_melgan.errors import MelWarning
from basis_melgan.inference.mel_adapter import MelAdapter
from basis_melgan.inference.mel_checks import AnyMel
from basis_melgan.inference.mel_statistics import ENOUGH, MANY


class ScaleMonitor:
    """Checks a stream once `ENOUGH` frames are there, whenever they have doubled, up to `MANY`, and at its end.

    A stream may begin with silence, so one check is not enough; what is kept is bounded.
    """

    def __init__(self, scale: MelAdapter) -> None:
        """Check that mels have a scale."""
        self._scale = scale
        self.reset()

    def reset(self) -> None:
        """Begin with another mel."""
        self._chunks: list[AnyMel] = []
        self._count, self._threshold, self._warned = 0, ENOUGH, False

    def add(self, mel: AnyMel) -> None:
        """Check the mel so far together with its next frames (M, n) or (B, M, n), n from 0 upward; warn at most once.

        Raises:
            MelError: it is of another scale; these frames do not count then.
        """
        if self._threshold > MANY:
            return
        chunks, count = [*self._chunks, mel], self._count + mel.shape[-1]
        if count >= self._threshold:
            chunks = [self._checked(chunks)]
            while self._threshold <= count:
                self._threshold *= 2
        chunks[-1] = chunks[-1].copy()  # not a view: the caller may use its buffer again
        self._chunks, self._count = ([] if self._threshold > MANY else chunks), count

    def end(self) -> None:
        """Check the whole mel, unless it was checked to `MANY` frames.

        Raises:
            MelError: it is of another scale; said once.
        """
        chunks, self._chunks = self._chunks, []
        if chunks:
            self._checked(chunks)

    def _checked(self, chunks: list[AnyMel]) -> AnyMel:
        mel = np.concatenate(chunks, axis=-1)[..., :MANY]
        doubt = self._scale.doubt(mel)
        if doubt and not self._warned:
            warnings.warn(doubt, MelWarning, stacklevel=4)
            self._warned = True
        return mel
