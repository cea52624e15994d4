"""Sound files in and out, and resampling: the only module that touches either."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from basis_melgan.errors import AudioError, OutputError

Wave = npt.NDArray[np.float32]

SUFFIXES = frozenset(f".{name.lower()}" for name in soundfile.available_formats()) | {".aif", ".opus", ".oga"}


def read(path: Path, start: int = 0, samples: int = -1) -> tuple[Wave, int]:
    """Read a sound file, mixed down to one channel.

    Args:
        path: any file that soundfile reads.
        start: first sample to read.
        samples: how many samples to read; -1 for all that follow.

    Returns:
        The wave (T,), full scale ±1, and its sample rate in Hz.

    Raises:
        AudioError: the file is missing or is not a sound file that soundfile can decode.
    """
    if not path.is_file():
        raise AudioError(f"{path}: no such file; expected a sound file")
    try:
        wave, rate = soundfile.read(path, start=start, frames=samples, dtype="float32", always_2d=True)
    except (soundfile.SoundFileError, ValueError) as error:
        raise AudioError(f"{path}: cannot be read as sound ({error}); expected WAV, FLAC, OGG or the like") from error
    return np.ascontiguousarray(wave.mean(axis=1, dtype=np.float32)), int(rate)


def blocks(path: Path, samples: int) -> Iterator[Wave]:
    """Read a sound file in consecutive one-channel blocks of at most `samples`, in bounded memory."""
    for start in range(0, length(path)[0], samples):
        yield read(path, start, samples)[0]


def length(path: Path) -> tuple[int, int]:
    """Number of samples and sample rate in Hz, from the header alone."""
    try:
        header = soundfile.info(path)
    except soundfile.SoundFileError as error:
        raise AudioError(f"{path}: cannot be read as sound ({error}); expected WAV, FLAC, OGG or the like") from error
    return int(header.frames), int(header.samplerate)


def resample(wave: Wave, rate: int, to: int) -> Wave:
    """Resample a wave (T,) from `rate` to `to` Hz with soxr at its very high quality; unchanged when the rates agree."""
    if rate == to:
        return wave
    return np.asarray(soxr.resample(wave, rate, to, quality="VHQ"), dtype=np.float32)


def write(path: Path, wave: Wave, rate: int) -> None:
    """Write a wave (T,) as 16-bit PCM in the format of the path's suffix, aside first and then renamed.

    Samples beyond full scale are clipped, never rescaled.

    Raises:
        OutputError: the path cannot be written or its suffix names no sound format.
    """
    kind = path.suffix.lstrip(".").upper()
    if kind not in soundfile.available_formats():
        raise OutputError(f"{path}: {path.suffix or 'no suffix'} is no sound format; use .wav or .flac")
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(aside, np.clip(wave, -1.0, 1.0), rate, subtype="PCM_16", format=kind)
        aside.replace(path)
    except (OSError, soundfile.SoundFileError) as error:
        aside.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error}); choose a writable place") from error
