"""Selection of the files that a folder or a pattern contributes to synthesis, and of their outputs."""

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
from basis_melgan.inference.mel_files import MEL_SUFFIXES
from basis_melgan.storage.folders import visible_files
from basis_melgan.storage.paths import require_creatable

SOURCE_SUFFIXES = frozenset(MEL_SUFFIXES) | files.SOUND_SUFFIXES
# Suffixes of mels and of sound that cannot be read, and are therefore reported.
UNSUPPORTED_MEL_SUFFIXES = frozenset({".h5", ".hdf5", ".mat", ".pth"})
HEADERLESS_SUFFIXES = frozenset({".g722", ".pcm", ".raw", ".sln"})  # sound that states neither rate nor format


class FilePair(NamedTuple):
    """A source and the file of its synthesized wave."""

    source: Path
    output: Path


@dataclass
class SourceSelection:
    """The files of a folder or a pattern, sorted by what becomes of them.

    Attributes:
        pairs: files to be synthesized, with their outputs.
        unreadable: files and folders that hold, or seem to hold, mels or sound but cannot be read, with the reason.
        other_files: files of other kinds, which are skipped.
        renamed_pairs: the pairs that would have shared an output.
    """

    pairs: list[FilePair] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    other_files: list[Path] = field(default_factory=list)
    renamed_pairs: list[FilePair] = field(default_factory=list)


def is_collection(source: str) -> bool:
    """Whether a source is a folder or a pattern, so that each of its files is synthesized separately."""
    return Path(source).is_dir() or (glob.has_magic(source) and not Path(source).exists())


def select_sources(source: str, out: Path, force: bool = False) -> SourceSelection:
    """Select the sources below a folder, or those that match a pattern, and their outputs in a folder of WAV files.

    An output has the name of its source. Sources that share a name, such as ``a.npy`` and ``a.flac``, keep their
    suffixes: ``a.npy.wav`` and ``a.flac.wav``. Hidden files and folders are skipped.

    Args:
        source: the folder or the pattern.
        out: folder of the outputs; files in it are not sources.
        force: replace existing files.

    Raises:
        AudioError: there is no readable source.
        OutputError: `out` is a file or the folder of the sources, or lies in it and holds files, or an output exists
            and `force` is not given.
    """
    folder = Path(source) if Path(source).is_dir() else None
    base = folder or _fixed_part(source)
    _require_output_folder(source, base, out, folder is not None, force)
    selection = SourceSelection()
    paths = _files_below(folder, selection) if folder else _matches(source, selection)
    is_inside = base.resolve() in out.resolve().parents
    for path in paths:
        if not (is_inside and out.resolve() in path.resolve().parents):
            _classify(path, out, selection)
    if not selection.pairs:
        raise AudioError(_no_source_message(source, selection))
    _assign_outputs(selection, base, out, nested=folder is not None)
    for pair in selection.pairs:
        require_writable_output(pair, force)
    return selection


def require_writable_output(pair: FilePair, force: bool) -> None:
    """Check, before any work, that an output may be written and does not replace its own source.

    Raises:
        OutputError: the output exists and `force` is not given, is the source, or cannot be written.
    """
    if pair.output.exists() and pair.source.exists() and pair.output.samefile(pair.source):
        raise OutputError(f"{pair.output}: is the source itself; name another file")
    require_creatable(pair.output)
    files.require_new_sound(pair.output, force)


def _require_output_folder(source: str, base: Path, out: Path, is_folder: bool, force: bool) -> None:
    if out.is_file():
        raise OutputError(f"{out}: is a file; name a folder for the waves of {source}")
    require_creatable(out)
    if not is_folder:
        return
    if base.resolve() == out.resolve():
        raise OutputError(f"{out}: is the folder of the sources; name another for the outputs")
    if base.resolve() in out.resolve().parents and out.is_dir() and any(out.iterdir()) and not force:
        raise OutputError(
            f"{out}: lies in the folder of the sources and holds files, which would be skipped as sources; "
            "name a folder elsewhere, or --force if they are outputs"
        )


