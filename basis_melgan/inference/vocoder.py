"""The vocoder: mel to wave, wave to mel, and wave to mel to wave."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.arrays import Float32Array
from basis_melgan.audio.files import Wave
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.audio.mel_chunks import mel_chunks, pad_last_frame
from basis_melgan.errors import MelError
from basis_melgan.inference.backend import Backend, Info
from basis_melgan.inference.mel_adapter import MelAdapter
from basis_melgan.inference.mel_checks import Mel
from basis_melgan.inference.mel_scale_monitor import ScaleMonitor
from basis_melgan.inference.onnx import OnnxBackend
from basis_melgan.inference.pretrained import resolve_model
from basis_melgan.inference.stream import Stream

DEFAULT_VOCODER = "speech-24k"


class Vocoder:
    """Synthesizes speech from mel spectrograms.

    >>> vocoder = Vocoder.load("speech-24k")
    >>> wave = vocoder(mel)  # (M, F) to (F·hop,), at vocoder.info.sample_rate

    Attributes:
        info: sample rate, hop, mel config, lookahead, parameters, cost, training data and license.
    """

    def __init__(self, backend: Backend, mel_config: str | None = None) -> None:
        """Wrap a backend; `Vocoder.load` makes the usual one and documents `mel_config`.

        Raises:
            MelError: mels of `mel_config` cannot be converted to the vocoder's own.
        """
        self._backend = backend
        self.info: Info = backend.info
        self._adapter = MelAdapter(self.info.mel_config, mel_config)

    @classmethod
    def load(cls, vocoder: str | Path = DEFAULT_VOCODER, threads: int = 1, mel_config: str | None = None) -> "Vocoder":
        """Load a vocoder into ONNX Runtime.

        Args:
            vocoder: a file of `basis-melgan export`, or the name of a pretrained vocoder.
            threads: CPU threads.
            mel_config: mel config of the mels it takes and returns, where it differs from the vocoder's own in scale
                alone: ``vocos:log10``, ``vocos:db``, or ``vocos:ln,2,-5`` where 2 · value − 5 is in that unit.

        Raises:
            ConfigurationError: the number of threads is out of range.
            MelError: mels of `mel_config` cannot be converted to the vocoder's own.
            ModelFileError: the file is missing, damaged, of another kind, or of a later version.
        """
        return cls(OnnxBackend(resolve_model(vocoder, ".onnx"), threads), mel_config)

    @overload
    def __call__(self, mel: Mel) -> Float32Array: ...
    @overload
    def __call__(self, mel: Sequence[Mel]) -> list[Float32Array]: ...

    def __call__(self, mel: Mel | Sequence[Mel]) -> Float32Array | list[Float32Array]:
        """Synthesize whole mels.

        Args:
            mel: one mel (M, F), a batch (B, M, F) of one length, or a list of mels of any length; floats.

        Returns:
            The wave (F·hop,), the waves (B, F·hop), or a list of waves.

        Raises:
            MelError: a mel has another shape, no frame, or values that are not finite or of another mel config.
        """
        if isinstance(mel, list | tuple):
            return [self(item) for item in mel]
        mel = np.asarray(mel)
        self._validate(mel)
        stream = self._unmonitored_stream()
        return np.concatenate([*stream.synthesize_windows(mel), stream.flush()], axis=-1)

    def synthesize_chunks(self, mel: Mel, source: str = "mel") -> Iterator[Wave]:
        """Synthesize a whole mel (M, F) in consecutive chunks (T,), F·hop samples in all.

        The mel is checked before the first chunk is asked for. Memory beyond the mel is bounded.

        Args:
            mel: one mel; floats.
            source: where the mel comes from, for warnings.

        Raises:
            MelError: as a call; or there are several mels.
        """
        self._validate(mel, source)
        if mel.ndim != 2:
            raise MelError(
                f"mel of shape {mel.shape}: holds {mel.shape[0]} mels; "
                "save each to a file of its own and give the folder"
            )
        return self._mel_to_chunks(mel)

    def stream(self) -> Stream:
        """A new stream, which takes a mel in chunks as they become available."""
        return Stream(self._backend, self._adapter, ScaleMonitor(self._adapter))

    def mel(self, wave: Wave, sample_rate: int) -> Float32Array:
        """The mel (M, F) of a wave (T,), resampled to the vocoder's sample rate; F·hop ≥ T.

        Uncentered mel configs drop an incomplete last frame, so the wave is padded with zeros to a whole one.

        Raises:
            MelError: the wave is not (T,), not of floats, empty, or holds NaN or infinite samples; or the sample rate
                is not positive.
        """
        frames = self.info.config.frames
        wave = pad_last_frame(self._resample(wave, sample_rate), self.info.mel_config, frames)
        return np.asarray(self._adapter.from_model(mel_spectrogram(wave, self.info.mel_config, frames)))

    def resynthesize(self, wave: Wave, sample_rate: int) -> Wave:
        """Synthesize a wave (T,) again from its mel: (T',), as long as the input at the vocoder's sample rate.

        Raises:
            MelError: as `mel`.
        """
        return np.concatenate(list(self.resynthesize_chunks([self._resample(wave, sample_rate)])))

    def resynthesize_chunks(self, chunks: Iterable[Wave]) -> Iterator[Wave]:
        """Synthesize a recording in consecutive chunks (T,) at the vocoder's sample rate again from its mel.

        The output has as many samples as the input. Memory is bounded.

        Raises:
            MelError: as `mel`.
        """
        stream, input_samples, output_samples = self._unmonitored_stream(), 0, 0

        def count_samples() -> Iterator[Wave]:
            nonlocal input_samples
            for chunk in chunks:
                input_samples += chunk.size
                yield chunk

        def synthesize() -> Iterator[Wave]:
            for mel in mel_chunks(count_samples(), self.info.mel_config, self.info.config.frames):
                yield stream.push(self._adapter.from_model(mel))
            yield stream.flush()

        for wave in synthesize():
            chunk = wave[: input_samples - output_samples]
            yield chunk
            output_samples += chunk.size

    def _validate(self, mel: Mel, source: str = "mel") -> None:
        self._adapter.validate(mel, source)
        if mel.shape[-1] == 0:
            raise MelError(f"mel of shape {mel.shape}: holds no frame; expected at least one")

    def _mel_to_chunks(self, mel: Mel) -> Iterator[Wave]:
        stream = self._unmonitored_stream()
        yield from stream.synthesize_windows(mel)
        yield stream.flush()

    def _unmonitored_stream(self) -> Stream:
        """A stream of a mel of known scale."""
        return Stream(self._backend, self._adapter)

    def _resample(self, wave: Wave, sample_rate: int) -> Wave:
        wave = np.asarray(wave)
        if wave.ndim != 1 or not np.issubdtype(wave.dtype, np.floating):
            raise MelError(f"wave of shape {wave.shape} and type {wave.dtype}: expected one channel (T,) of floats")
        if sample_rate <= 0:
            raise MelError(f"sample_rate: {sample_rate} Hz; expected a rate above 0")
        return files.resample(wave, sample_rate, self.info.sample_rate)
