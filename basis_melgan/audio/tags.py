"""Tags (ID3, APE) before and after the sound of a file."""

from typing import BinaryIO


def id3v2_size(header: bytes) -> int:
    """Size in bytes of the ID3v2 tag whose header is ten bytes of a file, 0 if they are none (ID3v2.4, section 3)."""
    if not header.startswith(b"ID3") or len(header) < 10:
        return 0
    size = sum((byte & 0x7F) << shift for byte, shift in zip(header[6:10], (21, 14, 7, 0), strict=True))
    return 10 + size + (10 if header[5] & 0x10 else 0)


def trailing_tags_start(file: BinaryIO, stop: int) -> int:
    """Start of the tags at the end of a file, its end if there are none: ID3v1 and, before it, APEv2."""
    if _read(file, stop - 128, 3) == b"TAG":
        stop -= 128
    footer = _read(file, stop - 32, 32)
    if footer.startswith(b"APETAGEX"):
        size = int.from_bytes(footer[12:16], "little") + (32 if footer[23] & 0x80 else 0)
        stop -= size if 32 <= size < stop else 0
    return stop


def _read(file: BinaryIO, position: int, size: int) -> bytes:
    """Bytes at a position, empty if it is negative."""
    if position < 0:
        return b""
    file.seek(position)
    return file.read(size)
