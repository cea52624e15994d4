"""Streaming synthesis: samples are returned as soon as the mel frames ahead of them are there."""

from collections.abc import Iterator

import numpy as np

from basis_melgan.errors import MelError
from basis_melgan.inference.backend import UNKNOWN_LENGTH, Array, Backend
from basis_melgan.inference.mel_adapter import MelAdapter
from basis_melgan.inference.mel_checks import AnyMel
from basis_melgan.inference.mel_scale_monitor import ScaleMonitor

WINDOW = 500  # mel frames per call of the backend: fewer cost overhead, more outgrow the caches


class Stream:
    """Synthesizes mels in chunks (M, n), or (B, M, n) for B streams at once, of any sizes.

    Any chunking gives the wave of the whole mel, to 1e-5 of full scale. Memory does not grow with the length.
    """

    def __init__(self, backend: Backend, scale: MelAdapter, monitor: ScaleMonitor | None = None) -> None:
        """Start a stream of mels in a scale, which is checked where a monitor is given, as `Vocoder.stream` does."""
        self._backend, self._info, self._scale, self._monitor = backend, backend.info, scale, monitor
        self._reset()

    def push(self, mel: AnyMel) -> Array:
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
        self._scale.require_values(mel)
        if self._last is not None and mel.shape[:-1] != self._last.shape[:-1]:
            raise MelError(f"mel of shape {mel.shape}: the stream began with {self._last.shape[:-1]} of each frame")
        if self._monitor is not None:
            self._monitor.add(mel)
        return self.push_validated(mel)

    def push_validated(self, mel: AnyMel) -> Array:
        """Synthesize frames as `push` does, without its checks, of a mel that passed `MelAdapter.validate`."""
        windows = (mel[..., start : start + WINDOW] for start in range(0, mel.shape[-1], WINDOW))
        waves = [wave for window in windows for wave in self._run(self._scale.to_model(window), UNKNOWN_LENGTH)]
        return np.concatenate([self._empty(mel), *waves], axis=-1)

    def flush(self) -> Array:
        """End the mel: synthesize the samples that waited for frames ahead, and start anew.

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
        waves = [self._empty(last), *self._run(np.repeat(last, repeats, axis=-1), UNKNOWN_LENGTH)]
        lookahead = np.zeros((*last.shape[:-1], self._info.lookahead_frames), np.float32)
        waves += self._run(lookahead, frames + repeats)
        self._reset()
        return np.concatenate(waves, axis=-1)[..., :remaining]

    def _reset(self) -> None:
        self._state: Array | None = None
        self._last: Array | None = None  # frame
        self._frame_offset = self._sample_count = 0
        if self._monitor is not None:
            self._monitor.reset()
        self._delay = self._info.lookahead_frames * self._info.hop  # samples still to drop

    def _empty(self, mel: AnyMel) -> Array:
        return np.zeros((*mel.shape[:-2], 0), np.float32)

    def _run(self, mel: Array, total_frames: int) -> Iterator[Array]:
        for start in range(0, mel.shape[-1], WINDOW):
            chunk = mel[..., start : start + WINDOW]
            batch = chunk if chunk.ndim == 3 else chunk[None]
            if self._state is None:
                self._state = np.zeros((len(batch), self._info.state_size), np.float32)
            wave, self._state = self._backend.run(
                np.ascontiguousarray(batch, np.float32), self._state, self._frame_offset, total_frames
            )
            self._frame_offset += chunk.shape[-1]
            self._last = chunk[..., -1:].copy()  # a copy: the caller may reuse its buffer
            dropped = min(self._delay, wave.shape[-1])
            self._delay -= dropped
            self._sample_count += wave.shape[-1] - dropped
            yield (wave if chunk.ndim == 3 else wave[0])[..., dropped:]
