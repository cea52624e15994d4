"""Links of Ogg files: concatenated streams, of which libsndfile decodes only the first.

RFC 3533 defines the pages, RFC 7845 and the Vorbis I specification the samples that their positions stand for.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, NamedTuple

from basis_melgan.audio.segments import SLACK, Segment

HEADER = struct.Struct("<4sBBqIIIB")
FIRST, LAST = 2, 4  # flags of a page
CAPTURE = b"OggS"
OPUS_RATE = 48_000  # Hz, of positions at any sample rate
MAX_PACKET = 8_192  # samples of any codec
SEARCH_BLOCK = 1 << 16  # bytes


class Page(NamedTuple):
    """One page of a stream."""

    start: int  # byte
    stop: int  # byte
    flags: int
    position: int  # samples up to its end, -1 if no packet ends in it
    stream: int
    packets: int  # packets that end in it


@dataclass
class Link:
    """A link, accumulated page by page."""

    start: int
    stream: int  # the first of multiplexed streams, the only one in files of sound alone
    stop: int = 0
    origin: int | None = None  # position where its sound begins
    position: int = 0
    is_complete: bool = False

    def add(self, page: Page) -> None:
        """Add the next page."""
        self.stop = page.stop
        if page.stream != self.stream:
            return
        self.is_complete = bool(page.flags & LAST)
        if page.position > 0:
            if self.origin is None:  # recordings of a broadcast begin at any position
                self.origin = 0 if page.position <= page.packets * MAX_PACKET else page.position
            self.position = page.position


def ogg_segments(file: BinaryIO, stop: int) -> list[Segment]:
    """The links of an Ogg file; empty if the file has another format."""
    file.seek(0)
    if file.read(4) != CAPTURE:
        return []
    links: list[Link] = []
    at_link_start = False
    for page in _pages(file, stop):
        if page.flags & FIRST and not at_link_start:
            links.append(Link(page.start, page.stream))
        at_link_start = bool(page.flags & FIRST)
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
    incomplete = "" if link.is_complete else "its last page is missing, so the file is truncated"
    return Segment(link.start, link.stop, seekable=False, samples=samples, incomplete=incomplete)


def _opus_rate(rate: int) -> int:
    """The sample rate in Hz at which libsndfile decodes a recording encoded at `rate`."""
    return next((opus_rate for opus_rate in (8_000, 12_000, 16_000, 24_000) if rate <= opus_rate), OPUS_RATE)


def _pages(file: BinaryIO, stop: int) -> Iterator[Page]:
    """Complete pages in order; damaged parts are skipped."""
    position = 0
    while position + HEADER.size <= stop:
        file.seek(position)
        capture, _, flags, samples, stream, _, _, count = HEADER.unpack(file.read(HEADER.size))
        if capture != CAPTURE:
            position = _next_capture(file, position + 1, stop)
            continue
        lacing = file.read(count)
        end = position + HEADER.size + count + sum(lacing)
        if end > stop:
            position = _next_capture(file, position + 1, stop)
            continue
        yield Page(position, end, flags, samples, stream, sum(value < 255 for value in lacing))
        position = end


def _next_capture(file: BinaryIO, position: int, stop: int) -> int:
    """Position where the next page may begin; the end of the file if there is none."""
    while position < stop:
        file.seek(position)
        offset = file.read(SEARCH_BLOCK).find(CAPTURE)
        if offset >= 0:
            return position + offset
        position += SEARCH_BLOCK - len(CAPTURE) + 1
    return stop
