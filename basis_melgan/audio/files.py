"""Sound files in and out, and resampling; what decodes them is in `decoding`."""

import io
import os
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from basis_melgan.audio import decoding, levels
from basis_melgan.audio.waves import FULL_SCALE, QUALITY, native
from basis_melgan.audio.waves import Wave as Wave
from basis_melgan.audio.waves import pcm as pcm
from basis_melgan.audio.waves import resample as resample
from basis_melgan.audio.waves import rounded as rounded
from basis_melgan.errors import AudioError, InputWarning, OutputError
from basis_melgan.installation import install_command
from basis_melgan.storage.atomic import atomic_write, output_errors
from basis_melgan.storage.folders import visible_files

SUFFIXES = frozenset(f".{name.lower()}" for name in soundfile.available_formats()) | {
    *(".aif", ".aifc", ".bwf", ".mp2", ".mpga", ".oga", ".opus", ".snd", ".sph", ".wave"),
}
SOUND = SUFFIXES - {".raw"}  # of what is sound by its name alone: headerless files say neither rate nor format
FOREIGN = decoding.FOREIGN  # of what holds sound that cannot be read
SUBTYPE = "PCM_16"
G722_RATE = 16_000  # Hz
G722_BITS = 64_000  # per second
MP3_LEVEL = 0.5  # of compression, 0 to 1


@dataclass(frozen=True)
class Recording:
    """What a sound file holds, mixed down to one channel.

    Attributes:
        wave: (T,), full scale ±1.
        rate: Hz.
        mends: what was done to it, or is missing, by kind; empty where it is used as it is.
    """

    wave: Wave
    rate: int
    mends: dict[str, str]


def load(path: Path, start: int = 0, samples: int = -1) -> Recording:
    """Read a sound file, mixed down to one channel, and say what had to be done to it.

    A file is read to the end of its data, whatever its header says of its length. Of channels that cancel the loudest
    is taken, and a recording beyond full scale is scaled below it.

    Args:
        path: any file that libsndfile decodes.
        start: first sample to read.
        samples: how many samples to read; -1 for all that follow.

    Raises:
        AudioError: the file is missing, is none that can be decoded to its end, or holds floating point in the scale of
            integers.
    """
    with decoding.opened(path) as sound:
        whole = start == 0 and samples < 0
        blocks = list(sound.blocks(decoding.LARGEST_BLOCK)) if whole else [sound.excerpt(start, samples)]
        plain = sound.format.channels == 1 and sound.format.limited
        mixed = levels.PLAIN if plain else levels.downmix(sound.name, blocks)
        waves = [mixed(block) for block in blocks]
        wave = waves[0] if len(waves) == 1 else np.concatenate([*waves, np.empty(0, np.float32)])
        return Recording(wave, sound.format.rate, _incomplete(sound) | mixed.mends)


def read(path: Path, start: int = 0, samples: int = -1) -> tuple[Wave, int]:
    """Read a sound file as `load` does, and warn of what had to be done to it.

    Returns:
        The wave (T,), full scale ±1, and its sample rate in Hz.

    Raises:
        AudioError: as `load`.
    """
    recording = load(path, start, samples)
    _warn(str(path), recording.mends)
    return recording.wave, recording.rate


def below(folder: Path, suffixes: Collection[str] = SOUND) -> list[Path]:
    """Every file below a folder with one of these suffixes, sorted; hidden files and folders are passed over.

    It warns of files that hold sound but cannot be decoded, unless they are asked for.

    Raises:
        AudioError: a folder cannot be listed.
    """
    paths = _walk(folder)
    foreign = [path for path in paths if path.suffix.lower() in FOREIGN.difference(suffixes)]
    if foreign:
        kinds = ", ".join(sorted({path.suffix.lower() for path in foreign}))
        text = f"{len(foreign)} files ({kinds}) are passed over, since they cannot be read here, first {foreign[0]}"
        _warn(str(folder), {"passed over": f"{text}; {decoding.CONVERT}"})
    return [path for path in paths if path.suffix.lower() in suffixes]


def passed_over(folder: Path, suffixes: Collection[str]) -> dict[str, int]:
    """How many files below a folder have none of these suffixes, by their suffix, sorted; hidden ones are not counted.

    Raises:
        AudioError: a folder cannot be listed.
    """
    kinds = Counter(path.suffix.lower() for path in _walk(folder))
    return {kind: count for kind, count in sorted(kinds.items()) if kind not in suffixes}


