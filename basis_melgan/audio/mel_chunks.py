"""The mel of a wave in chunks, in bounded memory."""

from collections.abc import Iterable, Iterator

import numpy as np

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.audio.mel import mel_config, mel_spectrogram
from basis_melgan.config.frames import FrameGeometry

CHUNK = 1_000  # mel frames, about ten seconds


def pad_last_frame(wave: Float32Array, name: str, frames: FrameGeometry) -> Float32Array:
    """A wave (T,) padded with zeros to whole frames where the mel config is uncentered and would drop the last one."""
    if wave.size and not mel_config(name).centered:
        return np.pad(wave, (0, -wave.size % frames.hop))
    return wave


def mel_chunks(chunks: Iterable[Float32Array], name: str, frames: FrameGeometry) -> Iterator[Float32Array]:
    """Mel chunks (M, n) of a wave in consecutive chunks (T,): together `mel_spectrogram` of the padded wave.

    Raises:
        MelError: as `mel_spectrogram`.
    """
    hop = frames.hop
    context = mel_config(name).window // hop + 2  # frames beyond the reach of a window and of pre-emphasis
    buffer, skipped_frames = np.zeros(0, np.float32), 0  # the buffer begins with so many frames of left context
    for chunk in chunks:
        buffer = np.concatenate([buffer, chunk])
        stop = buffer.size // hop - context  # frames before it have their windows within the buffer
        if stop < skipped_frames + CHUNK:
            continue
        yield mel_spectrogram(buffer[: (stop + context) * hop], name, frames)[:, skipped_frames:stop]
        buffer, skipped_frames = buffer[(stop - context) * hop :], context
    yield mel_spectrogram(pad_last_frame(buffer, name, frames), name, frames)[:, skipped_frames:]
