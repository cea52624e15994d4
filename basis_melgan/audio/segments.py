"""What a decoder is shown of a sound file: its segments, each with a header that does not hide any of its sound."""

import io
from dataclasses import dataclass, replace
from typing import BinaryIO

ENDLESS = 1 << 40  # bytes that a file without a sample count is said to have, so that no estimate falls short
SLACK = 1024  # bytes; what careless writers are out by, and small tags at the end
TAIL = 128  # bytes at the end of an endless one that are the file's last, where decoders look for a tag
FURTHEST = 1 << 62  # byte that a damaged header can send a decoder to


@dataclass(frozen=True)
class Segment:
    """A stretch of a file that is decoded on its own."""

    start: int  # byte
    stop: int  # byte
    patches: tuple[tuple[int, bytes], ...] = ()  # position in the file, and what is shown there instead
    endless: bool = False  # shown as `ENDLESS`: its decoder estimates the number of samples from the number of bytes
    seekable: bool = True  # without its patches its header's sample count is right, and its decoder seeks by it
    samples: int | None = None  # of each channel that its data hold; None where only its header says so, or nothing
    incomplete: str = ""  # what is missing at its end, or left over behind it; empty where nothing is

    def shifted(self, offset: int) -> "Segment":
        """The same segment of a file that begins with `offset` more bytes."""
        patches = tuple((position + offset, content) for position, content in self.patches)
        return replace(self, start=self.start + offset, stop=self.stop + offset, patches=patches)


class View(io.RawIOBase):
    """A segment as a file of its own, read-only."""

    def __init__(self, file: BinaryIO, segment: Segment) -> None:
        self.file = file
        self.segment = segment
        self.position = 0

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether positions can be chosen: always."""
        return True

    def tell(self) -> int:
        """The byte that is read next."""
        return self.position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Choose the byte that is read next; positions that no file has are brought back to some that none reads."""
        size = ENDLESS if self.segment.endless else self.segment.stop - self.segment.start
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: size}[whence]
        self.position = min(max(origin + offset, 0), FURTHEST)
        return self.position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into a buffer as many bytes as fit and are left; returns how many."""
        begin = self.segment.start + self.position
        if self.segment.endless and ENDLESS - TAIL <= self.position < ENDLESS:
            begin = self.segment.stop - (ENDLESS - self.position)
        size = min(len(buffer), self.segment.stop - begin)
        if size <= 0 or begin < self.segment.start:  # of a file that is shorter than the tail
            return 0
        self.file.seek(begin)
        shown = memoryview(buffer)[:size]
        count = self.file.readinto(shown)  # type: ignore[attr-defined]
        for position, patch in self.segment.patches:
            first, last = max(position, begin), min(position + len(patch), begin + count)
            if first < last:
                shown[first - begin : last - begin] = patch[first - position : last - position]
        self.position += count
        return int(count)
