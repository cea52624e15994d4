"""Tags before and after the sound of a file, which say who sings and are no part of it."""

from typing import BinaryIO


def id3v2_size(header: bytes) -> int:
    """Bytes of the ID3v2 tag that the first ten bytes of a file begin, 0 where they begin none (ID3v2.4, section 3)."""
    if not header.startswith(b"ID3") or len(header) < 10:
        return 0
    size = sum((byte & 0x7F) << shift for byte, shift in zip(header[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size + (10 if header[5] & 0x10 else 0)


def trailing_tags_start(file: BinaryIO, stop: int) -> int:
    """The byte at which tags at the end of a file begin, its end where there are none: ID3v1 and, before it, APEv2."""
    if _read(file, stop - 128, 3) == b"TAG":
        stop -= 128
    footer = _read(file, stop - 32, 32)
    if footer.startswith(b"APETAGEX"):
        size = int.from_bytes(footer[12:16], "little") + (32 if footer[23] & 0x80 else 0)
        stop -= size if 32 <= size < stop else 0
    return stop


def _read(file: BinaryIO, position: int, size: int) -> bytes:
    """Bytes at a position, none where it lies before the file."""
    if position < 0:
        return b""
    file.seek(position)
    return file.read(size)
