"""Sound files in and out, and resampling: the only module that touches either."""

import io
import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import soundfile
import soxr

from basis_melgan.errors import AudioError, OutputError
from basis_melgan.installation import install_command

Wave = npt.NDArray[np.float32]

SUFFIXES = frozenset(f".{name.lower()}" for name in soundfile.available_formats()) | {".aif", ".opus", ".oga"}
SOUND = SUFFIXES - {".raw"}  # of what is sound by its name alone: headerless files say neither rate nor format
BLOCK = 1 << 17  # samples that `stream` reads at once: 0.5 MB a channel
QUALITY = "VHQ"  # of soxr
SUBTYPE = "PCM_16"
FULL_SCALE = np.float32(1 << 15)  # of 16 bits
G722_RATE = 16_000  # Hz
G722_BITS = 64_000  # per second
MP3_LEVEL = 0.5  # of compression, 0 to 1


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
    with _decoding(path):
        wave, rate = soundfile.read(path, start=start, frames=samples, dtype="float32", always_2d=True)
    return np.ascontiguousarray(wave.mean(axis=1, dtype=np.float32)), int(rate)


def below(folder: Path, suffixes: Collection[str] = SOUND) -> list[Path]:
    """Every file below a folder with one of these suffixes, sorted; hidden files and folders are passed over."""

    def listed(path: Path) -> bool:
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        return not hidden and path.suffix.lower() in suffixes and path.is_file()

    return sorted(filter(listed, folder.rglob("*")))


def stream(path: Path | BinaryIO, to: int) -> Iterator[Wave]:
    """Read a sound file, or one that came in at standard input, in consecutive one-channel pieces (T,) at `to` Hz.

    Together the pieces are what `resample` makes of the whole file. Memory is bounded.

    Raises:
        AudioError: the file is missing, cannot be decoded, holds no sample, or holds NaN or infinite ones.
    """
    name = _name(path)
    with _decoding(path), soundfile.SoundFile(path) as sound:
        rate, done = int(sound.samplerate), 0
        resampler = soxr.ResampleStream(rate, to, 1, dtype="float32", quality=QUALITY)
        while len(block := sound.read(BLOCK, dtype="float32", always_2d=True)):
            bad = ~np.isfinite(block).all(axis=1)
            if bad.any():
                first = done + int(bad.argmax())
                raise AudioError(
                    f"{name}: sample {first} (at {first / rate:.3f} s) is NaN or infinite; expected numbers, "
                    "so repair the recording"
                )
            done += len(block)
            wave = np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))
            yield wave if rate == to else resampler.resample_chunk(wave)
        if done == 0:
            raise AudioError(f"{name}: holds no samples; expected at least one")
        if rate != to:
            yield resampler.resample_chunk(np.empty(0, np.float32), last=True)


def length(path: Path | BinaryIO) -> tuple[int, int]:
    """Number of samples and sample rate in Hz, from the header alone.

    Raises:
        AudioError: the file is missing or is not a sound file that soundfile can decode.
    """
    with _decoding(path):
        header = soundfile.info(path)
    if not isinstance(path, Path):
        path.seek(0)  # for who reads it next
    return int(header.frames), int(header.samplerate)


def read_g722(path: Path) -> tuple[Wave, int]:
    """Read a headerless ITU-T G.722 file of 64 kbit/s, which soundfile does not know.

    Returns:
        The wave (T,), full scale ±1, and its sample rate, 16 000 Hz.

    Raises:
        AudioError: the file cannot be read, or the package that decodes it is not installed.
    """
    try:
        from G722 import G722
    except ModuleNotFoundError as error:
        raise AudioError(f"{path}: G.722 needs the package G722; {install_command('train')}") from error
    with _decoding(path):
        decoded = np.array(G722(G722_RATE, G722_BITS).decode(path.read_bytes()), dtype=np.int16)
    return decoded.astype(np.float32) / FULL_SCALE, G722_RATE


def resample(wave: Wave, rate: float, to: float) -> Wave:
    """Resample a wave (T,) from `rate` to `to` Hz at soxr's very high quality; unchanged when they agree."""
    if rate == to:
        return wave
    return np.asarray(soxr.resample(wave, rate, to, quality=QUALITY), dtype=np.float32)


