"""What can be spoken: mels and recordings, in files and on standard input."""

import io
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO
from zipfile import BadZipFile, ZipFile

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.errors import AudioError, MelError
from basis_melgan.inference.mel_checks import AnyMel
from basis_melgan.inference.source_selection import MELS
from basis_melgan.inference.vocoder import Vocoder

STANDARD = "-"  # input or output
INPUT, PIPED = "standard input", "pipe a mel (.npy) or a sound file into it"
NUMPY, ARCHIVE = b"\x93NUMPY", b"PK\x03\x04"  # what a .npy file begins with, and what .npz and .pt files do
# What NumPy's reader raises on one that is damaged: MemoryError where its header asks for an array without bounds.
DAMAGES = (OSError, ValueError, OverflowError, SyntaxError, TokenError, EOFError, MemoryError)


def spoken(source: Path, vocoder: Vocoder) -> tuple[Iterator[Wave], int]:
    """What a vocoder makes of a file, or of `-`, in consecutive pieces, and about how many samples there will be.

    Memory beyond the file's mel, where it is one, is bounded; a recording is read as it is spoken.

    Raises:
        AudioError: the file is neither a mel nor a sound file, or a recording that cannot be used.
        MelError: the mel is damaged, empty, or none that the vocoder can speak.
    """
    if source == Path(STANDARD):
        return _standard_input(vocoder)
    if source.is_dir():
        raise AudioError(f"{source}: is a folder; name one file")
    suffix = source.suffix.lower()
    if suffix in MELS:
        return _whole(read_mel(source), vocoder)
    if suffix in files.READABLE_SUFFIXES:
        return _recording(source, vocoder)
    if not source.exists():
        raise AudioError(f"{source}: no such file; expected a mel ({', '.join(MELS)}) or a sound file")
    raise AudioError(
        f"{source}: {suffix or 'no suffix'} is neither a mel ({', '.join(MELS)}) nor a sound file (.wav, .flac, …)"
    )


def _standard_input(vocoder: Vocoder) -> tuple[Iterator[Wave], int]:
    """What standard input holds: a mel's file or a sound file."""
    require_input()
    content = sys.stdin.buffer.read()
    if not content:
        raise AudioError(f"{INPUT}: holds nothing; {PIPED}")
    if content.startswith(NUMPY):
        return _whole(_array(io.BytesIO(content), INPUT), vocoder)
    if content.startswith(ARCHIVE):
        return _whole(_packed(io.BytesIO(content), INPUT), vocoder)
    return _recording(io.BytesIO(content), vocoder)


def require_input() -> None:
    """Check that something is piped in.

    Raises:
        AudioError: standard input is closed or a terminal.
    """
    if sys.stdin is None or sys.stdin.closed:
        raise AudioError(f"{INPUT}: is closed; {PIPED}")
    if sys.stdin.isatty():
        raise AudioError(f"{INPUT}: is the terminal; {PIPED}")


def standard_frames(bands: int) -> Iterator[AnyMel]:
    """Mel frames (M, n) from standard input, as they come: M float32 each, one after another.

    Raises:
        AudioError: nothing is piped in.
        MelError: the input ends within a frame.
    """
    require_input()
    size, left = 4 * bands, b""
    while chunk := os.read(sys.stdin.fileno(), 1 << 16):  # what is there, without waiting for more
        left += chunk
        whole = len(left) // size * size
        if whole:
            yield np.frombuffer(left[:whole], np.float32).reshape(-1, bands).T
        left = left[whole:]
    if left:
        raise MelError(f"standard input: ends {len(left)} bytes into a frame; expected {bands} float32 a frame")


