"""A prepared corpus on disk: `corpus.json` (summary), `clips.jsonl` (one clip per line) and `flac/` (the clips).

All text is UTF-8, independent of the locale. Clips are sorted by file name, which also determines their split.
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
    speaker: str  # empty if unknown
    text: str  # transcript as in the corpus; may be empty
    sha256: str  # of the file's bytes


@dataclass(frozen=True)
class Corpus:
    """A prepared corpus: its folder and its clips."""

    folder: Path
    name: str
    recipe: str
    sample_rate: int  # Hz
    clips: tuple[Clip, ...]

    def split(self, name: Split) -> tuple[Clip, ...]:
        """Return the clips of one split, sorted by file name."""
        return tuple(clip for clip in self.clips if clip.split == name)

    def path(self, clip: Clip) -> Path:
        """Return the absolute path of a clip's sound file."""
        return self.folder.absolute() / clip.file

    def seconds(self, name: Split | None = None) -> float:
        """Return the duration of one split, or of the whole corpus, in seconds."""
        return sum(clip.samples for clip in self.clips if name in (None, clip.split)) / self.sample_rate

    @property
    def data_hash(self) -> str:
        """SHA-256 over the id and content of every clip, independent of their order."""
        return hashing.sha256_of_texts(f"{clip.id} {clip.sha256}" for clip in self.clips)


def load(path: Path) -> tuple[Corpus, ...]:
    """Read the prepared corpus at `path`, or every corpus directly inside it, sorted by folder name.

    Raises:
        CorpusError: there is none, two share a name, or one is damaged, incomplete or of another version.
    """
    if (path / "corpus.json").is_file():
        return (_load_corpus(path),)
    if not path.is_dir():
        raise CorpusError(f"{path}: no such folder; give a corpus made by `basis-melgan prepare`")
    folders = sorted(folder for folder in path.iterdir() if (folder / "corpus.json").is_file())
    if not folders:
        raise CorpusError(
            f"{path}: contains no corpus.json, nor do its sub-folders; give a corpus made by `basis-melgan prepare`"
        )
    corpora = tuple(_load_corpus(folder) for folder in folders)
    last_of_name = {corpus.name: corpus for corpus in corpora}
    for corpus in corpora:
        duplicate = last_of_name[corpus.name]
        if duplicate is not corpus:
            raise CorpusError(
                f"{duplicate.folder}: has the same name, {corpus.name}, as {corpus.folder}; prepare it again under "
                "another name, or move it elsewhere"
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
    """Return every clip of a split over all corpora, with its absolute path.

    Raises:
        CorpusError: the split is empty.
    """
    corpora = tuple(corpora)
    clips = [(corpus.path(clip), clip) for corpus in corpora for clip in corpus.split(split)]
    if not clips:
        names = ", ".join(corpus.name for corpus in corpora)
        raise CorpusError(f"{names}: no {split} clips; prepare more recordings or raise corpus.{split}_clips")
    return clips


def data_hash(corpora: Iterable[Corpus]) -> str:
    """Return one SHA-256 over the clips of all corpora, independent of names and order of the corpora."""
    return hashing.sha256_of_texts(corpus.data_hash for corpus in corpora)


def split_hash(corpora: Iterable[Corpus]) -> str:
    """Return one SHA-256 over the assignment of all clips to splits."""
    return hashing.sha256_of_texts(
        hashing.sha256_of_texts(f"{clip.id} {clip.split}" for clip in corpus.clips) for corpus in corpora
    )


def save(corpus: Corpus) -> None:
    """Write `clips.jsonl`, then `corpus.json`, each atomically; unchanged files are left untouched."""
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


def _load_corpus(folder: Path) -> Corpus:
    header = _read_objects(folder / "corpus.json", lines=False)[0]
    if header.get("version") != VERSION:
        raise CorpusError(
            f"{folder / 'corpus.json'}: version {header.get('version')}, expected {VERSION}; prepare the corpus again"
        )
    try:
        clips = tuple(Clip(**entry) for entry in _read_objects(folder / "clips.jsonl", lines=True))
        corpus = Corpus(folder, header["name"], header["recipe"], header["sample_rate"], clips)
        is_consistent = corpus.data_hash == header["hash"]
    except (KeyError, TypeError) as error:
        raise CorpusError(f"{folder}: its manifest is damaged ({error}); prepare the corpus again") from error
    if not is_consistent:
        raise CorpusError(f"{folder}: clips.jsonl does not match the hash in corpus.json; prepare the corpus again")
    missing = [clip.file for clip in clips if not (folder / clip.file).is_file()]
    if missing:
        raise CorpusError(f"{folder}: {len(missing)} clips are missing, first {missing[0]}; prepare the corpus again")
    return corpus


def _read_objects(path: Path, lines: bool) -> Sequence[dict[str, Any]]:
    try:
        text = path.read_text(encoding="utf-8")
        entries = [json.loads(part) for part in (text.split("\n")[:-1] if lines else [text])]
    except (OSError, ValueError) as error:
        raise CorpusError(f"{path}: cannot be read ({error}); prepare the corpus again") from error
    if not all(isinstance(entry, dict) for entry in entries):
        raise CorpusError(f"{path}: does not consist of JSON objects; prepare the corpus again")
    return entries
