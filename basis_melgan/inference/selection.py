"""Which files of a folder or a pattern are spoken, and where to; what is passed over, and why."""

import glob
import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from basis_melgan.audio import files
from basis_melgan.errors import AudioError, OutputError
from basis_melgan.storage.folders import visible_files
from basis_melgan.storage.paths import require_creatable

MELS = (".npy", ".npz", ".pt")  # suffixes of their files
SPOKEN = frozenset(MELS) | files.SOUND  # of those that are spoken
# Suffixes of mels and of sound that cannot be read here, by which a file is told from others that nobody wants spoken.
FOREIGN_MELS = frozenset({".h5", ".hdf5", ".mat", ".pth"})
HEADERLESS = frozenset({".g722", ".pcm", ".raw", ".sln"})  # sound that says neither rate nor format


class Pair(NamedTuple):
    """A file to be spoken, and where to."""

    source: Path
    out: Path


@dataclass
class Selection:
    """What of a folder or a pattern is spoken, and what is not.

    Attributes:
        pairs: files to be spoken, and where to.
        unusable: why files and folders cannot be used that hold, or seem to hold, mels or sound.
        foreign: files of other kinds, which are left alone.
        renamed: those of the pairs that would have been written to one file.
    """

    pairs: list[Pair] = field(default_factory=list)
    unusable: dict[Path, str] = field(default_factory=dict)
    foreign: list[Path] = field(default_factory=list)
    renamed: list[Pair] = field(default_factory=list)


def is_collection(source: str) -> bool:
    """Whether a source is a folder or a pattern, of which each file is spoken by itself."""
    return Path(source).is_dir() or (glob.has_magic(source) and not Path(source).exists())


def select(source: str, out: Path, force: bool = False) -> Selection:
    """What a folder holds below it, or a pattern matches, into a folder of WAVs.

    A file is called as its source. Sources that share a name, such as ``a.npy`` and ``a.flac``, keep their suffixes:
    ``a.npy.wav`` and ``a.flac.wav``. Hidden files and folders are passed over.

    Args:
        source: the folder or the pattern.
        out: folder for what is made of them; its own files are no sources.
        force: replace what exists.

    Raises:
        AudioError: there is nothing that can be spoken.
        OutputError: `out` is a file or the folder of the sources, or lies in it and holds files, or an output exists
            and `force` is not given.
    """
    folder = Path(source) if Path(source).is_dir() else None
    base = folder or _fixed_part(source)
    _require_out(source, base, out, folder is not None, force)
    selection = Selection()
    paths = _below(folder, selection) if folder else _matches(source, selection)
    inside = base.resolve() in out.resolve().parents
    for path in paths:
        if not (inside and out.resolve() in path.resolve().parents):
            _sort(path, out, selection)
    if not selection.pairs:
        raise AudioError(_nothing(source, selection))
    _tell_apart(selection, base, out, nested=folder is not None)
    for pair in selection.pairs:
        require_out(pair, force)
    return selection


def require_out(pair: Pair, force: bool) -> None:
    """Check, before any work, that a file may be written, and that it does not replace its own source.

    Raises:
        OutputError: the output exists and `force` is not given, is the source, or is none that can be written.
    """
    if pair.out.exists() and pair.source.exists() and pair.out.samefile(pair.source):
        raise OutputError(f"{pair.out}: is the source itself; name another file")
    require_creatable(pair.out)
    files.require_free(pair.out, force)


def _require_out(source: str, base: Path, out: Path, is_folder: bool, force: bool) -> None:
    if out.is_file():
        raise OutputError(f"{out}: is a file; name a folder for what is made of {source}")
    require_creatable(out)
    if not is_folder:
        return
    if base.resolve() == out.resolve():
        raise OutputError(f"{out}: is the folder of the sources; name another for what is made of them")
    if base.resolve() in out.resolve().parents and out.is_dir() and any(out.iterdir()) and not force:
        raise OutputError(
            f"{out}: lies in the folder of the sources and holds files, which would not be spoken; name a folder "
            "elsewhere, or --force if they were made of the sources"
        )


def _below(folder: Path, selection: Selection) -> list[Path]:
    """Every file below a folder, sorted; which folders cannot be looked into, the selection says."""

    def note_error(error: OSError) -> None:
        selection.unusable[Path(error.filename)] = f"cannot be looked into ({error.strerror})"

    def note_link(link: Path) -> None:
        selection.unusable[link] = "is a link to a folder, which is not followed; give the folder itself"

    return visible_files(folder, note_error, note_link)


def _matches(pattern: str, selection: Selection) -> Iterator[Path]:
    """Every file that a pattern matches, sorted; ``**`` stands for any folders."""
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):
        if not path.is_dir():
            yield path
        elif "**" not in pattern:
            selection.unusable[path] = "is a folder; give it as the source, or match what is in it with **"


def _fixed_part(pattern: str) -> Path:
    """The folder above all that a pattern can match."""
    return Path(*itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts[:-1]))


def _sort(path: Path, out: Path, selection: Selection) -> None:
    suffix = path.suffix.lower()
    if suffix in SPOKEN and path.is_file():
        selection.pairs.append(Pair(path, out))
    elif suffix in SPOKEN:
        selection.unusable[path] = "is a broken link" if path.is_symlink() else "is no regular file"
    elif suffix in files.FOREIGN | HEADERLESS:
        selection.unusable[path] = f"{suffix} cannot be read; make a .wav or .flac of it"
    elif suffix in FOREIGN_MELS:
        selection.unusable[path] = f"{suffix} cannot be read; save the mel with numpy.save"
    else:
        selection.foreign.append(path)


def _nothing(source: str, selection: Selection) -> str:
    text = f"{source}: holds neither mels ({', '.join(MELS)}) nor sound files"
    if not selection.unusable:
        return text
    path, reason = next(iter(selection.unusable.items()))
    return f"{text} that can be read; {len(selection.unusable)} cannot, such as {path}: {reason}"


def _tell_apart(selection: Selection, base: Path, out: Path, nested: bool) -> None:
    """Give every source an output of its own: by its name, by folder and name, by its suffix too, by a number."""
    sources = [pair.source for pair in selection.pairs]
    relative = [path.relative_to(base) for path in sources]
    outs = [(out / (path if nested else path.name)).with_suffix(".wav") for path in relative]
    first = list(outs)
    for step in range(3):
        for number, place in enumerate(_clashes(outs), start=1):
            path = out / relative[place]
            match step:
                case 0:
                    outs[place] = path.with_suffix(".wav")
                case 1:
                    outs[place] = path.with_name(f"{path.name}.wav")
                case _:
                    outs[place] = path.with_name(f"{path.name}.{number}.wav")
    if clashes := _clashes(outs):
        raise OutputError(f"{outs[clashes[0]]}: two sources would be written there; speak them one by one")
    selection.pairs[:] = itertools.starmap(Pair, zip(sources, outs, strict=True))
    selection.renamed[:] = [pair for pair, name in zip(selection.pairs, first, strict=True) if pair.out != name]


def _clashes(paths: Iterable[Path]) -> list[int]:
    """Which paths some file system would take for one; many do not tell cases, or ways to write an accent, apart."""
    keys = [unicodedata.normalize("NFC", str(path)).casefold() for path in paths]
    counts = Counter(keys)
    return [place for place, key in enumerate(keys) if counts[key] > 1]
