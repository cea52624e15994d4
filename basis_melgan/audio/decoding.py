"""Sound files decoded to the end of their data, whatever their headers say of it."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt
import soundfile

from basis_melgan.audio import chunk_headers, mpeg, ogg, tags
from basis_melgan.audio.segments import Segment, View
from basis_melgan.errors import AudioError

Block = npt.NDArray[np.float32]  # (n, channels)

BLOCK = 1 << 17  # samples that are decoded at once: 0.5 MB a channel
LARGEST_BLOCK = 1 << 22  # where memory need not be bounded, and the file says how many there are
RATES = (1_000, 1_000_000)  # Hz; below them is no speech, above them no recorder
TOLERANCE = 0.1  # seconds; what encoders put before and after the sound
# Subtypes whose samples can go beyond full scale: floating point, and codecs that decode to it.
UNLIMITED = frozenset({"FLOAT", "DOUBLE", "VORBIS", "OPUS", "MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"})
# Files that hold sound but that libsndfile does not decode, by their suffixes.
UNSUPPORTED_SUFFIXES = frozenset(
    {
        *(".3gp", ".aa", ".aac", ".aax", ".ac3", ".adts", ".amr", ".ape", ".asf", ".awb"),
        *(".dff", ".dsf", ".dss", ".dts", ".eac3", ".g722", ".g729", ".gsm", ".m4a", ".m4b"),
        *(".m4p", ".m4r", ".mka", ".mkv", ".mov", ".mp4", ".mpc", ".qcp", ".ra", ".ram"),
        *(".rm", ".shn", ".silk", ".spx", ".tak", ".tta", ".weba", ".webm", ".wma", ".wv"),
    }
)
# Suffixes by which libsndfile guesses nothing. By others, such as .au, it takes whatever bytes for sound of 8 kHz.
UNGUESSED = frozenset({".flac", ".wav"})
CONVERT = "convert it: ffmpeg -i IN OUT.wav"


class Format(NamedTuple):
    """What a decoder says of a sound file before it decodes any of it."""

    rate: int  # Hz
    channels: int
    limited: bool  # whether none of its samples can go beyond full scale


class Sound:
    """A sound file, or one that came in at standard input, that is open to be decoded.

    Attributes:
        name: what messages call it.
        segments: what is decoded, one after another.
    """

    def __init__(self, path: Path | BinaryIO, file: BinaryIO) -> None:
        self.name = named(path)
        self.source = path
        self.file = file
        self.size = file.seek(0, io.SEEK_END)
        self.segments = _segments(file, self.size, self.name)
        self._format: Format | None = None
        self._remainder = ""

    @property
    def format(self) -> "Format":
        """That of its first segment."""
        if self._format is None:
            self._decoder(self.segments[0], self.segments[0].patches).close()
        assert self._format
        return self._format

    @property
    def incomplete(self) -> str:
        """What is missing at its end, or left over behind it as far as it has been decoded; empty where nothing is."""
        return next((segment.incomplete for segment in self.segments if segment.incomplete), self._remainder)

    def samples(self) -> int:
        """Samples of each channel, decoded to be counted only where nothing else says how many."""
        return sum(map(self._samples, self.segments))

    def blocks(self, largest: int | None = None) -> Iterator[Block]:
        """Consecutive blocks (n, channels) to the end of the data, of at most `largest` samples, or `BLOCK`.

        Raises:
            AudioError: its decoder stops before the end, or its sample rate changes.
        """
        for segment in self.segments:
            yield from self._blocks(segment, largest or BLOCK)

    def excerpt(self, start: int, samples: int) -> Block:
        """At most `samples` samples (n, channels) from `start` on; all that follow where `samples` is negative."""
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
        """A decoder of a segment; one without patches seeks, one with them only goes forward."""
        kind = soundfile.SoundFile if segment.seekable and not patches else _Forward
        whole = (segment.start, segment.stop) == (0, self.size) and not segment.endless and not patches
        shown = Segment(segment.start, segment.stop, patches, segment.endless)
        named_file = isinstance(self.source, Path) and self.source.suffix.lower() in UNGUESSED  # quicker than a view
        decoder = kind(self.source if whole and named_file else View(self.file, shown))
        if not RATES[0] <= decoder.samplerate <= RATES[1]:
            decoder.close()
            raise AudioError(
                f"{self.name}: has a sample rate of {decoder.samplerate} Hz; expected {RATES[0]} to {RATES[1]} Hz, "
                "so its header is damaged; copy it again"
            )
        if self._format is None:
            self._format = Format(decoder.samplerate, decoder.channels, decoder.subtype not in UNLIMITED)
        return decoder

    def _samples(self, segment: Segment) -> int:
        if segment.samples is not None:
            return segment.samples
        with self._decoder(segment, segment.patches) as decoder:
            samples = int(decoder.frames)
        if segment.endless or samples >= 1 << 62:
            return sum(map(len, self._blocks(segment, BLOCK)))
        return samples

    def _blocks(self, segment: Segment, largest: int) -> Iterator[Block]:
        with self._decoder(segment, segment.patches) as decoder:
            if (decoder.samplerate, decoder.channels) != self.format[:2]:
                raise AudioError(
                    f"{self.name}: changes from {self.format.rate} Hz and {self.format.channels} channels to "
                    f"{decoder.samplerate} Hz and {decoder.channels} in the middle; {CONVERT}"
                )
            expected = segment.samples
            if expected is None:
                expected = 0 if segment.endless or decoder.frames >= 1 << 62 else decoder.frames
            position = 0
            while True:
                size = min(largest, expected - position) if position < expected else BLOCK
                try:
                    block = decoder.read(size, dtype="float32", always_2d=True)
                except soundfile.LibsndfileError as error:
                    if 0 < expected <= position:  # behind all that its header counts
                        self._remainder = (
                            f"what follows its {position} samples is damaged, or no sound, and is not read"
                        )
                        return
                    raise AudioError(self._stopped(expected, error.error_string)) from error
                if not len(block):
                    break
                yield block
                position += len(block)
            if not segment.incomplete and position < expected - TOLERANCE * self.format.rate:
                raise AudioError(self._stopped(expected, f"its decoder stops at {position / self.format.rate:.2f} s"))

    def _stopped(self, expected: int, reason: str) -> str:
        end = f" at {expected / self.format.rate:.2f} s" if expected else ""
        return (
            f"{self.name}: cannot be read as sound to its end{end} ({reason}), so it is damaged or cut off; "
            "copy it again, or save what can be read: ffmpeg -i IN OUT.wav"
        )


class _Forward(soundfile.SoundFile):  # type: ignore[misc]  # soundfile has no types
    """A decoder that goes forward only, so that it asks for no sample count and never seeks."""

    def seekable(self) -> bool:
        """Whether it seeks: never."""
        return False


@contextmanager
def opened(path: Path | BinaryIO) -> Iterator[Sound]:
    """Open a sound file, or one that came in at standard input, and tell in one line what is wrong with it.

    Raises:
        AudioError: the file is missing, is no file, or cannot be decoded.
    """
    if isinstance(path, Path):
        _require_file(path)
    try:
        if isinstance(path, Path):
            with path.open("rb") as file:
                yield Sound(path, file)
        else:
            yield Sound(path, path)
            path.seek(0)  # for who reads it next
    except (OSError, soundfile.SoundFileError, ValueError, TypeError) as error:  # TypeError: headerless formats
        raise AudioError(_unreadable(path, getattr(error, "error_string", str(error)))) from error


def named(path: Path | BinaryIO) -> str:
    """What messages call a source."""
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
    """What is decoded of a file, one after another."""
    if stop == 0:
        raise AudioError(f"{name}: holds no sound, not one byte; expected WAV, FLAC, OGG or the like")
    stop = tags.trailing_tags_start(file, stop)
    file.seek(0)
    offset = tags.id3v2_size(file.read(10))
    if not 0 < offset < stop:
        return _format_segments(file, stop)
    content = io.BufferedReader(View(file, Segment(offset, stop)))
    return [segment.shifted(offset) for segment in _format_segments(content, stop - offset)]


def _format_segments(file: BinaryIO, stop: int) -> list[Segment]:
    """The segments of a file without leading tags; the file as a whole where its format is not known here."""
    for single_segment in (chunk_headers.chunk_file_segment, chunk_headers.au_segment, chunk_headers.flac_segment):
        if segment := single_segment(file, stop):
            return [segment]
    return ogg.ogg_segments(file, stop) or mpeg.mpeg_segments(file, stop) or [Segment(0, stop)]


def _unreadable(path: Path | BinaryIO, reason: str) -> str:
    if isinstance(path, Path) and path.suffix.lower() in UNSUPPORTED_SUFFIXES:
        return f"{path}: {path.suffix.lower()} cannot be read as sound here ({reason}); {CONVERT}"
    return f"{named(path)}: cannot be read as sound ({reason}); expected WAV, FLAC, OGG or the like"
