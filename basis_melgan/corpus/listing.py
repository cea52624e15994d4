"""What every recipe lists, and the folder it is given to list."""

from dataclasses import dataclass
from pathlib import Path

from basis_melgan.errors import CorpusError


@dataclass(frozen=True)
class Item:
    """One recording before it is prepared."""

    id: str  # its name in the corpus, possibly with sub-folders; no suffix
    path: Path
    speaker: str  # empty where unknown
    text: str  # empty where unknown


def given(source: Path | None, recipe: str, layout: str) -> Path:
    """The source folder of a recipe that needs one.

    Raises:
        CorpusError: none was given, or it is no folder.
    """
    if source is None:
        raise CorpusError(f"recipe {recipe}: no source given, and it fetches nothing itself; give {layout}")
    if not source.is_dir():
        raise CorpusError(f"{source}: no such folder; recipe {recipe} expects {layout}")
    return source
