"""Conversion of mels between the scale of a user's mels and that of the vocoder: an affine map of their values."""

import math
import warnings

import numpy as np

from basis_melgan.errors import MelError, MelWarning
from basis_melgan.inference.mel_checks import Mel, Range, finite_range, require_shape, value_range
from basis_melgan.inference.mel_scale_check import check_scale
from basis_melgan.inference.mel_scale_hypotheses import scale_hypotheses
from basis_melgan.inference.mel_statistics import Spread
from basis_melgan.inference.mel_units import Affine, parse_scale


class MelAdapter:
    """Checks mels, and maps a value of a user's mel to `factor` · value + `offset`, the vocoder's own.

    Attributes:
        factor: of a user's value.
        offset: added to the product.
    """

    def __init__(self, model_config: str, user_config: str | None) -> None:
        """Parse a mel config such as ``vocos``, ``vocos:log10``, or ``vocos:ln,2,-5``, where 2 · value − 5 is in ln.

        Args:
            model_config: name of the vocoder's mel config.
            user_config: mel config of a user's mels; None is the vocoder's.

        Raises:
            MelError: `user_config` cannot be parsed, or differs from the vocoder's in more than scale.
        """
        self._model_config, self._user_config = model_config, user_config or model_config
        self.factor, self.offset = 1.0, 0.0
        if self._user_config != model_config:
            self.factor, self.offset = parse_scale(self._user_config, model_config)
        self._is_identity = (self.factor, self.offset) == (1.0, 0.0)

    def validate(self, mel: Mel, source: str = "mel") -> None:
        """Refuse a whole mel (M, F) or (B, M, F) of another shape, type or scale; warn where the scale is doubtful.

        Args:
            mel: in the user's scale.
            source: where the mel comes from, for the warning.

        Raises:
            MelError: as `require_values`; or its statistics are those of another scale.
        """
        self.require_values(mel)
        if doubt := self.scale_doubt(mel, source):
            warnings.warn(doubt, MelWarning, stacklevel=2)

    def require_values(self, mel: Mel) -> None:
        """Refuse a mel (M, n) or (B, M, n), n from 0 upward, by its shape, type and range of values.

        Raises:
            MelError: it has another shape, holds no floats, or values that are not finite or far out of range.
        """
        require_shape(mel, self._model_config)
        if not mel.size:
            return
        values, accepted = finite_range(mel), value_range(self._model_config).accepted
        low, high = self._model_range(values)
        if low < accepted.low or high > accepted.high:
            raise MelError(self._refusal(mel, values, None))

    def scale_doubt(self, mel: Mel, source: str = "mel") -> str:
        """Why the scale of a mel (M, F) or (B, M, F) is doubtful, what it may be and what to do; empty if it is not.

        Args:
            mel: one that passes `require_values`.
            source: where the mel comes from, for the text.

        Raises:
            MelError: its statistics are those of another scale.
        """
        text = ""
        for item in mel.reshape(-1, *mel.shape[-2:]) if mel.size else ():
            if result := check_scale(self._affine(item), self._model_config):
                if result.certain:
                    raise MelError(self._refusal(item, finite_range(item), result.spread))
                text = f"{source}: {self._doubt(item, result.spread)}"
        return text

    def to_model(self, mel: Mel) -> Mel:
        """A mel that passes `require_values` in the vocoder's scale, clipped to the range of its mel config.

        Predicted mels leave that range a little. Mels of recordings do not, so no vocoder is trained on such values.
        """
        low, high = value_range(self._model_config)
        return np.clip(self._affine(mel), low, high)

    def from_model(self, mel: Mel) -> Mel:
        """A mel in the vocoder's scale in the user's."""
        return mel if self._is_identity else (mel - np.float32(self.offset)) / np.float32(self.factor)

    def _affine(self, mel: Mel) -> Mel:
        return mel if self._is_identity else np.float32(self.factor) * mel + np.float32(self.offset)

    def _model_range(self, values: Range) -> Range:
        return Range(*sorted(self.factor * value + self.offset for value in values))

    def _refusal(self, mel: Mel, values: Range, spread: Spread | None) -> str:
        """Why a mel is not of the user's mel config, what it may be, and what to do about it."""
        (low, high), expected = self._model_range(values), value_range(self._model_config)
        vocoder_config = f"; the vocoder's mel config {self._model_config}"
        if not self._is_identity:
            vocoder_config = (
                f", given as {self._user_config}, would be {low:.4g} to {high:.4g} in {self._model_config}, which"
            )
        text = f"mel: values from {values.low:.4g} to {values.high:.4g}{vocoder_config} has {expected.low:.4g} to "
        text += f"{expected.high:.4g}"
        if spread is not None:
            text += f", and they spread {math.exp(spread.excess):.2g} times as widely as those of speech"
        return text + (self._hypotheses(mel, values, spread) or f", so compute the mel with {self._model_config}")

    def _doubt(self, mel: Mel, spread: Spread | None) -> str:
        """Why a mel may be of another scale; without its values, so that the same warning is shown once."""
        width = "less" if spread is not None and spread.excess < 0 else "more"
        text = f"its values spread {width} widely than those of speech in {self._user_config}"
        return text + (self._hypotheses(mel, finite_range(mel), spread) or "; check that it is of that mel config")

    def _hypotheses(self, mel: Mel, values: Range, spread: Spread | None) -> str:
        """What a mel may be and what to do, as the end of a sentence; empty where no known scale fits."""
        hypotheses = scale_hypotheses(mel, self._model_config, Affine(self.factor, self.offset), values, spread)
        if not hypotheses:
            return ""
        text = f"; this one looks like {', or '.join(hypotheses)}"
        advice = "; pass the right one as --mel-config, in Python as mel_config"
        return text + advice if "mel config" in text else text
