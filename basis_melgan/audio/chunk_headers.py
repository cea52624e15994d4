"""Lengths that headers of uncompressed sound and of FLAC name, held against what the file has.

WAV, RF64, AIFF, Wave64 and CAF are made of chunks, each a name, a size and as many bytes: Multimedia Programming
Interface and Data Specifications 1.0 (IBM and Microsoft, 1991), EBU Tech 3306, Audio Interchange File Format 1.3, and
Apple's Core Audio Format Specification 1.0. Recorders that stream, or that were stopped, leave a size of 0 or the
largest that there is.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from basis_melgan.audio.segments import SLACK, Segment

UNKNOWN = 0x7FFF_0000  # bytes; the least of the sizes that stand for one that is not known yet
PLAIN = bytes(range(0x20, 0x7F))  # what names of chunks are made of


@dataclass(frozen=True)
class Layout:
    """How a format lays out its chunks."""

    first: int  # byte at which the first chunk begins
    name: int  # bytes of a chunk's name
    size: str  # of a chunk, as struct has it
    sound: bytes  # name of the chunk of samples, or its first bytes
    header: int = 0  # bytes of itself that a size counts
    alignment: int = 2


class Chunk(NamedTuple):
    """One chunk of a file."""

    name: bytes
    field: int  # byte at which its size stands
    data: int  # byte at which its content begins
    size: int  # bytes of its content, as it says


LAYOUTS = {
    b"RIFF": Layout(12, 4, "<I", b"data"),
    b"RIFX": Layout(12, 4, ">I", b"data"),
    b"RF64": Layout(12, 4, "<I", b"data"),
    b"BW64": Layout(12, 4, "<I", b"data"),
    b"FORM": Layout(12, 4, ">I", b"SSND"),
    b"caff": Layout(8, 4, ">q", b"data", alignment=1),
    b"riff": Layout(40, 16, "<q", b"data\xf3\xac\xd3\x11", header=24, alignment=8),
}


def chunk_file_segment(file: BinaryIO, stop: int) -> Segment | None:
    """The one segment of a file of chunks, patched where its header names no length or too large a one.

    None where the file is none, or has no chunk of samples.
    """
    file.seek(0)
    magic = file.read(4)
    if magic not in LAYOUTS:
        return None
    layout = LAYOUTS[magic]
    sound = None
    for chunk in _chunks(file, layout, layout.first, stop):
        if chunk.name == b"ds64":  # of RF64: its chunk of samples says only that the size stands here
            file.seek(chunk.data + 8)
            sound = Chunk(b"", chunk.data + 8, 0, int.from_bytes(file.read(8), "little", signed=True))
        elif chunk.name.startswith(layout.sound):
            return _sized(file, stop, layout, chunk, sound if sound and chunk.size == 0xFFFF_FFFF else chunk)
    return None


def au_segment(file: BinaryIO, stop: int) -> Segment | None:
    """The one segment of a Sun AU file, whose header gives where its samples begin and their bytes."""
    file.seek(0)
    header = file.read(12)
    if header[:4] != b".snd" or len(header) < 12:
        return None
    begin, size = struct.unpack(">II", header[4:])
    available = max(stop - begin, 0)
    if size == available or size == 0xFFFF_FFFF:
        return Segment(0, stop)
    if 0 < size < available:
        return Segment(0, stop, incomplete=_left_over(available - size) if available - size > SLACK else "")
    incomplete = _missing(size, available) if available + SLACK < size < UNKNOWN else ""
    return Segment(0, stop, ((8, b"\xff\xff\xff\xff"),), seekable=False, incomplete=incomplete)


def flac_segment(file: BinaryIO, stop: int) -> Segment | None:
    """The one segment of a FLAC file, shown without its sample count, so that it is read to the end of its data.

    RFC 9639, section 8.2: the count is the 36 bits from the 172nd of the file, and 0 where it is unknown.
    """
    file.seek(0)
    header = file.read(26)
    if header[:4] != b"fLaC" or len(header) < 26:
        return None
    field = int.from_bytes(header[21:26], "big")
    samples = field & ((1 << 36) - 1)
    patch = (field - samples).to_bytes(5, "big")
    return Segment(0, stop, ((21, patch),), seekable=samples > 0, samples=samples or None)


def _chunks(file: BinaryIO, layout: Layout, position: int, stop: int) -> Iterator[Chunk]:
    """Chunks from a position on, up to and with the first that reaches the end of the file or beyond."""
    width = layout.name + struct.calcsize(layout.size)
    while position + width <= stop:
        file.seek(position)
        entry = file.read(width)
        size = struct.unpack(layout.size, entry[layout.name :])[0] - layout.header
        yield Chunk(entry[: layout.name], position + layout.name, position + width, size)
        if size < 0:
            return
        position += width + size
        position += -position % layout.alignment


def _sized(file: BinaryIO, stop: int, layout: Layout, chunk: Chunk, header: Chunk) -> Segment:
    """The segment of a file whose samples are a chunk of which `header` holds the size."""
    available, size = stop - chunk.data, header.size
    if 0 < size <= available or available == 0:
        end = _end_of_chunks(file, layout, min(chunk.data + size + -size % layout.alignment, stop), stop)
        return Segment(0, end, incomplete=_left_over(stop - end) if stop - end > SLACK else "")
    if size == 0 and stop == _end_of_chunks(file, layout, chunk.data, stop):  # no samples indeed
        return Segment(0, stop)
    wide = struct.calcsize(layout.size) == 8 or header is not chunk
    limit = (1 << 63 if wide else 1 << 32) - 1
    incomplete = _missing(size, available) if available + SLACK < size < UNKNOWN else ""
    if available > limit:
        incomplete = _left_over(available - limit)
    value = min(available + (layout.header if header is chunk else 0), limit)
    patch = value.to_bytes(8 if wide else 4, "little" if layout.size[0] == "<" else "big")
    return Segment(0, stop, ((header.field, patch),), seekable=False, incomplete=incomplete)


def _end_of_chunks(file: BinaryIO, layout: Layout, position: int, stop: int) -> int:
    """Up to which byte a file goes on in whole chunks from a position on."""
    for chunk in _chunks(file, layout, position, stop):
        end = chunk.data + chunk.size
        names = all(letter in PLAIN for letter in chunk.name[:4]) and chunk.name[:4] not in LAYOUTS
        if chunk.size < 0 or end > stop or not names:
            break
        position = min(end + -end % layout.alignment, stop)
    return position


def _missing(size: int, available: int) -> str:
    return f"its header names {size} bytes of sound, but it holds {available}: the end is missing, as of a file cut off"


def _left_over(size: int) -> str:
    return (
        f"{size} bytes after the sound that its header names are not read; if they are sound, correct the length in "
        "its header, as ffmpeg -ignore_length 1 -i IN OUT.wav does in a WAV file"
    )
