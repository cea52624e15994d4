"""Recipes: how the sound files, speakers and texts of each known corpus are listed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from basis_melgan.audio import files
from basis_melgan.config.loading import nearest
from basis_melgan.corpus import tables
from basis_melgan.corpus.debian import ASTERISK, asterisk, festvox_ru
from basis_melgan.corpus.listing import Entry, require_source
from basis_melgan.errors import CorpusError


@dataclass(frozen=True)
class Recipe:
    """How the recordings of a corpus are listed."""

    list_entries: Callable[[Path | None, Path], Iterator[Entry]]  # arguments: source folder, working folder
    max_clips: int | None = None  # number of clips drawn at random when corpus.max_clips is null


def find_recipe(name: str) -> Recipe:
    """Return the recipe of that name.

    Raises:
        CorpusError: it does not exist; the message suggests the nearest name.
    """
    if name not in RECIPES:
        hint = nearest(name, RECIPES) or f"; use one of {', '.join(RECIPES)}"
        raise CorpusError(f"recipe {name}: unknown{hint}")
    return RECIPES[name]


def list_folder(source: Path | None, workdir: Path) -> Iterator[Entry]:
    """List every sound file below a folder; formats that cannot be decoded are included so that they get reported."""
    root = require_source(source, "folder", "any folder of sound files")
    for path in files.find_files(root, files.SOUND_SUFFIXES | files.UNSUPPORTED_SUFFIXES):
        name = path.relative_to(root)
        name = name if path.suffix.lower() in files.UNSUPPORTED_SUFFIXES else name.with_suffix("")
        yield Entry(name.as_posix(), path, speaker="", text="")


def list_tables(
    recipe: str, read: Callable[[Path], Iterator[Entry]], layout: str, source: Path | None, workdir: Path
) -> Iterator[Entry]:
    """List a corpus with one of the readers in `tables`.

    Raises:
        CorpusError: the folder has another layout, or a table is not UTF-8.
    """
    root = require_source(source, recipe, layout)
    try:
        yield from read(root)
    except FileNotFoundError as error:
        raise CorpusError(f"{root}: is not laid out as {recipe} ({error}); expected {layout}") from error


RECIPES: dict[str, Recipe] = {
    "folder": Recipe(list_folder),
    "festvox-ru": Recipe(festvox_ru),
    **{f"asterisk-{language}": Recipe(partial(asterisk, language)) for language in ASTERISK},
    "biaobei": Recipe(
        partial(list_tables, "biaobei", tables.biaobei, "the folder BZNSYP with Wave/ and ProsodyLabeling/")
    ),
    # The reference system used 20 000 of the 88 035 utterances.
    "aishell3": Recipe(
        partial(list_tables, "aishell3", tables.aishell3, "the folder with train/ and test/, each with content.txt"),
        max_clips=20_000,
    ),
    "ljspeech": Recipe(
        partial(list_tables, "ljspeech", tables.ljspeech, "the folder LJSpeech-1.1 with metadata.csv and wavs/")
    ),
    "vctk": Recipe(partial(list_tables, "vctk", tables.vctk, "the folder with txt/ and the wav48 folder")),
    "libritts": Recipe(
        partial(list_tables, "libritts", tables.libritts, "the folder LibriTTS with train-clean-100/ etc.")
    ),
}
