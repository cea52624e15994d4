"""Headers of uncompressed sound and of FLAC: their stated lengths compared with the size of the file.

WAV, RF64, AIFF, Wave64 and CAF consist of chunks, each a name, a size and as many bytes: Multimedia Programming
Interface and Data Specifications 1.0 (IBM and Microsoft, 1991), EBU Tech 3306, Audio Interchange File Format 1.3, and
Apple's Core Audio Format Specification 1.0. Recorders that stream, or that were interrupted, leave a size of 0 or the
largest possible one.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from basis_melgan.audio.segments import SLACK, Segment

UNKNOWN_SIZE = 0x7FFF_0000  # bytes; sizes from here on stand for an unknown one
PRINTABLE = bytes(range(0x20, 0x7F))  # ASCII characters that names of chunks consist of


@dataclass(frozen=True)
class Layout:
    """Layout of the chunks of a format."""

    first: int  # position of the first chunk
    name: int  # bytes of a chunk's name
    size: str  # format of a chunk's size, for struct
    sound: bytes  # name of the chunk of samples, or its first bytes
    header: int = 0  # bytes of the chunk's header that its size includes
    alignment: int = 2


class Chunk(NamedTuple):
    """One chunk of a file."""

    name: bytes
    field: int  # position of its size
    data: int  # position of its content
    size: int  # bytes of its content, as its header states


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
    """The segment of a file of chunks, patched where its header states no length or too large a one.

    None if the file has another format, or no chunk of samples.
    """
    file.seek(0)
    magic = file.read(4)
    if magic not in LAYOUTS:
        return None
    layout = LAYOUTS[magic]
    size_chunk = None
    for chunk in _chunks(file, layout, layout.first, stop):
        if chunk.name == b"ds64":  # RF64 states the size of its chunk of samples here
            file.seek(chunk.data + 8)
            size_chunk = Chunk(b"", chunk.data + 8, 0, int.from_bytes(file.read(8), "little", signed=True))
        elif chunk.name.startswith(layout.sound):
            header = size_chunk if size_chunk and chunk.size == 0xFFFF_FFFF else chunk
            return _patched_segment(file, stop, layout, chunk, header)
    return None


def au_segment(file: BinaryIO, stop: int) -> Segment | None:
    """The segment of a Sun AU file, whose header states where its samples begin and their size; None for others."""
    file.seek(0)
    header = file.read(12)
    if header[:4] != b".snd" or len(header) < 12:
        return None
    begin, size = struct.unpack(">II", header[4:])
    available = max(stop - begin, 0)
    if size == available or size == 0xFFFF_FFFF:
        return Segment(0, stop)
    if 0 < size < available:
        return Segment(0, stop, incomplete=_trailing_bytes(available - size) if available - size > SLACK else "")
    incomplete = _truncation(size, available) if available + SLACK < size < UNKNOWN_SIZE else ""
    return Segment(0, stop, ((8, b"\xff\xff\xff\xff"),), seekable=False, incomplete=incomplete)


def flac_segment(file: BinaryIO, stop: int) -> Segment | None:
    """The segment of a FLAC file, patched to have no sample count, so that it is decoded to its end; None for others.

    RFC 9639, section 8.2: the count is the 36 bits from the 172nd of the file, and 0 if it is unknown.
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
    """Chunks from a position on, up to and including the first that reaches the end of the file or beyond."""
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


def _patched_segment(file: BinaryIO, stop: int, layout: Layout, chunk: Chunk, header: Chunk) -> Segment:
    """The segment of a file whose samples are a chunk with the size that `header` states."""
    available, size = stop - chunk.data, header.size
    if 0 < size <= available or available == 0:
        end = _end_of_chunks(file, layout, min(chunk.data + size + -size % layout.alignment, stop), stop)
        return Segment(0, end, incomplete=_trailing_bytes(stop - end) if stop - end > SLACK else "")
    if size == 0 and stop == _end_of_chunks(file, layout, chunk.data, stop):  # truly without samples
        return Segment(0, stop)
    wide = struct.calcsize(layout.size) == 8 or header is not chunk
    limit = (1 << 63 if wide else 1 << 32) - 1
    incomplete = _truncation(size, available) if available + SLACK < size < UNKNOWN_SIZE else ""
    if available > limit:
        incomplete = _trailing_bytes(available - limit)
    value = min(available + (layout.header if header is chunk else 0), limit)
    patch = value.to_bytes(8 if wide else 4, "little" if layout.size[0] == "<" else "big")
    return Segment(0, stop, ((header.field, patch),), seekable=False, incomplete=incomplete)


def _end_of_chunks(file: BinaryIO, layout: Layout, position: int, stop: int) -> int:
    """End of the complete chunks that follow a position without a gap."""
    for chunk in _chunks(file, layout, position, stop):
        end = chunk.data + chunk.size
        has_chunk_name = all(letter in PRINTABLE for letter in chunk.name[:4]) and chunk.name[:4] not in LAYOUTS
        if chunk.size < 0 or end > stop or not has_chunk_name:
            break
        position = min(end + -end % layout.alignment, stop)
    return position


def _truncation(size: int, available: int) -> str:
    return (
        f"its header states {size} bytes of sound, but it holds {available}: the end is missing, "
        "so the file is truncated"
    )


def _trailing_bytes(size: int) -> str:
    return (
        f"{size} bytes after the sound that its header states are not read; if they are sound, correct the length in "
        "its header, as ffmpeg -ignore_length 1 -i IN OUT.wav does in a WAV file"
    )
