"""Reading and writing of sound files, whole or in chunks; `decoding` has the decoders."""

import io
import os
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr

from basis_melgan.audio import decoding, levels
from basis_melgan.audio.waves import FULL_SCALE, QUALITY, as_native_float
from basis_melgan.audio.waves import Wave as Wave
from basis_melgan.audio.waves import quantize_pcm16 as quantize_pcm16
from basis_melgan.audio.waves import resample as resample
from basis_melgan.audio.waves import to_pcm16 as to_pcm16
from basis_melgan.errors import AudioError, InputWarning, OutputError
from basis_melgan.installation import install_command
from basis_melgan.storage.atomic import atomic_write, output_errors
from basis_melgan.storage.folders import visible_files
from basis_melgan.storage.paths import require_new_file

READABLE_SUFFIXES = frozenset(f".{name.lower()}" for name in soundfile.available_formats()) | {
    *(".aif", ".aifc", ".bwf", ".mp2", ".mpga", ".oga", ".opus", ".snd", ".sph", ".wave"),
}
SOUND_SUFFIXES = READABLE_SUFFIXES - {".raw"}  # headerless files state neither rate nor format
UNSUPPORTED_SUFFIXES = decoding.UNSUPPORTED_SUFFIXES
SUBTYPE = "PCM_16"
G722_RATE = 16_000  # Hz
G722_BITS = 64_000  # per second
MP3_LEVEL = 0.5  # of compression, 0 to 1


@dataclass(frozen=True)
class Recording:
    """A sound file's content, mixed down to one channel.

    Attributes:
        wave: (T,), full scale ±1.
        rate: Hz.
        issues: changes made to it, and missing parts, by kind; empty if it is unchanged and complete.
    """

    wave: Wave
    rate: int
    issues: dict[str, str]


def load(path: Path, start: int = 0, samples: int = -1) -> Recording:
    """Read a sound file, mixed down to one channel, with its issues.

    A file is read to the end of its data, whatever length its header states. Of channels that cancel, the loudest is
    used. A recording beyond full scale is scaled to it.

    Args:
        path: any file that libsndfile decodes.
        start: first sample to read.
        samples: number of samples to read; -1 for all.

    Raises:
        AudioError: the file is missing, cannot be decoded to its end, or holds floating point in the scale of integers.
    """
    with decoding.open_sound(path) as sound:
        is_complete = start == 0 and samples < 0
        blocks = list(sound.blocks(decoding.MAX_BLOCK)) if is_complete else [sound.excerpt(start, samples)]
        downmix = _choose_downmix(sound, blocks)
        waves = [downmix(block) for block in blocks]
        wave = waves[0] if len(waves) == 1 else np.concatenate([*waves, np.empty(0, np.float32)])
        return Recording(wave, sound.format.rate, _incomplete(sound) | downmix.issues)


def read(path: Path, start: int = 0, samples: int = -1) -> tuple[Wave, int]:
    """Read a sound file as `load` does, and warn of its issues.

    Returns:
        The wave (T,), full scale ±1, and its sample rate in Hz.

    Raises:
        AudioError: as `load`.
    """
    recording = load(path, start, samples)
    _warn(str(path), recording.issues)
    return recording.wave, recording.rate


def find_files(folder: Path, suffixes: Collection[str] = SOUND_SUFFIXES) -> list[Path]:
    """Every file below a folder with one of these suffixes, sorted; hidden files and folders are skipped.

    Warns of files with sound that cannot be decoded, unless their suffixes are among these.

    Raises:
        AudioError: a folder cannot be listed.
    """
    paths = _walk(folder)
    unsupported = [path for path in paths if path.suffix.lower() in UNSUPPORTED_SUFFIXES.difference(suffixes)]
    if unsupported:
        kinds = ", ".join(sorted({path.suffix.lower() for path in unsupported}))
        text = f"{len(unsupported)} files ({kinds}) are skipped because they cannot be decoded, first {unsupported[0]}"
        _warn(str(folder), {"skipped": f"{text}; {decoding.CONVERT}"})
    return [path for path in paths if path.suffix.lower() in suffixes]


def count_other_files(folder: Path, suffixes: Collection[str]) -> dict[str, int]:
    """Number of files below a folder with other suffixes than these, by suffix, sorted; hidden ones are not counted.

    Raises:
        AudioError: a folder cannot be listed.
    """
    kinds = Counter(path.suffix.lower() for path in _walk(folder))
    return {kind: count for kind, count in sorted(kinds.items()) if kind not in suffixes}


def _walk(folder: Path) -> list[Path]:
    """Every file below a folder, sorted, without hidden ones."""

    def refuse(error: OSError) -> None:
        raise AudioError(f"{error.filename}: cannot be listed ({error.strerror}); make it readable") from error

    return visible_files(folder, refuse)


