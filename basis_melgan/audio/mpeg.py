"""Frames of an MPEG audio file, which decoders estimate from its size where no tag counts them.

ISO/IEC 11172-3 and 13818-3 have the frames; the tag in a silent first one, `Xing` or `Info`, is Xing's and LAME's.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO, NamedTuple

from basis_melgan.audio import tags
from basis_melgan.audio.segments import SLACK, Segment

KILOBITS = {  # per second, by (MPEG 1, layer)
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
RATES = (44_100, 48_000, 32_000)  # Hz, of MPEG 1; half of them in MPEG 2, a quarter in 2.5
TAGS = (b"Xing", b"Info")
LARGEST = 2881  # bytes of a frame
TAGGED = 200  # bytes of a frame within which a tag stands
SEARCHED = 1 << 16  # bytes at once


class Frame(NamedTuple):
    """One frame."""

    start: int  # byte
    size: int  # bytes, 0 where only the next frame tells
    samples: int
    kind: tuple[int, int]  # version and layer, and rate: the same in all frames of a stream


def mpeg_segments(file: BinaryIO, stop: int) -> list[Segment]:
    """The recordings of an MPEG audio file, each from its tag on; none where it is no such file.

    A tag that counts fewer frames than there are is hidden; one that counts more stays, since it also says how many
    samples an encoder put before and after the sound.
    """
    file.seek(0)
    first = _parsed(file.read(4), 0)
    if first is None:
        return []
    if first.size == 0:  # of a bit rate that its header does not say
        return [Segment(0, stop, endless=True, seekable=False)]
    segments: list[Segment] = []
    start, end, tag, count = 0, 0, -1, 0
    for frame in _frames(file, first.kind, stop):
        place = _tag(file, frame)
        if place >= 0 and (count or tag >= 0):
            segments.append(_segment(file, start, frame.start, tag, count, first.samples))
            start, count = frame.start, 0
        tag = place if place >= 0 else tag
        count += place < 0
        end = frame.start + frame.size
    final = _segment(file, start, stop, tag, count, first.samples)
    if not final.incomplete and stop - end > max(SLACK, LARGEST):
        incomplete = f"{stop - end} bytes after its last frame are damaged, or no sound, and are not read"
        final = replace(final, incomplete=incomplete)
    return [*segments, final]


def _segment(file: BinaryIO, start: int, stop: int, tag: int, frames: int, samples: int) -> Segment:
    """A recording of so many frames of so many samples, with a tag at a byte of the file, or at -1."""
    total = None
    if tag >= start:
        file.seek(tag + 4)
        flags, value = (int.from_bytes(file.read(4), "big") for _ in range(2))
        total = value if flags & 1 else None
    if total is None or frames > total + 1:
        patches = ((tag, bytes(4)),) if tag >= start else ()
        return Segment(start, stop, patches, endless=True, seekable=False, samples=frames * samples)
    if frames >= total - 1:
        return Segment(start, stop, seekable=False)
    incomplete = f"its tag counts {total} frames, but it holds {frames}: the end is missing, as of a file cut off"
    return Segment(start, stop, seekable=False, samples=frames * samples, incomplete=incomplete)


def _tag(file: BinaryIO, frame: Frame) -> int:
    """At which byte a frame's tag stands; -1 where it has none."""
    file.seek(frame.start)
    content = file.read(min(TAGGED, frame.size))
    return next((frame.start + place for tag in TAGS if (place := content.find(tag)) >= 0), -1)


def _frames(file: BinaryIO, kind: tuple[int, int], stop: int) -> Iterator[Frame]:
    """Whole frames of one kind in their order, what lies between them passed over."""
    position, lost = 0, False
    while position + 4 <= stop:
        frame = _frame(file, position, kind)
        after = position + frame.size if frame else stop
        if size := tags.id3v2_size(_read(file, position, 10)):  # of a recording that was put behind another
            position += size
        elif frame is None or (lost and after + 4 <= stop and _frame(file, after, kind) is None):
            position, lost = _sought(file, position + 1, stop), True
        elif after > stop:
            return
        else:
            yield frame
            position, lost = after, False


def _frame(file: BinaryIO, position: int, kind: tuple[int, int]) -> Frame | None:
    """The frame of a kind that begins at a byte; None where none does."""
    frame = _parsed(_read(file, position, 4), position)
    return frame if frame and frame.kind == kind and frame.size else None


def _read(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)


def _sought(file: BinaryIO, position: int, stop: int) -> int:
    """Where the next frame may begin; the end of the file where none does."""
    while position < stop:
        file.seek(position)
        place = file.read(SEARCHED).find(b"\xff")
        if place >= 0:
            return position + place
        position += SEARCHED
    return stop


def _parsed(header: bytes, start: int) -> Frame | None:
    """The frame that a header of four bytes begins; None where it is no header."""
    if len(header) < 4 or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    version, layer = header[1] >> 3 & 3, 4 - (header[1] >> 1 & 3)  # versions: 3 is MPEG 1, 2 is MPEG 2, 0 is 2.5
    step, index, padding = header[2] >> 4, header[2] >> 2 & 3, header[2] >> 1 & 1
    if version == 1 or layer == 4 or step == 15 or index == 3:
        return None
    rate = RATES[index] >> (0, 1, 2)[(3, 2, 0).index(version)]
    bits = 1000 * KILOBITS[version == 3, layer][step]
    samples = {1: 384, 2: 1152, 3: 1152 if version == 3 else 576}[layer]
    slot = 4 if layer == 1 else 1
    size = (samples // 8 // slot * bits // rate + padding) * slot if bits else 0
    return Frame(start, size, samples, (header[1] >> 1 & 15, index))
