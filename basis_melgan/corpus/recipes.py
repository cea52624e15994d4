"""Where recordings come from: one table from a recipe's name to a listing of its sound files, speakers and texts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from basis_melgan.audio import files
from basis_melgan.config.loading import nearest
from basis_melgan.corpus import tables
from basis_melgan.corpus.debian import ASTERISK, asterisk, festvox_ru
from basis_melgan.corpus.listing import Item, given
from basis_melgan.errors import CorpusError


@dataclass(frozen=True)
class Recipe:
    """How a corpus is listed."""

    items: Callable[[Path | None, Path], Iterator[Item]]  # source folder, folder to work in
    draw: int | None = None  # clips drawn at random when corpus.max_clips is null


def named(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        CorpusError: there is none; the message names the nearest.
    """
    if name not in RECIPES:
        hint = nearest(name, RECIPES) or f"; use one of {', '.join(RECIPES)}"
        raise CorpusError(f"recipe {name}: unknown{hint}")
    return RECIPES[name]


def folder(source: Path | None, workdir: Path) -> Iterator[Item]:
    """Every sound file below a folder, also those of formats that cannot be decoded, which are then told of."""
    root = given(source, "folder", "any folder of sound files")
    for path in files.below(root, files.SOUND | files.FOREIGN):
        name = path.relative_to(root)
        name = name if path.suffix.lower() in files.FOREIGN else name.with_suffix("")
        yield Item(name.as_posix(), path, speaker="", text="")


def from_tables(
    recipe: str, read: Callable[[Path], Iterator[Item]], layout: str, source: Path | None, workdir: Path
) -> Iterator[Item]:
    """What a reader of `tables` lists of a corpus.

    Raises:
        CorpusError: the folder is not laid out as that corpus, or a table is not UTF-8.
    """
    root = given(source, recipe, layout)
    try:
        yield from read(root)
    except FileNotFoundError as error:
        raise CorpusError(f"{root}: the recipe for {recipe} cannot read it ({error}); expected {layout}") from error


RECIPES: dict[str, Recipe] = {
    "folder": Recipe(folder),
    "festvox-ru": Recipe(festvox_ru),
    **{f"asterisk-{language}": Recipe(partial(asterisk, language)) for language in ASTERISK},
    "biaobei": Recipe(
        partial(from_tables, "biaobei", tables.biaobei, "the folder BZNSYP, which holds Wave/ and ProsodyLabeling/")
    ),
    # The reference system drew 20 000 of its 88 035 utterances.
    "aishell3": Recipe(
        partial(from_tables, "aishell3", tables.aishell3, "the folder with train/ and test/, each with content.txt"),
        draw=20_000,
    ),
    "ljspeech": Recipe(
        partial(from_tables, "ljspeech", tables.ljspeech, "the folder LJSpeech-1.1, which holds metadata.csv, wavs/")
    ),
    "vctk": Recipe(partial(from_tables, "vctk", tables.vctk, "the folder with txt/ and the wav48 folder")),
    "libritts": Recipe(
        partial(from_tables, "libritts", tables.libritts, "the folder LibriTTS, which holds train-clean-100/ etc.")
    ),
}
