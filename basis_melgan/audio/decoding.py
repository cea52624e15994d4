"""Decoding of sound files to the end of their data, whatever length their headers state."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile

from basis_melgan.audio import chunk_headers, mpeg, ogg, tags
from basis_melgan.audio.levels import Block
from basis_melgan.audio.segments import Segment, View
from basis_melgan.errors import AudioError

BLOCK = 1 << 17  # samples per decoded block: 0.5 MB a channel
MAX_BLOCK = 1 << 22  # where memory need not be bounded, and the file states its length
RATE_RANGE = (1_000, 1_000_000)  # Hz; lower rates hold no speech, and no recorder has higher ones
TOLERANCE = 0.1  # seconds that encoders add before and after the sound
# Subtypes that can exceed full scale: floating point, and codecs that decode to it.
UNLIMITED = frozenset({"FLOAT", "DOUBLE", "VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"})
# Suffixes of files with sound that libsndfile does not decode.
UNSUPPORTED_SUFFIXES = frozenset(
    {
        *(".3gp", ".aa", ".aac", ".aax", ".ac3", ".adts", ".amr", ".ape", ".asf", ".awb"),
        *(".dff", ".dsf", ".dss", ".dts", ".eac3", ".g722", ".g729", ".gsm", ".m4a", ".m4b"),
        *(".m4p", ".m4r", ".mka", ".mkv", ".mov", ".mp4", ".mpc", ".qcp", ".ra", ".ram"),
        *(".rm", ".shn", ".silk", ".spx", ".tak", ".tta", ".weba", ".webm", ".wma", ".wv"),
    }
)
# Suffixes from which libsndfile infers nothing. With others, such as .au, it takes any bytes for sound of 8 kHz.
NEUTRAL_SUFFIXES = frozenset({".flac", ".wav"})
CONVERT = "convert it: ffmpeg -i IN OUT.wav"


class Format(NamedTuple):
    """A sound file's format, known before any of it is decoded."""

    rate: int  # Hz
    channels: int
    limited: bool  # whether no sample can exceed full scale


class SoundReader:
    """A decoder of a sound file, or of one from standard input.

    Attributes:
        name: of the source, in messages.
        segments: parts that are decoded one after another.
    """

    def __init__(self, path: Path | BinaryIO, file: BinaryIO) -> None:
        self.name = source_name(path)
        self.source = path
        self.file = file
        self.size = file.seek(0, io.SEEK_END)
        self.segments = _segments(file, self.size, self.name)
        self._format: Format | None = None
        self._remainder = ""

    @property
    def format(self) -> "Format":
        """The format of the first segment."""
        if self._format is None:
            self._decoder(self.segments[0], self.segments[0].patches).close()
        assert self._format
        return self._format

    @property
    def incomplete(self) -> str:
        """What is missing at the end, or unread after it, as far as the sound is decoded; empty if nothing is."""
        return next((segment.incomplete for segment in self.segments if segment.incomplete), self._remainder)

    def samples(self) -> int:
        """Samples of each channel; decodes the sound to count them only if nothing else states their number."""
        return sum(map(self._samples, self.segments))

    def blocks(self, max_size: int | None = None) -> Iterator[Block]:
        """Consecutive blocks (n, channels) to the end of the data, of at most `max_size` samples, or `BLOCK`.

        Raises:
            AudioError: the decoder stops before the end, or the sample rate changes.
        """
        for segment in self.segments:
            yield from self._blocks(segment, max_size or BLOCK)

    def excerpt(self, start: int, samples: int) -> Block:
        """At most `samples` samples (n, channels) from `start` on; all of them if `samples` is negative."""
        segment = self.segments[0]
        if segment.seekable and len(self.segments) == 1:
            with self._decoder(segment, ()) as decoder:
                decoder.seek(min(start, decoder.frames))
                return np.asarray(decoder.read(samples, dtype="float32", always_2d=True))
        stop = start + samples if samples >= 0 else None
        parts, position = [], 0
        for block in self.blocks():
            parts.append(block[max(start - position, 0) : None if stop is None else max(stop - position, 0)])
            position += len(block)
            if stop is not None and position >= stop:
                break
        return np.concatenate(parts or [np.empty((0, self.format.channels), np.float32)])

    def _decoder(self, segment: Segment, patches: tuple[tuple[int, bytes], ...]) -> soundfile.SoundFile:
        """A decoder of a segment, which seeks if there are no patches."""
        decoder_type = soundfile.SoundFile if segment.seekable and not patches else _ForwardSoundFile
        is_unchanged = (segment.start, segment.stop) == (0, self.size) and not segment.unbounded and not patches
        view = View(self.file, Segment(segment.start, segment.stop, patches, segment.unbounded))
        has_neutral_path = isinstance(self.source, Path) and self.source.suffix.lower() in NEUTRAL_SUFFIXES
        decoder = decoder_type(self.source if is_unchanged and has_neutral_path else view)  # the path is faster
        if not RATE_RANGE[0] <= decoder.samplerate <= RATE_RANGE[1]:
            decoder.close()
            raise AudioError(
                f"{self.name}: has a sample rate of {decoder.samplerate} Hz; expected {RATE_RANGE[0]} to "
                f"{RATE_RANGE[1]} Hz, so its header is damaged; copy it again"
            )
        if self._format is None:
            self._format = Format(decoder.samplerate, decoder.channels, decoder.subtype not in UNLIMITED)
        return decoder

    def _samples(self, segment: Segment) -> int:
        if segment.samples is not None:
            return segment.samples
        with self._decoder(segment, segment.patches) as decoder:
            samples = int(decoder.frames)
        if segment.unbounded or samples >= 1 << 62:
            return sum(map(len, self._blocks(segment, BLOCK)))
        return samples

    def _blocks(self, segment: Segment, max_size: int) -> Iterator[Block]:
        with self._decoder(segment, segment.patches) as decoder:
            if (decoder.samplerate, decoder.channels) != self.format[:2]:
                raise AudioError(
                    f"{self.name}: changes from {self.format.rate} Hz and {self.format.channels} channels to "
                    f"{decoder.samplerate} Hz and {decoder.channels} in the middle; {CONVERT}"
                )
            expected = segment.samples
            if expected is None:
                expected = 0 if segment.unbounded or decoder.frames >= 1 << 62 else decoder.frames
            position = 0
            while True:
                size = min(max_size, expected - position) if position < expected else BLOCK
                try:
                    block = decoder.read(size, dtype="float32", always_2d=True)
                except soundfile.LibsndfileError as error:
                    if 0 < expected <= position:  # after the samples that the header states
                        self._remainder = (
                            f"what follows its {position} samples is damaged, or no sound, and is not read"
                        )
                        return
                    raise AudioError(self._truncation(expected, error.error_string)) from error
                if not len(block):
                    break
                yield block
                position += len(block)
            if not segment.incomplete and position < expected - TOLERANCE * self.format.rate:
                raise AudioError(
                    self._truncation(expected, f"its decoder stops at {position / self.format.rate:.2f} s")
                )

    def _truncation(self, expected: int, reason: str) -> str:
        end = f" at {expected / self.format.rate:.2f} s" if expected else ""
        return (
            f"{self.name}: cannot be read as sound to its end{end} ({reason}), so it is damaged or truncated; "
            "copy it again, or save the readable part: ffmpeg -i IN OUT.wav"
        )