def read_mel(path: Path) -> AnyMel:
    """The one array of a ``.npy`` file, which stays on disk until it is used, of a ``.npz`` or of a ``.pt`` file.

    No pickle is loaded: of a ``.pt`` file only what PyTorch takes for weights.

    Raises:
        MelError: the file is missing, damaged, or holds something other than one array of numbers.
    """
    if not path.exists():
        raise MelError(f"{path}: no such file; expected a mel ({', '.join(MELS)})")
    match path.suffix.lower():
        case ".npy":
            return _array(path, str(path))
        case ".npz":
            return _archived(path, str(path))
        case _:
            return _tensor(path, str(path))


def _recording(source: Path | BinaryIO, vocoder: Vocoder) -> tuple[Iterator[Wave], int]:
    samples, rate = files.length(source)
    pieces = vocoder.resynthesized(files.stream(source, vocoder.info.sample_rate))
    return pieces, samples * vocoder.info.sample_rate // rate


def _whole(mel: AnyMel, vocoder: Vocoder) -> tuple[Iterator[Wave], int]:
    if mel.ndim == 3 and mel.shape[0] == 1:  # a batch of one, as models predict it
        mel = mel[0]
    samples = vocoder.samples(mel)
    if mel.ndim != 2:
        raise MelError(
            f"mel of shape {mel.shape}: holds {mel.shape[0]} mels; save each to a file of its own and give the folder"
        )
    return vocoder.pieces(mel, samples), samples


def _array(source: Path | io.BytesIO, name: str) -> AnyMel:
    mel: AnyMel
    try:
        if isinstance(source, Path):
            array = np.lib.format.open_memmap(source, mode="r")  # which knows neither pickles nor archives
            mel, excess = array, source.stat().st_size - array.offset - array.nbytes
        else:
            mel, excess = np.lib.format.read_array(source, allow_pickle=False), len(source.read())
    except DAMAGES as error:
        raise MelError(f"{name}: damaged or no array of numbers ({error}); save the mel with numpy.save") from error
    if excess:
        raise MelError(f"{name}: holds {excess} bytes behind its first array; expected the mel alone, so save it anew")
    return mel


def _packed(source: io.BytesIO, name: str) -> AnyMel:
    """The mel of a .npz or a .pt file, which both are archives."""
    try:
        with ZipFile(source) as archive:
            is_npz = all(entry.endswith(".npy") for entry in archive.namelist())
    except (OSError, BadZipFile) as error:
        raise MelError(f"{name}: damaged ({error}); save the mel with numpy.save") from error
    source.seek(0)
    return _archived(source, name) if is_npz else _tensor(source, name)


def _archived(source: Path | io.BytesIO, name: str) -> AnyMel:
    try:
        with ZipFile(source) as archive:
            entries = archive.namelist()
            contents = [io.BytesIO(archive.read(entry)) for entry in entries]
            arrays = [np.lib.format.read_array(content, allow_pickle=False) for content in contents]
    except (*DAMAGES, BadZipFile, zlib.error, RuntimeError) as error:  # RuntimeError: encrypted, or compressed oddly
        raise MelError(f"{name}: damaged or no archive of arrays ({error}); save the mel with numpy.savez") from error
    if len(arrays) != 1:
        held = ", ".join(entry.removesuffix(".npy") for entry in entries)
        raise MelError(f"{name}: holds {len(arrays)} arrays ({held}); expected the mel alone")
    return arrays[0]


def _tensor(source: Path | io.BytesIO, name: str) -> AnyMel:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MelError(f"{name}: tensors need PyTorch; pip install torch, or save the mel with numpy.save") from error
    try:
        found = torch.load(source, map_location="cpu", weights_only=True)
        if isinstance(found, torch.Tensor):
            mel: AnyMel = found.detach().to(torch.float32 if found.is_floating_point() else found.dtype).numpy()
            return mel
    except Exception as error:  # PyTorch, zipfile and its unpickler each raise their own kinds on a damaged file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MelError(f"{name}: damaged or no tensor ({reason}); save the mel alone with torch.save") from error
    raise MelError(f"{name}: holds a {type(found).__name__}; expected the mel alone, a tensor")
