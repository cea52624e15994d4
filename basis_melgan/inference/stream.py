"""Streaming synthesis: samples are returned as soon as the mel frames that they depend on have arrived."""

from collections.abc import Iterator

import numpy as np

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.errors import MelError
from basis_melgan.inference.backend import UNKNOWN_LENGTH, Backend
from basis_melgan.inference.mel_adapter import MelAdapter
from basis_melgan.inference.mel_checks import Mel
from basis_melgan.inference.mel_scale_monitor import ScaleMonitor

WINDOW = 500  # mel frames per call of the backend: fewer cost overhead, more outgrow the caches


class Stream:
    """Synthesizes mels in chunks (M, n), or (B, M, n) for B streams at once, of any sizes.

    Any chunking gives the wave of the whole mel, to 1e-5 of full scale. Memory does not grow with the length.
    """

    def __init__(self, backend: Backend, adapter: MelAdapter, monitor: ScaleMonitor | None = None) -> None:
        """Start a stream; `Vocoder.stream` makes the usual one.

        Args:
            backend: runs the network.
            adapter: converts mels of the user's scale to the vocoder's.
            monitor: checks the scale of the mels; None if it was checked before.
        """
        self._backend, self._info, self._adapter, self._monitor = backend, backend.info, adapter, monitor
        self._reset()

    def push(self, mel: Mel) -> Float32Array:
        """Synthesize the next chunk.

        Args:
            mel: the next frames (M, n) or (B, M, n), n from 0 upward, floats in the scale of the stream.

        Returns:
            The samples (T,) or (B, T) that are ready: n·hop, less the lookahead at the beginning.

        Raises:
            MelError: the mel has another shape than the mel config or the first chunk, or values that are not finite or
                far from the mel config's range; or the mel so far is in another scale.
        """
        mel = np.asarray(mel)
        self._adapter.require_values(mel)
        if self._last is not None and mel.shape[:-1] != self._last.shape[:-1]:
            raise MelError(f"mel of shape {mel.shape}: the stream began with {self._last.shape[:-1]} per frame")
        if self._monitor is not None:
            self._monitor.add(mel)
        return np.concatenate([self._empty(mel), *self.synthesize_windows(mel)], axis=-1)

    def synthesize_windows(self, mel: Mel) -> Iterator[Float32Array]:
        """Synthesize frames of a mel that was checked, in windows of bounded memory.

        Args:
            mel: the next frames (M, n) or (B, M, n), n from 0 upward, of a mel that passed `MelAdapter.validate`.

        Yields:
            Consecutive samples (T,) or (B, T), together those of `push`.
        """
        for start in range(0, mel.shape[-1], WINDOW):
            yield self._run(self._adapter.to_model(mel[..., start : start + WINDOW]), UNKNOWN_LENGTH)

    def flush(self) -> Float32Array:
        """End the mel: synthesize the samples that waited for frames ahead, and start a new one.

        Returns:
            The last samples (T,) or (B, T), so that there are F·hop in all.

        Raises:
            MelError: the whole mel is in another scale; another call still returns its end.
        """
        if self._last is None:
            return np.zeros(0, np.float32)
        if self._monitor is not None:
            self._monitor.end()
        frames, last = self._frame_offset, self._last
        remaining = frames * self._info.hop - self._sample_count
        repeats = max(0, self._info.min_frames - frames)
        padding = np.repeat(last, repeats, axis=-1)
        lookahead = np.zeros((*last.shape[:-1], self._info.lookahead_frames), np.float32)
        chunks = ((padding, UNKNOWN_LENGTH), (lookahead, frames + repeats))
        waves = [self._run(chunk, total_frames) for chunk, total_frames in chunks if chunk.size]
        self._reset()
        return np.concatenate([self._empty(last), *waves], axis=-1)[..., :remaining]

    def _reset(self) -> None:
        self._state: Float32Array | None = None
        self._last: Mel | None = None  # frame
        self._frame_offset = self._sample_count = 0
        if self._monitor is not None:
            self._monitor.reset()
        self._delay = self._info.lookahead_frames * self._info.hop  # samples still to drop

    def _empty(self, mel: Mel) -> Float32Array:
        return np.zeros((*mel.shape[:-2], 0), np.float32)

    def _run(self, mel: Mel, total_frames: int) -> Float32Array:
        """Synthesize frames (M, n) or (B, M, n) in the vocoder's scale, n from 1 upward; the delay is dropped."""
        batch = mel if mel.ndim == 3 else mel[None]
        if self._state is None:
            self._state = np.zeros((len(batch), self._info.state_size), np.float32)
        wave, self._state = self._backend.run(
            np.ascontiguousarray(batch, np.float32), self._state, self._frame_offset, total_frames
        )
        self._frame_offset += mel.shape[-1]
        self._last = mel[..., -1:].copy()  # a copy: the caller may reuse its buffer
        skip = min(self._delay, wave.shape[-1])
        self._delay -= skip
        self._sample_count += wave.shape[-1] - skip
        return (wave if mel.ndim == 3 else wave[0])[..., skip:]
