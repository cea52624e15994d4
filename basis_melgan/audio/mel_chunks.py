"""The mel of a wave that comes in pieces, in bounded memory."""

from collections.abc import Iterable, Iterator

import numpy as np

from basis_melgan.audio.mel import Array, mel_config, mel_spectrogram
from basis_melgan.config.frames import FrameGeometry

CHUNK = 1_000  # mel frames, about ten seconds


def pad_last_frame(wave: Array, name: str, frames: FrameGeometry) -> Array:
    """A wave (T,) with the silence after it without which an uncentered convention would drop its last samples."""
    if wave.size and not mel_config(name).centered:
        return np.pad(wave, (0, -wave.size % frames.hop))
    return wave


def mel_chunks(pieces: Iterable[Array], name: str, frames: FrameGeometry) -> Iterator[Array]:
    """Mel chunks (M, n) of a wave in consecutive pieces (T,): together `mel_spectrogram` of the whole, covered.

    Raises:
        MelError: as `mel_spectrogram`.
    """
    hop = frames.hop
    # Frames beyond which no window reaches; pre-emphasis begins a sample before it.
    around = mel_config(name).window // hop + 2
    kept, skipped = np.zeros(0, np.float32), 0  # samples from some frame on, and frames of them that are said already
    for piece in pieces:
        kept = np.concatenate([kept, piece])
        ready = kept.size // hop - around  # frames whose windows end within what there is
        if ready < skipped + CHUNK:
            continue
        yield mel_spectrogram(kept[: (ready + around) * hop], name, frames)[:, skipped:ready]
        kept, skipped = kept[(ready - around) * hop :], around
    yield mel_spectrogram(pad_last_frame(kept, name, frames), name, frames)[:, skipped:]
