"""Links of an Ogg file: streams that follow one another, of which libsndfile decodes the first alone.

RFC 3533 has the pages, RFC 7845 and the Vorbis I specification how many samples their positions mean.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, NamedTuple

from basis_melgan.audio.segments import SLACK, Segment

HEADER = struct.Struct("<4sBBqIIIB")
FIRST, LAST = 2, 4  # flags of a page
CAPTURE = b"OggS"
OPUS_RATE = 48_000  # Hz; that of positions, whatever the recording's
PACKET = 8_192  # samples; no codec has more in a packet
SEARCHED = 1 << 16  # bytes at once


class Page(NamedTuple):
    """One page of a stream."""

    start: int  # byte
    stop: int  # byte
    flags: int
    position: int  # samples up to its end, -1 where no packet ends in it
    stream: int
    packets: int  # that end in it


@dataclass
class Link:
    """What is known of a link once its pages have been seen."""

    start: int
    stream: int  # the first of those that are multiplexed, the only one where there is but sound
    stop: int = 0
    origin: int | None = None  # position at which its sound begins
    position: int = 0
    ended: bool = False

    def add(self, page: Page) -> None:
        """Go on by a page."""
        self.stop = page.stop
        if page.stream != self.stream:
            return
        self.ended = bool(page.flags & LAST)
        if page.position > 0:
            if self.origin is None:  # a recording of a broadcast begins anywhere
                self.origin = 0 if page.position <= page.packets * PACKET else page.position
            self.position = page.position


def ogg_segments(file: BinaryIO, stop: int) -> list[Segment]:
    """The links of an Ogg file; none where it is no such file."""
    file.seek(0)
    if file.read(4) != CAPTURE:
        return []
    links: list[Link] = []
    opening = False
    for page in _pages(file, stop):
        if page.flags & FIRST and not opening:
            links.append(Link(page.start, page.stream))
        opening = bool(page.flags & FIRST)
        if links:
            links[-1].add(page)
    segments = [_segment(file, link) for link in links]
    if segments and not segments[-1].incomplete and stop - segments[-1].stop > SLACK:
        incomplete = f"{stop - segments[-1].stop} bytes after its last page are damaged, or no sound, and are not read"
        segments[-1] = replace(segments[-1], incomplete=incomplete)
    return segments


def _segment(file: BinaryIO, link: Link) -> Segment:
    file.seek(link.start)
    content = file.read(HEADER.size + 255 + 64)
    head = content[HEADER.size + content[HEADER.size - 1] :]
    samples = link.position - (link.origin or 0)
    if head.startswith(b"OpusHead"):
        preskip, rate = struct.unpack("<HI", head[10:16])
        samples = max(samples - preskip, 0) * _opus_rate(rate) // OPUS_RATE
    incomplete = "" if link.ended else "its last page is missing, as of a file cut off"
    return Segment(link.start, link.stop, seekable=False, samples=samples, incomplete=incomplete)


def _opus_rate(rate: int) -> int:
    """The rate in Hz at which libsndfile decodes a recording that was encoded at `rate`."""
    return next((known for known in (8_000, 12_000, 16_000, 24_000) if rate <= known), OPUS_RATE)


def _pages(file: BinaryIO, stop: int) -> Iterator[Page]:
    """Whole pages in their order, damaged stretches passed over."""
    position = 0
    while position + HEADER.size <= stop:
        file.seek(position)
        capture, _, flags, samples, stream, _, _, count = HEADER.unpack(file.read(HEADER.size))
        if capture != CAPTURE:
            position = _sought(file, position + 1, stop)
            continue
        lacing = file.read(count)
        end = position + HEADER.size + count + sum(lacing)
        if end > stop:
            position = _sought(file, position + 1, stop)
            continue
        yield Page(position, end, flags, samples, stream, sum(value < 255 for value in lacing))
        position = end


def _sought(file: BinaryIO, position: int, stop: int) -> int:
    """Where the next page may begin; the end of the file where none does."""
    while position < stop:
        file.seek(position)
        place = file.read(SEARCHED).find(CAPTURE)
        if place >= 0:
            return position + place
        position += SEARCHED - len(CAPTURE) + 1
    return stop
