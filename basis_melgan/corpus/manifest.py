"""The prepared corpus on disk: `corpus.json` (what it is), `clips.jsonl` (one clip a line), `flac/` (the clips).

All text is UTF-8, whatever the locale. Clips stand in the order of their file names, which also decides the split.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from basis_melgan.config.schema import Split
from basis_melgan.errors import CorpusError
from basis_melgan.storage import hashing
from basis_melgan.storage.atomic import write_text

VERSION = 1
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True)
class Clip:
    """One recording of a prepared corpus."""

    id: str
    file: str  # relative to the corpus folder, with forward slashes
    samples: int  # at the corpus's sample rate
    split: Split
    speaker: str  # empty where the recipe does not know it
    text: str  # what is said, as the corpus writes it; may be empty
    sha256: str  # of the file's bytes


@dataclass(frozen=True)
class Corpus:
    """A prepared corpus: where it lies and what it holds."""

    folder: Path
    name: str
    recipe: str
    sample_rate: int  # Hz
    clips: tuple[Clip, ...]

    def split(self, name: Split) -> tuple[Clip, ...]:
        """Clips of one split, in the order of their file names."""
        return tuple(clip for clip in self.clips if clip.split == name)

    def path(self, clip: Clip) -> Path:
        """Absolute path of a clip's sound file."""
        return self.folder.absolute() / clip.file

    def seconds(self, name: Split | None = None) -> float:
        """Length in seconds of one split, or of the whole corpus."""
        return sum(clip.samples for clip in self.clips if name in (None, clip.split)) / self.sample_rate

    @property
    def data_hash(self) -> str:
        """SHA-256 over every clip's id and content, whatever the order."""
        return hashing.sha256_of_texts(f"{clip.id} {clip.sha256}" for clip in self.clips)


def load(path: Path) -> tuple[Corpus, ...]:
    """Read the prepared corpus at `path`, or every one that lies directly inside it, sorted by folder name.

    Raises:
        CorpusError: there is none, two have one name, or one is damaged, incomplete or of another version.
    """
    if (path / "corpus.json").is_file():
        return (_load_one(path),)
    if not path.is_dir():
        raise CorpusError(f"{path}: no such folder; give a corpus made by `basis-melgan prepare`")
    folders = sorted(folder for folder in path.iterdir() if (folder / "corpus.json").is_file())
    if not folders:
        raise CorpusError(
            f"{path}: holds no corpus.json, nor does a folder in it; give a corpus made by `basis-melgan prepare`"
        )
    corpora = tuple(_load_one(folder) for folder in folders)
    by_name = {corpus.name: corpus for corpus in corpora}  # the last of each
    for corpus in corpora:
        if (other := by_name[corpus.name]) is not corpus:
            raise CorpusError(
                f"{other.folder}: was prepared as {corpus.name}, as {corpus.folder} was, and clips are told apart by "
                "that; prepare it again under its own name, or move it elsewhere"
            )
    return corpora


def require_rate(corpora: Iterable[Corpus], sample_rate: int) -> None:
    """Raise CorpusError unless every corpus has the given sample rate in Hz."""
    for corpus in corpora:
        if corpus.sample_rate != sample_rate:
            raise CorpusError(
                f"{corpus.folder}: prepared at {corpus.sample_rate} Hz, but frames.sample_rate is {sample_rate}; "
                "prepare it again into another folder at that rate"
            )


def load_clips(corpora: Iterable[Corpus], split: Split) -> list[tuple[Path, Clip]]:
    """Every clip of a split over all corpora, with its absolute path.

    Raises:
        CorpusError: the split is empty.
    """
    corpora = tuple(corpora)
    found = [(corpus.path(clip), clip) for corpus in corpora for clip in corpus.split(split)]
    if not found:
        names = ", ".join(corpus.name for corpus in corpora)
        raise CorpusError(f"{names}: no {split} clips; prepare more recordings or raise corpus.{split}_clips")
    return found


def data_hash(corpora: Iterable[Corpus]) -> str:
    """One SHA-256 over all corpora, whatever their names and order."""
    return hashing.sha256_of_texts(corpus.data_hash for corpus in corpora)


def split_hash(corpora: Iterable[Corpus]) -> str:
    """One SHA-256 over which clips of all corpora are of which split."""
    return hashing.sha256_of_texts(
        hashing.sha256_of_texts(f"{clip.id} {clip.split}" for clip in corpus.clips) for corpus in corpora
    )


def save(corpus: Corpus) -> None:
    """Write `clips.jsonl`, then `corpus.json`, each aside first and then renamed; equal files are left untouched."""
    lines = (json.dumps(asdict(clip), ensure_ascii=False) + "\n" for clip in corpus.clips)
    write_text(corpus.folder / "clips.jsonl", "".join(lines))
    header = {
        "version": VERSION,
        "name": corpus.name,
        "recipe": corpus.recipe,
        "sample_rate": corpus.sample_rate,
        "clips": {split: len(corpus.split(split)) for split in SPLITS},
        "hours": {split: round(corpus.seconds(split) / 3600, 4) for split in SPLITS},
        "hash": corpus.data_hash,
    }
    write_text(corpus.folder / "corpus.json", json.dumps(header, ensure_ascii=False, indent=2) + "\n")


def _load_one(folder: Path) -> Corpus:
    header = _objects(folder / "corpus.json", lines=False)[0]
    if header.get("version") != VERSION:
        raise CorpusError(
            f"{folder / 'corpus.json'}: version {header.get('version')}, expected {VERSION}; prepare the corpus again"
        )
    try:
        clips = tuple(Clip(**entry) for entry in _objects(folder / "clips.jsonl", lines=True))
        corpus = Corpus(folder, header["name"], header["recipe"], header["sample_rate"], clips)
        whole = corpus.data_hash == header["hash"]
    except (KeyError, TypeError) as error:
        raise CorpusError(f"{folder}: its manifest is damaged ({error}); prepare the corpus again") from error
    if not whole:
        raise CorpusError(f"{folder}: clips.jsonl does not agree with corpus.json's hash; prepare the corpus again")
    missing = [clip.file for clip in clips if not (folder / clip.file).is_file()]
    if missing:
        raise CorpusError(f"{folder}: {len(missing)} clips are missing, first {missing[0]}; prepare the corpus again")
    return corpus


def _objects(path: Path, lines: bool) -> Sequence[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        found = [json.loads(part) for part in (text.split("\n")[:-1] if lines else [text])]
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path}: cannot be read ({error}); prepare the corpus again") from error
    if not all(isinstance(entry, dict) for entry in found):
        raise CorpusError(f"{path}: not made of JSON objects; prepare the corpus again")
    return found
