"""What can be spoken: mels and recordings, in files, folders, patterns, and on standard input."""

import glob
import io
import os
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO, NamedTuple
from zipfile import BadZipFile, ZipFile

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.errors import AudioError, MelError, OutputError
from basis_melgan.inference.mels import AnyMel
from basis_melgan.inference.vocoder import Vocoder

STANDARD = "-"  # input or output
MELS = (".npy", ".npz", ".pt")  # suffixes of their files
SPOKEN = frozenset(MELS) | files.SOUND  # of those that are spoken in a folder
NUMPY = b"\x93NUMPY"  # what a .npy file begins with
# What NumPy's reader raises on one that is damaged: MemoryError where its header asks for an array without bounds.
DAMAGES = (OSError, ValueError, OverflowError, SyntaxError, TokenError, EOFError, MemoryError)


class Pair(NamedTuple):
    """A file to be spoken, and where to."""

    source: Path
    out: Path


def pairs(source: str, out: Path) -> list[Pair]:
    """What is to be spoken where: a file into a file; what a folder holds, or a pattern matches, into a folder of WAVs.

    Raises:
        AudioError: there is nothing that can be spoken.
        OutputError: two sources would be written to one file, or `out` is a file where it should be a folder.
    """
    folder = Path(source)
    if folder.is_dir():
        if folder.resolve() == out.resolve():
            raise OutputError(f"{out}: is the folder of the sources; name another for what is made of them")
        found = [path for path in files.below(folder, SPOKEN) if out.resolve() not in path.resolve().parents]
        made = [Pair(path, (out / path.relative_to(folder)).with_suffix(".wav")) for path in found]
    elif glob.has_magic(source) and not folder.exists():
        found = [path for path in map(Path, sorted(glob.glob(source))) if path.suffix.lower() in SPOKEN]
        made = [Pair(path, (out / path.name).with_suffix(".wav")) for path in found if path.is_file()]
    else:
        return [Pair(folder, out)]
    if not made:
        raise AudioError(f"{source}: holds neither mels ({', '.join(MELS)}) nor sound files")
    if out.is_file():
        raise OutputError(f"{out}: is a file; name a folder for what is made of {source}")
    if len({pair.out for pair in made}) < len(made):
        twice = next(pair.out for pair in made if [other.out for other in made].count(pair.out) > 1)
        raise OutputError(f"{twice}: two sources would be written there; speak them one by one")
    return made


def spoken(source: Path, vocoder: Vocoder) -> tuple[Iterator[Wave], int]:
    """What a vocoder makes of a file, or of `-`, in consecutive pieces, and about how many samples there will be.

    Memory beyond the file's mel, where it is one, is bounded; a recording is read as it is spoken.

    Raises:
        AudioError: the file is neither a mel nor a sound file, or a recording that cannot be used.
        MelError: the mel is damaged, empty, or none that the vocoder can speak.
    """
    if source == Path(STANDARD):
        return _standard_input(vocoder)
    suffix = source.suffix.lower()
    if suffix in MELS:
        return _whole(read_mel(source), vocoder)
    if suffix in files.SUFFIXES:
        return _recording(source, vocoder)
    raise AudioError(
        f"{source}: {suffix or 'no suffix'} is neither a mel ({', '.join(MELS)}) nor a sound file (.wav, .flac, …)"
    )


def _standard_input(vocoder: Vocoder) -> tuple[Iterator[Wave], int]:
    """What standard input holds: a .npy file or a sound file."""
    content = sys.stdin.buffer.read()
    if content.startswith(NUMPY):
        return _whole(_array(io.BytesIO(content), "standard input"), vocoder)
    return _recording(io.BytesIO(content), vocoder)


def standard_frames(bands: int) -> Iterator[AnyMel]:
    """Mel frames (M, n) from standard input, as they come: M float32 each, one after another.

    Raises:
        MelError: the input ends within a frame.
    """
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
            return _archived(path)
        case _:
            return _tensor(path)


def _recording(source: Path | BinaryIO, vocoder: Vocoder) -> tuple[Iterator[Wave], int]:
    samples, rate = files.length(source)
    pieces = vocoder.resynthesised(files.stream(source, vocoder.info.rate))
    return pieces, samples * vocoder.info.rate // rate


def _whole(mel: AnyMel, vocoder: Vocoder) -> tuple[Iterator[Wave], int]:
    samples = vocoder.samples(mel)
    if mel.ndim != 2:
        raise MelError(f"mel of shape {mel.shape}: expected ({vocoder.info.bands}, F), one mel a file")
    return vocoder.pieces(mel, samples), samples


def _array(source: Path | io.BytesIO, name: str) -> AnyMel:
    try:
        if isinstance(source, Path):
            return np.lib.format.open_memmap(source, mode="r")  # which knows neither pickles nor archives
        return np.lib.format.read_array(source, allow_pickle=False)
    except DAMAGES as error:
        raise MelError(f"{name}: damaged or no array of numbers ({error}); save the mel with numpy.save") from error


def _archived(path: Path) -> AnyMel:
    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
            arrays = [np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False) for name in names]
    except (*DAMAGES, BadZipFile, zlib.error, RuntimeError) as error:  # RuntimeError: encrypted, or compressed oddly
        raise MelError(f"{path}: damaged or no archive of arrays ({error}); save the mel with numpy.savez") from error
    if len(arrays) != 1:
        found = ", ".join(name.removesuffix(".npy") for name in names)
        raise MelError(f"{path}: holds {len(arrays)} arrays ({found}); expected the mel alone")
    return arrays[0]


def _tensor(path: Path) -> AnyMel:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MelError(f"{path}: tensors need PyTorch; pip install torch, or save the mel with numpy.save") from error
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(found, torch.Tensor):
            mel: AnyMel = found.detach().to(torch.float32 if found.is_floating_point() else found.dtype).numpy()
            return mel
    except Exception as error:  # PyTorch, zipfile and its unpickler each raise their own kinds on a damaged file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MelError(f"{path}: damaged or no tensor ({reason}); save the mel alone with torch.save") from error
    raise MelError(f"{path}: holds a {type(found).__name__}; expected the mel alone, a tensor")
