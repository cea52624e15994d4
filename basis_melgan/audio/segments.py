"""Segments of a sound file as a decoder sees them, with headers patched so that all sound is decoded."""

import io
from dataclasses import dataclass, replace
from typing import BinaryIO

UNBOUNDED_SIZE = 1 << 40  # bytes presented for a file without a sample count, so that no estimate is too small
SLACK = 1024  # bytes; errors of careless writers, and small tags at the end
TAIL = 128  # bytes at the end of an unbounded view that are the file's last, where decoders look for a tag
MAX_POSITION = 1 << 62  # limit for positions from damaged headers


@dataclass(frozen=True)
class Segment:
    """A part of a file that is decoded on its own."""

    start: int  # byte
    stop: int  # byte
    patches: tuple[tuple[int, bytes], ...] = ()  # position in the file, and the bytes presented there instead
    unbounded: bool = False  # presented as `UNBOUNDED_SIZE`, for decoders that estimate samples from the size
    seekable: bool = True  # the header's sample count is right without patches, so that the decoder can seek
    samples: int | None = None  # of each channel, by the data; None if only the header states them, or nothing does
    incomplete: str = ""  # what is missing at its end, or unread after it; empty if nothing is

    def shift(self, offset: int) -> "Segment":
        """The same segment in a file with `offset` more bytes before it."""
        patches = tuple((position + offset, content) for position, content in self.patches)
        return replace(self, start=self.start + offset, stop=self.stop + offset, patches=patches)


class View(io.RawIOBase):
    """A segment as a read-only file."""

    def __init__(self, file: BinaryIO, segment: Segment) -> None:
        self.file = file
        self.segment = segment
        self.position = 0

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether it seeks: always."""
        return True

    def tell(self) -> int:
        """The position of the next byte."""
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position of the next byte, clipped to those that a file can have."""
        size = UNBOUNDED_SIZE if self.segment.unbounded else self.segment.stop - self.segment.start
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: size}[whence]
        self.position = min(max(origin + offset, 0), MAX_POSITION)
        return self.position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer with the next bytes of the segment; return their number."""
        begin = self.segment.start + self.position
        if self.segment.unbounded and UNBOUNDED_SIZE - TAIL <= self.position < UNBOUNDED_SIZE:
            begin = self.segment.stop - (UNBOUNDED_SIZE - self.position)
        size = min(len(buffer), self.segment.stop - begin)
        if size <= 0 or begin < self.segment.start:  # in a file shorter than the tail
            return 0
        self.file.seek(begin)
        target = memoryview(buffer)[:size]
        count = self.file.readinto(target)  # type: ignore[attr-defined]
        for position, patch in self.segment.patches:
            first, last = max(position, begin), min(position + len(patch), begin + count)
            if first < last:
                target[first - begin : last - begin] = patch[first - position : last - position]
        self.position += count
        return int(count)
