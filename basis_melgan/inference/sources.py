"""Sources of synthesis: mels and recordings, in files and on standard input."""

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.errors import AudioError, MelError
from basis_melgan.inference.mel_checks import Mel
from basis_melgan.inference.mel_files import MEL_SUFFIXES, is_mel_file, parse_mel, read_mel
from basis_melgan.inference.vocoder import Vocoder

STANDARD_STREAM = "-"  # input or output
INPUT_NAME, PIPE_HINT = "standard input", "pipe a mel (.npy) or a sound file into it"


class Synthesis(NamedTuple):
    """A wave under synthesis.

    Attributes:
        chunks: consecutive chunks (T,) of the wave.
        sample_count: samples in all; for a compressed recording about so many.
    """

    chunks: Iterator[Wave]
    sample_count: int


def synthesize_source(source: Path, vocoder: Vocoder) -> Synthesis:
    """Synthesize a mel's file, a sound file, or ``-``, standard input.

    Memory beyond a mel is bounded; a recording is read as it is synthesized.

    Raises:
        AudioError: the file is neither a mel nor a sound file, or a recording that cannot be used.
        MelError: the mel is damaged, empty, or does not fit the vocoder.
    """
    if source == Path(STANDARD_STREAM):
        return _synthesize_standard_input(vocoder)
    if source.is_dir():
        raise AudioError(f"{source}: is a folder; name one file")
    suffix = source.suffix.lower()
    if suffix in MEL_SUFFIXES:
        return _synthesize_mel(read_mel(source), str(source), vocoder)
    if suffix in files.READABLE_SUFFIXES:
        return _synthesize_recording(source, vocoder)
    if not source.exists():
        raise AudioError(f"{source}: no such file; expected a mel ({', '.join(MEL_SUFFIXES)}) or a sound file")
    raise AudioError(
        f"{source}: {suffix or 'no suffix'} is neither a mel ({', '.join(MEL_SUFFIXES)}) nor a sound file "
        "(.wav, .flac, …)"
    )


def require_input() -> None:
    """Check that standard input is a pipe or a file.

    Raises:
        AudioError: it is closed or a terminal.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise AudioError(f"{INPUT_NAME}: is closed; {PIPE_HINT}")
    if sys.stdin.isatty():
        raise AudioError(f"{INPUT_NAME}: is the terminal; {PIPE_HINT}")


def read_frames(bands: int) -> Iterator[Mel]:
    """Mel frames (M, n) from standard input as they arrive: M float32 each, one after another.

    Raises:
        AudioError: standard input is closed or a terminal.
        MelError: the input ends within a frame.
    """
    require_input()
    frame_size, buffer = 4 * bands, b""
    while data := os.read(sys.stdin.fileno(), 1 << 16):  # returns what is available, without waiting for more
        buffer += data
        size = len(buffer) // frame_size * frame_size
        if size:
            yield np.frombuffer(buffer[:size], np.float32).reshape(-1, bands).T
        buffer = buffer[size:]
    if buffer:
        raise MelError(f"{INPUT_NAME}: ends {len(buffer)} bytes into a frame; expected {bands} float32 a frame")


def _synthesize_standard_input(vocoder: Vocoder) -> Synthesis:
    require_input()
    content = sys.stdin.buffer.read()
    if not content:
        raise AudioError(f"{INPUT_NAME}: holds nothing; {PIPE_HINT}")
    if is_mel_file(content):
        return _synthesize_mel(parse_mel(content, INPUT_NAME), INPUT_NAME, vocoder)
    return _synthesize_recording(io.BytesIO(content), vocoder)


def _synthesize_recording(source: Path | BinaryIO, vocoder: Vocoder) -> Synthesis:
    samples, rate = files.length(source)
    chunks = vocoder.resynthesize_chunks(files.stream(source, vocoder.info.sample_rate))
    return Synthesis(chunks, samples * vocoder.info.sample_rate // rate)


def _synthesize_mel(mel: Mel, name: str, vocoder: Vocoder) -> Synthesis:
    if mel.ndim == 3 and mel.shape[0] == 1:  # a batch of one, as models predict it
        mel = mel[0]
    chunks = vocoder.synthesize_chunks(mel, name)
    return Synthesis(chunks, mel.shape[-1] * vocoder.info.hop)
