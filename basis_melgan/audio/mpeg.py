"""Frames of MPEG audio files; without a tag that counts them, decoders estimate their number from the size.

ISO/IEC 11172-3 and 13818-3 define the frames, Xing and LAME the tag `Xing` or `Info` in a silent first one.
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
MAX_FRAME_SIZE = 2881  # bytes
TAG_RANGE = 200  # bytes of a frame within which a tag is found
SEARCH_BLOCK = 1 << 16  # bytes


class Frame(NamedTuple):
    """A frame."""

    start: int  # byte
    size: int  # bytes, 0 if the header does not state a bit rate
    samples: int
    kind: tuple[int, int]  # version and layer, and rate: equal for all frames of a stream


def mpeg_segments(file: BinaryIO, stop: int) -> list[Segment]:
    """The recordings of an MPEG audio file, each from its tag on; empty if the file has another format.

    A tag that counts too few frames is hidden. One that counts too many is kept, since it also states how many samples
    the encoder added before and after the sound.
    """
    file.seek(0)
    first = _parse_header(file.read(4), 0)
    if first is None:
        return []
    if first.size == 0:  # a bit rate that the header does not state
        return [Segment(0, stop, unbounded=True, seekable=False)]
    segments: list[Segment] = []
    start, end, tag, count = 0, 0, -1, 0
    for frame in _frames(file, first.kind, stop):
        tag_position = _tag_position(file, frame)
        if tag_position >= 0 and (count or tag >= 0):
            segments.append(_segment(file, start, frame.start, tag, count, first.samples))
            start, count = frame.start, 0
        tag = tag_position if tag_position >= 0 else tag
        count += tag_position < 0
        end = frame.start + frame.size
    final = _segment(file, start, stop, tag, count, first.samples)
    if not final.incomplete and stop - end > max(SLACK, MAX_FRAME_SIZE):
        incomplete = f"{stop - end} bytes after its last frame are damaged, or no sound, and are not read"
        final = replace(final, incomplete=incomplete)
    return [*segments, final]


def _segment(file: BinaryIO, start: int, stop: int, tag: int, frames: int, samples: int) -> Segment:
    """The segment of a recording of frames of `samples` samples each, with a tag at a position, -1 for none."""
    total = None
    if tag >= start:
        file.seek(tag + 4)
        flags, value = (int.from_bytes(file.read(4), "big") for _ in range(2))
        total = value if flags & 1 else None
    if total is None or frames > total + 1:
        patches = ((tag, bytes(4)),) if tag >= start else ()
        return Segment(start, stop, patches, unbounded=True, seekable=False, samples=frames * samples)
    if frames >= total - 1:
        return Segment(start, stop, seekable=False)
    incomplete = f"its tag counts {total} frames, but it holds {frames}: the end is missing, so the file is truncated"
    return Segment(start, stop, seekable=False, samples=frames * samples, incomplete=incomplete)


def _tag_position(file: BinaryIO, frame: Frame) -> int:
    """Position of a frame's tag; -1 if it has none."""
    file.seek(frame.start)
    content = file.read(min(TAG_RANGE, frame.size))
    return next((frame.start + tag_position for tag in TAGS if (tag_position := content.find(tag)) >= 0), -1)


def _frames(file: BinaryIO, kind: tuple[int, int], stop: int) -> Iterator[Frame]:
    """Complete frames of one kind in order; bytes between them are skipped."""
    position, resyncing = 0, False
    while position + 4 <= stop:
        frame = _frame(file, position, kind)
        after = position + frame.size if frame else stop
        if size := tags.id3v2_size(_read(file, position, 10)):  # of a concatenated recording
            position += size
        elif frame is None or (resyncing and after + 4 <= stop and _frame(file, after, kind) is None):
            position, resyncing = _next_sync(file, position + 1, stop), True
        elif after > stop:
            return
        else:
            yield frame
            position, resyncing = after, False


def _frame(file: BinaryIO, position: int, kind: tuple[int, int]) -> Frame | None:
    """The frame of a kind at a position; None if there is none."""
    frame = _parse_header(_read(file, position, 4), position)
    return frame if frame and frame.kind == kind and frame.size else None


def _read(file: BinaryIO, position: int, size: int) -> bytes:
    file.seek(position)
    return file.read(size)


def _next_sync(file: BinaryIO, position: int, stop: int) -> int:
    """Position where the next frame may begin; the end of the file if there is none."""
    while position < stop:
        file.seek(position)
        tag_position = file.read(SEARCH_BLOCK).find(b"\xff")
        if tag_position >= 0:
            return position + tag_position
        position += SEARCH_BLOCK
    return stop


def _parse_header(header: bytes, start: int) -> Frame | None:
    """The frame of a header of four bytes; None if they are none."""
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