def _files_below(folder: Path, selection: SourceSelection) -> list[Path]:
    """Every file below a folder, sorted; folders that cannot be read are added to the selection's unreadable ones."""

    def add_unlisted(error: OSError) -> None:
        selection.unreadable[Path(error.filename)] = f"cannot be listed ({error.strerror})"

    def add_link(link: Path) -> None:
        selection.unreadable[link] = "is a link to a folder, which is not followed; give the folder itself"

    return visible_files(folder, add_unlisted, add_link)


def _matches(pattern: str, selection: SourceSelection) -> Iterator[Path]:
    """Every file that a pattern matches, sorted; ``**`` matches any folders."""
    for path in map(Path, sorted(glob.glob(pattern, recursive=True))):
        if not path.is_dir():
            yield path
        elif "**" not in pattern:
            selection.unreadable[path] = "is a folder; give it as the source, or match its files with **"


def _fixed_part(pattern: str) -> Path:
    """The folder above everything that a pattern can match."""
    return Path(*itertools.takewhile(lambda part: not glob.has_magic(part), Path(pattern).parts[:-1]))


def _classify(path: Path, out: Path, selection: SourceSelection) -> None:
    suffix = path.suffix.lower()
    if suffix in SOURCE_SUFFIXES and path.is_file():
        selection.pairs.append(FilePair(path, out))
    elif suffix in SOURCE_SUFFIXES:
        selection.unreadable[path] = "is a broken link" if path.is_symlink() else "is no regular file"
    elif suffix in files.UNSUPPORTED_SUFFIXES | HEADERLESS_SUFFIXES:
        selection.unreadable[path] = f"{suffix} cannot be read; make a .wav or .flac of it"
    elif suffix in UNSUPPORTED_MEL_SUFFIXES:
        selection.unreadable[path] = f"{suffix} cannot be read; save the mel with numpy.save"
    else:
        selection.other_files.append(path)


def _no_source_message(source: str, selection: SourceSelection) -> str:
    text = f"{source}: holds neither mels ({', '.join(MEL_SUFFIXES)}) nor sound files"
    if not selection.unreadable:
        return text
    path, reason = next(iter(selection.unreadable.items()))
    return f"{text} that can be read; {len(selection.unreadable)} cannot, such as {path}: {reason}"


def _assign_outputs(selection: SourceSelection, base: Path, out: Path, nested: bool) -> None:
    """Give every source its own output: by its name, by folder and name, by its suffix too, or by a number."""
    sources = [pair.source for pair in selection.pairs]
    relative = [path.relative_to(base) for path in sources]
    outputs = [(out / (path if nested else path.name)).with_suffix(".wav") for path in relative]
    default_outputs = list(outputs)
    for step in range(3):
        for number, index in enumerate(_clashes(outputs), start=1):
            path = out / relative[index]
            match step:
                case 0:
                    outputs[index] = path.with_suffix(".wav")
                case 1:
                    outputs[index] = path.with_name(f"{path.name}.wav")
                case _:
                    outputs[index] = path.with_name(f"{path.name}.{number}.wav")
    if clashes := _clashes(outputs):
        raise OutputError(f"{outputs[clashes[0]]}: two sources would be written there; synthesize them one by one")
    selection.pairs[:] = itertools.starmap(FilePair, zip(sources, outputs, strict=True))
    selection.renamed_pairs[:] = [
        pair for pair, name in zip(selection.pairs, default_outputs, strict=True) if pair.output != name
    ]


def _clashes(paths: Iterable[Path]) -> list[int]:
    """Indices of paths that some file system takes for the same: many ignore case and Unicode normal forms."""
    keys = [unicodedata.normalize("NFC", str(path)).casefold() for path in paths]
    counts = Counter(keys)
    return [index for index, key in enumerate(keys) if counts[key] > 1]