class _ForwardSoundFile(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A sequential decoder, which needs no sample count and never seeks."""

    def seekable(self) -> bool:
        """Whether it seeks: never."""
        return False


@contextmanager
def open_sound(path: Path | BinaryIO) -> Iterator[SoundReader]:
    """Open a sound file, or one from standard input, for decoding; failures become one-line errors.

    Raises:
        AudioError: the file is missing, is no file, or cannot be decoded.
    """
    if isinstance(path, Path):
        _require_file(path)
    try:
        if isinstance(path, Path):
            with path.open("rb") as file:
                yield SoundReader(path, file)
        else:
            yield SoundReader(path, path)
            path.seek(0)  # for the next reader
    except (OSError, soundfile.SoundFileError, ValueError, TypeError) as error:  # TypeError: headerless formats
        raise AudioError(_unreadable(path, getattr(error, "error_string", str(error)))) from error


def source_name(path: Path | BinaryIO) -> str:
    """Name of a source in messages."""
    return str(path) if isinstance(path, Path) else "standard input"


def _require_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise AudioError(f"{path}: is a folder; expected a sound file")
        if not path.exists():
            raise AudioError(f"{path}: no such file; expected a sound file")
        if not path.is_file():
            raise AudioError(f"{path}: is a pipe, a socket or a device; expected a sound file, or - for standard input")
    except OSError as error:  # such as a name that is too long
        raise AudioError(f"{path}: cannot be read ({error.strerror}); expected a sound file") from error


def _segments(file: BinaryIO, stop: int, name: str) -> list[Segment]:
    """The segments of a file, without its leading and trailing tags."""
    if stop == 0:
        raise AudioError(f"{name}: holds no sound, not one byte; expected WAV, FLAC, OGG or the like")
    stop = tags.trailing_tags_start(file, stop)
    file.seek(0)
    offset = tags.id3v2_size(file.read(10))
    if not 0 < offset < stop:
        return _format_segments(file, stop)
    content = io.BufferedReader(View(file, Segment(offset, stop)))
    return [segment.shift(offset) for segment in _format_segments(content, stop - offset)]


def _format_segments(file: BinaryIO, stop: int) -> list[Segment]:
    """The segments of a file without leading tags; the file as a whole where its format is not known here."""
    for single_segment in (chunk_headers.chunk_file_segment, chunk_headers.au_segment, chunk_headers.flac_segment):
        if segment := single_segment(file, stop):
            return [segment]
    return ogg.ogg_segments(file, stop) or mpeg.mpeg_segments(file, stop) or [Segment(0, stop)]


def _unreadable(path: Path | BinaryIO, reason: str) -> str:
    if isinstance(path, Path) and path.suffix.lower() in UNSUPPORTED_SUFFIXES:
        return f"{path}: {path.suffix.lower()} cannot be read as sound here ({reason}); {CONVERT}"
    return f"{source_name(path)}: cannot be read as sound ({reason}); expected WAV, FLAC, OGG or the like"
