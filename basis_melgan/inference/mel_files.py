"""Files of mels: one array in a .npy, a .npz or a .pt file."""

import io
import zlib
from pathlib import Path
from tokenize import TokenError
from zipfile import BadZipFile, ZipFile

import numpy as np

from basis_melgan.errors import MelError
from basis_melgan.inference.mel_checks import Mel

MEL_SUFFIXES = (".npy", ".npz", ".pt")
NPY_MAGIC, ZIP_MAGIC = b"\x93NUMPY", b"PK\x03\x04"  # first bytes of .npy files, and of .npz and .pt files
# Raised by NumPy's reader on damaged files: MemoryError where the header asks for an array without bounds.
READ_ERRORS = (OSError, ValueError, OverflowError, SyntaxError, TokenError, EOFError, MemoryError)


def read_mel(path: Path) -> Mel:
    """The single array of a .npy file, memory-mapped, or of a .npz or .pt file.

    No pickle is loaded: of a .pt file only what `torch.load` takes for weights.

    Raises:
        MelError: the file is missing, damaged, or holds something other than one array of numbers.
    """
    if not path.exists():
        raise MelError(f"{path}: no such file; expected a mel ({', '.join(MEL_SUFFIXES)})")
    match path.suffix.lower():
        case ".npy":
            return _read_npy(path, str(path))
        case ".npz":
            return _read_npz(path, str(path))
        case _:
            return _read_tensor(path, str(path))


def is_mel_file(content: bytes) -> bool:
    """Whether the content of a file begins as that of a .npy, a .npz or a .pt file."""
    return content.startswith((NPY_MAGIC, ZIP_MAGIC))


def parse_mel(content: bytes, name: str) -> Mel:
    """The single array in the content of a .npy, a .npz or a .pt file, which messages call `name`.

    Raises:
        MelError: as `read_mel`.
    """
    if content.startswith(NPY_MAGIC):
        return _read_npy(io.BytesIO(content), name)
    try:
        with ZipFile(io.BytesIO(content)) as archive:
            is_npz = all(entry.endswith(".npy") for entry in archive.namelist())
    except (OSError, BadZipFile) as error:
        raise MelError(f"{name}: damaged ({error}); save the mel with numpy.save") from error
    return _read_npz(io.BytesIO(content), name) if is_npz else _read_tensor(io.BytesIO(content), name)


def _read_npy(source: Path | io.BytesIO, name: str) -> Mel:
    mel: Mel
    try:
        if isinstance(source, Path):
            array = np.lib.format.open_memmap(source, mode="r")  # which reads neither pickles nor archives
            mel, excess = array, source.stat().st_size - array.offset - array.nbytes
        else:
            mel, excess = np.lib.format.read_array(source, allow_pickle=False), len(source.read())
    except READ_ERRORS as error:
        raise MelError(f"{name}: damaged or no array of numbers ({error}); save the mel with numpy.save") from error
    if excess:
        raise MelError(f"{name}: holds {excess} bytes after its first array; expected the mel alone, so save it again")
    return mel


def _read_npz(source: Path | io.BytesIO, name: str) -> Mel:
    try:
        with ZipFile(source) as archive:
            entries = archive.namelist()
            contents = [io.BytesIO(archive.read(entry)) for entry in entries]
            arrays = [np.lib.format.read_array(content, allow_pickle=False) for content in contents]
    except (*READ_ERRORS, BadZipFile, zlib.error, RuntimeError) as error:  # RuntimeError: encrypted, or odd compression
        raise MelError(f"{name}: damaged or no archive of arrays ({error}); save the mel with numpy.savez") from error
    if len(arrays) != 1:
        names = ", ".join(entry.removesuffix(".npy") for entry in entries)
        raise MelError(f"{name}: holds {len(arrays)} arrays ({names}); expected the mel alone")
    return arrays[0]


def _read_tensor(source: Path | io.BytesIO, name: str) -> Mel:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise MelError(f"{name}: tensors need PyTorch; pip install torch, or save the mel with numpy.save") from error
    try:
        content = torch.load(source, map_location="cpu", weights_only=True)
        if isinstance(content, torch.Tensor):
            dtype = torch.float32 if content.is_floating_point() else content.dtype
            mel: Mel = content.detach().to(dtype).numpy()
            return mel
    except Exception as error:  # PyTorch, zipfile and its unpickler each raise their own kinds on a damaged file
        reason = " ".join(str(error).split()) or type(error).__name__
        raise MelError(f"{name}: damaged or no tensor ({reason}); save the mel alone with torch.save") from error
    raise MelError(f"{name}: holds a {type(content).__name__}; expected the mel alone, a tensor")
