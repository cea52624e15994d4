"""The vocoder that users hold: mel to wave, wave to mel, and both ways one after the other."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.audio.mel_chunks import mel_chunks, pad_last_frame
from basis_melgan.errors import MelError
from basis_melgan.inference.backend import Array, Backend, Info
from basis_melgan.inference.mel_adapter import MelAdapter
from basis_melgan.inference.mel_checks import AnyMel, require_shape
from basis_melgan.inference.mel_scale_monitor import ScaleMonitor
from basis_melgan.inference.onnx import OnnxBackend
from basis_melgan.inference.pretrained import resolve_model
from basis_melgan.inference.stream import WINDOW, Stream

DEFAULT_VOCODER = "speech-24k"


class Vocoder:
    """Turns mel spectrograms into speech.

    >>> vocoder = Vocoder.load("speech-24k")
    >>> wave = vocoder(mel)  # (M, F) to (F·hop,), at vocoder.info.sample_rate

    Attributes:
        info: what the vocoder says of itself: rate, hop, mel convention, lookahead, parameters, cost, data, license.
    """

    def __init__(self, backend: Backend, mel_config: str | None = None) -> None:
        """Speak with an backend; `Vocoder.load` makes the usual one, and says more.

        Raises:
            MelError: of such mels none of the vocoder's own can be made.
        """
        self._backend = backend
        self.info: Info = backend.info
        self._scale = MelAdapter(self.info.mel_config, mel_config)

    @classmethod
    def load(cls, vocoder: str | Path = DEFAULT_VOCODER, threads: int = 1, mel_config: str | None = None) -> "Vocoder":
        """Load a vocoder that runs in ONNX Runtime.

        Args:
            vocoder: a file of `basis-melgan export`, or the name of one that comes with this package.
            threads: to run it on.
            mel_config: what mels it is given and makes, where these are not its own but differ only in scale:
                ``vocos:log10``, ``vocos:db``, or ``vocos:ln,2,-5`` where 2 · value − 5 is in that unit.

        Raises:
            ConfigurationError: no thread.
            MelError: of such mels none of the vocoder's own can be made.
            ModelFileError: there is none, or it is damaged, of another kind, or of a later version.
        """
        return cls(OnnxBackend(resolve_model(vocoder, ".onnx"), threads), mel_config)

    @overload
    def __call__(self, mel: AnyMel) -> Array: ...
    @overload
    def __call__(self, mel: Sequence[AnyMel]) -> list[Array]: ...

    def __call__(self, mel: AnyMel | Sequence[AnyMel]) -> Array | list[Array]:
        """Speak.

        Args:
            mel: one (M, F), several of a length (B, M, F), or a list of any; floats in the convention.

        Returns:
            The wave (F·hop,), the waves (B, F·hop), or a list of waves.

        Raises:
            MelError: a mel has another shape, no frame, or values that are not finite or not of the convention.
        """
        if isinstance(mel, list | tuple):
            return [self(each) for each in mel]
        mel = np.asarray(mel)
        self.samples(mel)
        return self._speak(mel)

    def stream(self) -> Stream:
        """A new stream: give it the mel chunk by chunk, as it is made."""
        return Stream(self._backend, self._scale, ScaleMonitor(self._scale))

    def mel(self, wave: Wave, rate: int) -> Array:
        """The mel (M, F) of a wave (T,) of `rate` Hz, resampled where the vocoder's is another; F·hop ≥ T.

        An uncentered convention drops what does not fill a frame, so silence fills it.

        Raises:
            MelError: the wave is not (T,), not of floats, empty, or holds NaN or infinite samples; or the rate is none.
        """
        frames = self.info.config.frames
        wave = pad_last_frame(self._resampled(wave, rate), self.info.mel_config, frames)
        return np.asarray(self._scale.theirs(mel_spectrogram(wave, self.info.mel_config, frames)))

    def resynthesize(self, wave: Wave, rate: int) -> Wave:
        """Speak a wave (T,) of `rate` Hz again from its mel, as (T',): exactly as long, at the vocoder's rate.

        Raises:
            MelError: as `mel`.
        """
        return np.concatenate(list(self.resynthesized([self._resampled(wave, rate)])))

    def resynthesized(self, pieces: Iterable[Wave]) -> Iterator[Wave]:
        """Speak a recording again that comes in consecutive pieces (T,) at the vocoder's rate, in as many samples.

        Memory is bounded.

        Raises:
            MelError: as `mel`.
        """
        stream, heard, said = self._unchecked_stream(), 0, 0

        def listened() -> Iterator[Wave]:
            nonlocal heard
            for piece in pieces:
                heard += piece.size
                yield piece

        def spoken() -> Iterator[Wave]:
            for mel in mel_chunks(listened(), self.info.mel_config, self.info.config.frames):
                yield stream.push(self._scale.theirs(mel))
            yield stream.flush()

        for wave in spoken():
            yield wave[: heard - said]
            said += min(wave.size, heard - said)

    def samples(self, mel: AnyMel) -> int:
        """Samples that the vocoder makes of a whole mel (M, F) or (B, M, F): F·hop.

        Raises:
            MelError: as a call.
        """
        require_shape(mel, self.info.mel_config)
        if mel.shape[-1] == 0:
            raise MelError(f"mel of shape {mel.shape}: holds no frame; expected at least one")
        self._scale.require_whole(mel)
        return self.info.config.frames.samples(mel.shape[-1])

    def pieces(self, mel: AnyMel, samples: int) -> Iterator[Wave]:
        """The first `samples` samples of what the vocoder makes of a mel (M, F) that `samples` took, in pieces.

        Memory beyond the mel is bounded.
        """
        stream, frames, left = self._unchecked_stream(), mel.shape[1], samples
        for start in range(0, frames + WINDOW, WINDOW):  # the last of them at the end or beyond
            piece = stream.push(mel[:, start : start + WINDOW]) if start < frames else stream.flush()
            yield piece[:left]
            left -= min(left, piece.size)

    def _speak(self, mel: AnyMel) -> Array:
        stream = self._unchecked_stream()
        return np.concatenate([stream.push(mel), stream.flush()], axis=-1)

    def _unchecked_stream(self) -> Stream:
        """A stream of a mel whose scale is known to be right."""
        return Stream(self._backend, self._scale)

    def _resampled(self, wave: Wave, rate: int) -> Wave:
        wave = np.asarray(wave)
        if wave.ndim != 1 or not np.issubdtype(wave.dtype, np.floating):
            raise MelError(f"wave of shape {wave.shape} and type {wave.dtype}: expected one channel (T,) of floats")
        if rate <= 0:
            raise MelError(f"rate: {rate} Hz; expected a sample rate above 0")
        return files.resample(wave, rate, self.info.sample_rate)
