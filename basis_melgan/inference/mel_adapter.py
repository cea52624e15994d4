"""Mels of another scale, brought to a vocoder's own: another base of the logarithm, a factor and an offset."""

import math
import warnings

import numpy as np

from basis_melgan.errors import MelError, MelWarning
from basis_melgan.inference.mel_checks import AnyMel, Range, finite_range, require_shape, value_range
from basis_melgan.inference.mel_scale_check import verdict
from basis_melgan.inference.mel_scale_hypotheses import Affine, causes
from basis_melgan.inference.mel_statistics import Spread
from basis_melgan.inference.mel_units import read_scale


class MelAdapter:
    """What values the mels have that a vocoder is given: `factor` · value + `offset` is its own."""

    def __init__(self, name: str, said: str | None) -> None:
        """Read a scale such as ``vocos``, ``vocos:log10``, or ``vocos:ln,2,-5`` where 2 · value − 5 is in that unit.

        Args:
            name: the vocoder's convention.
            said: the scale; the vocoder's own unless given.

        Raises:
            MelError: it cannot be read, or its mels come from other filters than the vocoder's, so that none of theirs
                can be made of them.
        """
        self._name, self._said, self.factor, self.offset = name, said, 1.0, 0.0
        if said is not None and said != name:
            self.factor, self.offset = read_scale(said, name)
        self._same = (self.factor, self.offset) == (1.0, 0.0)

    def own(self, mel: AnyMel) -> AnyMel:
        """The vocoder's own of a mel (M, n) or (B, M, n), n from 0 upward, within the range of its convention.

        What predicted mels leave of the range by a little, no mel of a recording does, and no vocoder was trained on.

        Raises:
            MelError: it has another shape, holds no floats, or values that are not finite or far from the scale's.
        """
        low, high = value_range(self._name)
        return np.clip(self._converted(mel), low, high)

    def require_whole(self, mel: AnyMel) -> None:
        """Refuse a mel (M, F) or (B, M, F) whose values or statistics are those of another scale; warn where in doubt.

        Raises:
            MelError: as `own`; or it is of another scale.
        """
        if doubt := self.doubt(mel):
            warnings.warn(doubt, MelWarning, stacklevel=2)

    def doubt(self, mel: AnyMel) -> str:
        """Why a mel (M, F) or (B, M, F) may be of another scale, what it may be and what to do; nothing if it is not.

        Raises:
            MelError: as `own`; or it is of another scale.
        """
        converted, text = self._converted(mel), ""
        if not mel.size:
            return text
        for source, row in zip(*(array.reshape(-1, *mel.shape[-2:]) for array in (mel, converted)), strict=True):
            if result := verdict(row, self._name):
                if result.certain:
                    raise MelError(self._refusal(source, finite_range(source), result.spread))
                text = self._warning(source, result.spread)
        return text

    def theirs(self, mel: AnyMel) -> AnyMel:
        """A mel of the vocoder's own in this scale."""
        return mel if self._same else (mel - np.float32(self.offset)) / np.float32(self.factor)

    def _converted(self, mel: AnyMel) -> AnyMel:
        """A mel in the vocoder's scale, as far beyond the range of its convention as a model's may be."""
        require_shape(mel, self._name)
        if not mel.size:
            return mel
        values, accepted = finite_range(mel), value_range(self._name).accepted
        low, high = self._converted_range(values)
        if low < accepted.low or high > accepted.high:
            raise MelError(self._refusal(mel, values, None))
        return mel if self._same else np.float32(self.factor) * mel + np.float32(self.offset)

    def _converted_range(self, values: Range) -> Range:
        return Range(*sorted(self.factor * value + self.offset for value in values))

    def _refusal(self, mel: AnyMel, values: Range, spread: Spread | None) -> str:
        """Why a mel is not of this scale, what it may be, and what to do about it."""
        (least, greatest), convention = self._converted_range(values), value_range(self._name)
        claim = f"; the vocoder's convention {self._name}"
        if not self._same:
            claim = f", said to be {self._said}, would be {least:.4g} to {greatest:.4g} in {self._name}, which"
        text = f"mel: values from {values.low:.4g} to {values.high:.4g}{claim} has {convention.low:.4g} to "
        text += f"{convention.high:.4g}"
        if spread is not None:
            text += f", and they spread {math.exp(spread.excess):.2g} times as widely as those of speech"
        return text + (self._causes(mel, values, spread) or ", so make the mel in that convention")

    def _warning(self, mel: AnyMel, spread: Spread | None) -> str:
        """Why a mel may not be of this scale; without its values, so that many alike are warned of once."""
        width = "less" if spread is not None and spread.excess < 0 else "more"
        text = f"mel: its values spread {width} widely than those of speech in {self._said or self._name}"
        return text + (self._causes(mel, finite_range(mel), spread) or "; check that it is of that convention")

    def _causes(self, mel: AnyMel, values: Range, spread: Spread | None) -> str:
        """What a mel may be and what to do, as the end of a sentence; nothing where no scale is known that fits."""
        fitting = causes(mel, self._name, Affine(self.factor, self.offset), values, spread)
        if not fitting:
            return ""
        text = f"; this one looks like {', or '.join(fitting)}"
        return text + "; pass the right one as --mel-config, in Python as mel_config" * ("mel convention" in text)