def stream(path: Path | BinaryIO, target_rate: int) -> Iterator[Wave]:
    """Read a sound file, or one from standard input, in consecutive one-channel chunks (T,) at `target_rate` Hz.

    The chunks concatenate to the resampled file, mixed down as by `load`, with the same warnings. Memory is bounded: a
    file that may exceed full scale, or have channels that cancel, is decoded twice.

    Raises:
        AudioError: as `load`, or the file holds no sample, or NaN or infinite ones.
    """
    with decoding.open_sound(path) as sound:
        rate, count, output_count = sound.format.rate, 0, 0
        downmix = _choose_downmix(sound, sound.blocks())
        _warn(sound.name, downmix.issues)
        resampler = soxr.ResampleStream(rate, target_rate, 1, dtype="float32", quality=QUALITY)
        for block in sound.blocks():
            _require_finite(block, count, rate, sound.name)
            count += len(block)
            chunk = downmix(block) if rate == target_rate else resampler.resample_chunk(downmix(block))
            output_count += len(chunk)
            yield chunk
        if count == 0:
            raise AudioError(f"{sound.name}: holds no samples; expected at least one")
        _warn(sound.name, _incomplete(sound))
        if rate != target_rate:
            chunk = resampler.resample_chunk(np.empty(0, np.float32), last=True)
            if output_count + len(chunk) == 0:
                raise AudioError(
                    f"{sound.name}: holds {count} samples of {rate} Hz; expected enough for one of {target_rate} Hz"
                )
            yield chunk


def length(path: Path | BinaryIO) -> tuple[int, int]:
    """Number of samples and sample rate in Hz; nothing is decoded if the file states its length.

    Compressed files may hold some thousand samples fewer, which encoders add before and after the sound.

    Raises:
        AudioError: the file is missing or cannot be decoded.
    """
    with decoding.open_sound(path) as sound:
        return sound.samples(), sound.format.rate


def read_g722(path: Path) -> tuple[Wave, int]:
    """Read a headerless ITU-T G.722 file of 64 kbit/s, which soundfile does not support.

    Returns:
        The wave (T,), full scale ±1, and its sample rate, 16 000 Hz.

    Raises:
        AudioError: the file cannot be read, or the package G722 is not installed.
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
    """Write a wave (T,) as 16-bit PCM in the format of the path's suffix, atomically; `quantize_pcm16` rounds it.

    Raises:
        OutputError: the path cannot be written, or its suffix is of no 16-bit sound format.
    """
    with open_writer(path, rate) as write_chunk:
        write_chunk(wave)


@contextmanager
def open_writer(path: Path, rate: int) -> Iterator[Callable[[Wave], None]]:
    """A function that writes consecutive chunks (T,) to a sound file, in the format of `write`.

    The file appears when the block ends; nothing is left of it when the block raises.

    Raises:
        OutputError: the path cannot be written, or its suffix is of no 16-bit sound format.
    """
    kind = _format(path)
    with atomic_write(path, str(os.getpid())) as place:
        with output_errors(path, soundfile.SoundFileError):
            sound = soundfile.SoundFile(place, "w", rate, 1, subtype=SUBTYPE, format=kind)

        def write_chunk(wave: Wave) -> None:
            with output_errors(path, soundfile.SoundFileError):
                sound.write(to_pcm16(wave))

        try:
            yield write_chunk
        finally:
            with output_errors(path, soundfile.SoundFileError):
                sound.close()


def encode_mp3(wave: Wave, rate: int) -> bytes:
    """A wave (T,) as an MP3 file of about 50 kbit/s, the compressed format that every browser plays.

    Samples beyond full scale are clipped.

    Raises:
        AudioError: MP3 has no such sample rate.
    """
    sound = io.BytesIO()
    try:
        soundfile.write(
            sound,
            np.clip(as_native_float(wave), -1.0, 1.0),
            rate,
            format="MP3",
            compression_level=MP3_LEVEL,
            bitrate_mode="VARIABLE",
        )
    except soundfile.SoundFileError as error:
        raise AudioError(f"{rate} Hz: cannot be MP3 ({error}); use 8, 16, 22.05, 24, 32, 44.1 or 48 kHz") from error
    return sound.getvalue()


def require_new_sound(path: Path, force: bool) -> None:
    """Check, before any work, that a sound file may be written to `path`.

    Raises:
        OutputError: its suffix is of no 16-bit sound format, it is a folder, or it exists and `force` is not given.
    """
    _format(path)
    require_new_file(path, force)


def _format(path: Path) -> str:
    """Soundfile's name of the format of a path's suffix."""
    kind = path.suffix.lstrip(".").upper()
    if not soundfile.check_format(kind, SUBTYPE):
        raise OutputError(f"{path}: {path.suffix or 'no suffix'} is no format for 16-bit sound; use .wav or .flac")
    return kind


def _require_finite(block: levels.Block, position: int, rate: int, name: str) -> None:
    invalid = ~np.isfinite(block).all(axis=1)
    if invalid.any():
        first = position + int(invalid.argmax())
        raise AudioError(
            f"{name}: sample {first} (at {first / rate:.3f} s) is NaN or infinite; expected numbers, "
            "so repair the recording"
        )


def _choose_downmix(sound: decoding.SoundReader, blocks: Iterable[levels.Block]) -> levels.Downmix:
    """The downmix of a sound; one channel that cannot exceed full scale needs no look at its blocks."""
    if sound.format.channels == 1 and sound.format.limited:
        return levels.MEAN_DOWNMIX
    return levels.choose_downmix(sound.name, blocks)


def _incomplete(sound: decoding.SoundReader) -> dict[str, str]:
    return {"incomplete": sound.incomplete} if sound.incomplete else {}


def _warn(name: str, issues: dict[str, str]) -> None:
    for issue in issues.values():
        warnings.warn(f"{name}: {issue}", InputWarning, stacklevel=3)