def _walk(folder: Path) -> list[Path]:
    """Every file below a folder but for hidden ones, sorted."""

    def refuse(error: OSError) -> None:
        raise AudioError(f"{error.filename}: cannot be listed ({error.strerror}); make it readable") from error

    return visible_files(folder, refuse)


def stream(path: Path | BinaryIO, to: int) -> Iterator[Wave]:
    """Read a sound file, or one that came in at standard input, in consecutive one-channel pieces (T,) at `to` Hz.

    Together the pieces are what `resample` makes of the whole file, which is mixed down as `load` does it, with the
    same warnings. Memory is bounded: a file whose level must be known beforehand is decoded twice.

    Raises:
        AudioError: as `load`, or the file holds no sample, or NaN or infinite ones.
    """
    with decoding.opened(path) as sound:
        rate, count, output_count = sound.format.rate, 0, 0
        plain = sound.format.channels == 1 and sound.format.limited
        mixed = levels.PLAIN if plain else levels.downmix(sound.name, sound.blocks())
        _warn(sound.name, mixed.mends)
        resampler = soxr.ResampleStream(rate, to, 1, dtype="float32", quality=QUALITY)
        for block in sound.blocks():
            _require_finite(block, count, rate, sound.name)
            count += len(block)
            piece = mixed(block) if rate == to else resampler.resample_chunk(mixed(block))
            output_count += len(piece)
            yield piece
        if count == 0:
            raise AudioError(f"{sound.name}: holds no samples; expected at least one")
        _warn(sound.name, _incomplete(sound))
        if rate != to:
            piece = resampler.resample_chunk(np.empty(0, np.float32), last=True)
            if output_count + len(piece) == 0:
                raise AudioError(
                    f"{sound.name}: holds {count} samples of {rate} Hz; expected enough for one of {to} Hz"
                )
            yield piece


def length(path: Path | BinaryIO) -> tuple[int, int]:
    """Number of samples and sample rate in Hz; nothing is decoded where the file says how many it holds.

    Compressed files may hold some thousand samples fewer, which encoders put before and after the sound.

    Raises:
        AudioError: the file is missing or is none that can be decoded.
    """
    with decoding.opened(path) as sound:
        return sound.samples(), sound.format.rate


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
    try:
        decoded = np.array(G722(G722_RATE, G722_BITS).decode(path.read_bytes()), dtype=np.int16)
    except OSError as error:
        raise AudioError(f"{path}: cannot be read ({error.strerror}); expected a G.722 file") from error
    return decoded.astype(np.float32) / FULL_SCALE, G722_RATE


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
    with atomic_write(path, str(os.getpid())) as place:
        with output_errors(path, soundfile.SoundFileError):
            sound = soundfile.SoundFile(place, "w", rate, 1, subtype=SUBTYPE, format=kind)

        def put(wave: Wave) -> None:
            with output_errors(path, soundfile.SoundFileError):
                sound.write(pcm(wave))

        try:
            yield put
        finally:
            with output_errors(path, soundfile.SoundFileError):
                sound.close()


def mp3(wave: Wave, rate: int) -> bytes:
    """A wave (T,) as an MP3 of about 50 kbit/s, the one compressed format that every browser plays.

    Samples beyond full scale are clipped.

    Raises:
        AudioError: MP3 knows no such sample rate.
    """
    sound = io.BytesIO()
    try:
        soundfile.write(
            sound,
            np.clip(native(wave), -1.0, 1.0),
            rate,
            format="MP3",
            compression_level=MP3_LEVEL,
            bitrate_mode="VARIABLE",
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
        OutputError: it is a folder, it exists and `force` is not given, or no file can have its name.
    """
    with output_errors(path):  # a name may be too long, or lie in a folder that cannot be read
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


def _require_finite(block: levels.Block, position: int, rate: int, name: str) -> None:
    bad = ~np.isfinite(block).all(axis=1)
    if bad.any():
        first = position + int(bad.argmax())
        raise AudioError(
            f"{name}: sample {first} (at {first / rate:.3f} s) is NaN or infinite; expected numbers, "
            "so repair the recording"
        )


def _incomplete(sound: decoding.Sound) -> dict[str, str]:
    return {"incomplete": sound.incomplete} if sound.incomplete else {}


def _warn(name: str, mends: dict[str, str]) -> None:
    for mend in mends.values():
        warnings.warn(f"{name}: {mend}", InputWarning, stacklevel=3)