def rounded(wave: Wave) -> Wave:
    """A wave (T,) as 16 bits hold it: every sample to the nearest, those beyond full scale clipped, never rescaled."""
    steps: Wave = np.clip(np.rint(wave * FULL_SCALE), -FULL_SCALE, FULL_SCALE - 1).astype(np.float32)
    return steps / FULL_SCALE


def pcm(wave: Wave) -> npt.NDArray[np.int16]:
    """The samples (T,) of a wave as 16-bit integers of little-endian order, as `rounded` has them."""
    return (rounded(wave) * FULL_SCALE).astype("<i2")


def write(path: Path, wave: Wave, rate: int) -> None:
    """Write a wave (T,) as 16-bit PCM, `rounded`, in the format of the path's suffix, aside first and then renamed.

    Raises:
        OutputError: the path cannot be written or its suffix names no sound format.
    """
    with writing(path, rate) as put:
        put(wave)


@contextmanager
def writing(path: Path, rate: int) -> Iterator[Callable[[Wave], None]]:
    """Write a sound file piece by piece, as `write` does: give each piece (T,) to the function that `with` hands over.

    The file takes its place when the block ends; nothing is left of it when the block ends by an error.

    Raises:
        OutputError: the path cannot be written or its suffix names no sound format.
    """
    kind = _format(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    with _storing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with _storing(path):
            sound = soundfile.SoundFile(aside, "w", rate, 1, subtype=SUBTYPE, format=kind)

        def put(wave: Wave) -> None:
            with _storing(path):
                sound.write(pcm(wave))

        try:
            yield put
        finally:
            with _storing(path):
                sound.close()
        with _storing(path):
            aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def mp3(wave: Wave, rate: int) -> bytes:
    """A wave (T,) as an MP3 of about 50 kbit/s, the one compressed format that every browser plays.

    Samples beyond full scale are clipped.

    Raises:
        AudioError: MP3 knows no such sample rate.
    """
    sound = io.BytesIO()
    try:
        soundfile.write(
            sound, np.clip(wave, -1.0, 1.0), rate, format="MP3", compression_level=MP3_LEVEL, bitrate_mode="VARIABLE"
        )
    except soundfile.SoundFileError as error:
        raise AudioError(f"{rate} Hz: cannot be MP3 ({error}); use 8, 16, 22.05, 24, 32, 44.1 or 48 kHz") from error
    return sound.getvalue()


def require_free(path: Path, force: bool) -> None:
    """Check, before any work, that a sound file may be written to `path`.

    Raises:
        OutputError: its suffix names no sound format, it is a folder, or it exists and `force` is not given.
    """
    _format(path)
    require_new(path, force)


def require_new(path: Path, force: bool) -> None:
    """Check, before any work, that a file may be written to `path`.

    Raises:
        OutputError: it is a folder, or it exists and `force` is not given.
    """
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; name a file")
    if path.exists() and not force:
        raise OutputError(f"{path}: exists already; use --force to replace it")


def _format(path: Path) -> str:
    """What soundfile calls the format that a path's suffix names."""
    kind = path.suffix.lstrip(".").upper()
    if not soundfile.check_format(kind, SUBTYPE):
        raise OutputError(f"{path}: {path.suffix or 'no suffix'} is no format for 16-bit sound; use .wav or .flac")
    return kind


@contextmanager
def _decoding(path: Path | BinaryIO) -> Iterator[None]:
    """Tell a failure to read in the user's terms."""
    if isinstance(path, Path) and not path.is_file():
        raise AudioError(f"{path}: no such file; expected a sound file")
    try:
        yield
    except (OSError, soundfile.SoundFileError, ValueError, TypeError) as error:  # TypeError: headerless formats
        raise AudioError(
            f"{_name(path)}: cannot be read as sound ({error}); expected WAV, FLAC, OGG or the like"
        ) from error


def _name(path: Path | BinaryIO) -> str:
    return str(path) if isinstance(path, Path) else "standard input"


@contextmanager
def _storing(path: Path) -> Iterator[None]:
    """Tell a failure to write in the user's terms."""
    try:
        yield
    except (OSError, soundfile.SoundFileError) as error:
        raise OutputError(f"{path}: cannot be written ({error}); choose a writable place") from error
