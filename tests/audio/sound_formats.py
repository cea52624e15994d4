"""Sound in every container, with headers as recorders, encoders and damaged copies leave them."""

import io
import struct
from collections.abc import Callable

import numpy as np
import soundfile

UNSIZED = (0, 0x7FFF_FFFF, 0x7FFF_F000, 0x8000_0000, 0xFFFF_FFFF)  # stand for an unknown length


def encode(wave: np.ndarray, rate: int, kind: str, subtype: str | None = None, **settings: object) -> bytes:
    """A wave (T,) or (T, channels) as a file of soundfile's format `kind`."""
    file = io.BytesIO()
    soundfile.write(file, wave, rate, format=kind, subtype=subtype, **settings)
    return file.getvalue()


def patch_bytes(content: bytes, position: int, patch: bytes) -> bytes:
    return content[:position] + patch + content[position + len(patch) :]


def with_size(content: bytes, size: int) -> bytes:
    """A file with another size of its sound in the header."""
    match content[:4]:
        case b"RIFF":
            return patch_bytes(content, content.index(b"data") + 4, struct.pack("<I", size & 0xFFFF_FFFF))
        case b"RIFX":
            return patch_bytes(content, content.index(b"data") + 4, struct.pack(">I", size & 0xFFFF_FFFF))
        case b"FORM":
            return patch_bytes(content, content.index(b"SSND") + 4, struct.pack(">I", size & 0xFFFF_FFFF))
        case b".snd":
            return patch_bytes(content, 8, struct.pack(">I", size & 0xFFFF_FFFF))
        case b"caff":
            return patch_bytes(content, content.index(b"data") + 4, struct.pack(">q", size))
        case b"riff":
            return patch_bytes(content, content.index(b"data\xf3\xac") + 16, struct.pack("<q", size))
        case b"RF64":
            return patch_bytes(content, content.index(b"ds64") + 16, struct.pack("<q", size))
    raise AssertionError(content[:4])


def with_sample_count(flac: bytes, samples: int) -> bytes:
    """A FLAC file with another sample count in the header, 0 as encoders to a pipe leave it."""
    return patch_bytes(flac, 22, struct.pack(">I", samples))


def tag_position(mp3: bytes) -> int:
    return max(mp3.find(b"Xing"), mp3.find(b"Info"))


def without_tag(mp3: bytes) -> bytes:
    """An MP3 file without the tag that counts its frames, as of a stream."""
    return patch_bytes(mp3, tag_position(mp3), bytes(4))


def with_frame_count(mp3: bytes, frames: int) -> bytes:
    """An MP3 file with another frame count in its tag."""
    return patch_bytes(mp3, tag_position(mp3) + 8, struct.pack(">I", frames))


def id3v2(size: int) -> bytes:
    """A tag of `size` bytes that look like the beginnings of MPEG frames, as pictures in tags may."""
    digits = bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x04\x00\x00" + digits + (b"\xff\xfb\x90\x00" * size)[:size]


ID3V1 = b"TAG" + bytes(125)
APEV2 = bytes(1968) + b"APETAGEX" + struct.pack("<IIII", 2000, 2000, 1, 0) + bytes(8)  # no header, 1 968 bytes, footer

# Containers of samples that are not compressed, with the length of the sound in their headers.
CONTAINERS: dict[str, Callable[[np.ndarray, int], bytes]] = {
    "wav": lambda wave, rate: encode(wave, rate, "WAV", "PCM_16"),
    "rifx": lambda wave, rate: encode(wave, rate, "WAV", "PCM_16", endian="BIG"),
    "wavex": lambda wave, rate: encode(wave, rate, "WAVEX", "PCM_24"),
    "wav-float": lambda wave, rate: encode(wave, rate, "WAV", "FLOAT"),
    "rf64": lambda wave, rate: encode(wave, rate, "RF64", "PCM_16"),
    "aiff": lambda wave, rate: encode(wave, rate, "AIFF", "PCM_16"),
    "au": lambda wave, rate: encode(wave, rate, "AU", "PCM_16"),
    "caf": lambda wave, rate: encode(wave, rate, "CAF", "PCM_16"),
    "w64": lambda wave, rate: encode(wave, rate, "W64", "PCM_16"),
}
