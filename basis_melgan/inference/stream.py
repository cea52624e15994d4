"""Speaking chunk by chunk: samples come as soon as the mel ahead of them is there."""

from collections.abc import Iterator

import numpy as np

from basis_melgan.errors import MelError
from basis_melgan.inference.backend import UNKNOWN_LENGTH, Array, Backend
from basis_melgan.inference.mel_adapter import MelAdapter
from basis_melgan.inference.mel_checks import AnyMel
from basis_melgan.inference.mel_scale_monitor import ScaleMonitor

WINDOW = 500  # mel frames that are given to the backend at once: fewer are slow to begin, more outgrow the caches


class Stream:
    """A vocoder that is given mels (M, n), or (B, M, n) of B streams at once, in chunks of any size.

    Whatever the chunks, together they say what the vocoder says of the whole mel (house rule: to 1e-5). What is kept
    between them does not grow.
    """

    def __init__(self, backend: Backend, scale: MelAdapter, monitor: ScaleMonitor | None = None) -> None:
        """Begin a stream of mels of a scale, whose scale is checked where a monitor is given; `Vocoder.stream` does."""
        self._backend, self._info, self._scale, self._monitor = backend, backend.info, scale, monitor
        self._begin()

    def push(self, mel: AnyMel) -> Array:
        """Speak on.

        Args:
            mel: the next frames (M, n) or (B, M, n), n from 0 upward, floats in the scale of the stream.

        Returns:
            The samples (T,) or (B, T) that are ready: n·hop in all once the lookahead is over.

        Raises:
            MelError: the mel has another shape than the convention or the first chunk has, or values that are not
                finite or far from the convention's; or the mel so far is of another scale.
        """
        mel = np.asarray(mel)
        self._scale.require_values(mel)
        if self._last is not None and mel.shape[:-1] != self._last.shape[:-1]:
            raise MelError(f"mel of shape {mel.shape}: the stream began with {self._last.shape[:-1]} of each frame")
        if self._monitor is not None:
            self._monitor.add(mel)
        return self.push_validated(mel)

    def push_validated(self, mel: AnyMel) -> Array:
        """Synthesize frames as `push` does, without its checks: of a mel that `MelAdapter.validate` took."""
        windows = (mel[..., start : start + WINDOW] for start in range(0, mel.shape[-1], WINDOW))
        waves = [wave for window in windows for wave in self._pushed(self._scale.to_model(window), UNKNOWN_LENGTH)]
        return np.concatenate([self._empty(mel), *waves], axis=-1)

    def flush(self) -> Array:
        """End the mel: speak what was waiting for the frames ahead, and begin anew.

        Returns:
            The last samples (T,) or (B, T), so that there are F·hop in all.

        Raises:
            MelError: the whole mel is of another scale; its end can still be had by another call.
        """
        if self._last is None:
            return np.zeros(0, np.float32)
        if self._monitor is not None:
            self._monitor.end()
        frames, last = self._first, self._last
        left = frames * self._info.hop - self._said
        held = max(0, self._info.min_frames - frames)
        waves = [self._empty(last), *self._pushed(np.repeat(last, held, axis=-1), UNKNOWN_LENGTH)]
        ahead = np.zeros((*last.shape[:-1], self._info.lookahead_frames), np.float32)
        waves += self._pushed(ahead, frames + held)
        self._begin()
        return np.concatenate(waves, axis=-1)[..., :left]

    def _begin(self) -> None:
        self._state: Array | None = None
        self._last: Array | None = None  # frame
        self._first = self._said = 0
        if self._monitor is not None:
            self._monitor.reset()
        self._late = self._info.lookahead_frames * self._info.hop  # samples still to be dropped

    def _empty(self, mel: AnyMel) -> Array:
        return np.zeros((*mel.shape[:-2], 0), np.float32)

    def _pushed(self, mel: Array, frames: int) -> Iterator[Array]:
        for start in range(0, mel.shape[-1], WINDOW):
            chunk = mel[..., start : start + WINDOW]
            batch = chunk if chunk.ndim == 3 else chunk[None]
            if self._state is None:
                self._state = np.zeros((len(batch), self._info.state_size), np.float32)
            wave, self._state = self._backend.run(
                np.ascontiguousarray(batch, np.float32), self._state, self._first, frames
            )
            self._first += chunk.shape[-1]
            self._last = chunk[..., -1:].copy()  # not a view: the caller may use its buffer again
            dropped = min(self._late, wave.shape[-1])
            self._late -= dropped
            self._said += wave.shape[-1] - dropped
            yield (wave if chunk.ndim == 3 else wave[0])[..., dropped:]
