"""Which clips of prepared corpora to look at: named ones, or some drawn at random."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from basis_melgan.config.loading import nearest
from basis_melgan.config.schema import Split
from basis_melgan.corpus import manifest
from basis_melgan.corpus.manifest import Clip
from basis_melgan.errors import ConfigurationError, CorpusError


class Selected(NamedTuple):
    """A clip of one of several corpora."""

    corpus: str
    path: Path
    clip: Clip


@dataclass(frozen=True)
class ClipSelection:
    """Which clips to analyze: those named, of any split, or else `count` of a split, drawn at random.

    Attributes:
        named: ids of clips, or `CORPUS/ID` where several corpora have that id; None to draw.
        count: how many to draw.
        split: the split to draw from.
        seed: of the draw, and of the noise that is added to each clip.
        basis: whether to study the basis on them too.
    """

    named: Sequence[str] | None
    count: int
    split: Split
    seed: int
    basis: bool = False

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigurationError(f"count: {self.count} clips; draw 1 or more")
        if self.seed < 0:
            raise ConfigurationError(f"seed: {self.seed} is negative; use 0 or more")

    def of(self, corpora: Sequence[manifest.Corpus]) -> list[Selected]:
        """The chosen clips of all corpora; the whole split where it has fewer than `count`.

        Raises:
            CorpusError: the split is empty, or a name is no clip's or several clips'.
        """
        clips = sorted(Selected(each.name, each.path(clip), clip) for each in corpora for clip in each.clips)
        if self.named is not None:
            return [_find(name, clips) for name in dict.fromkeys(self.named)]
        manifest.load_clips(corpora, self.split)  # raises where there are none
        drawable = [one for one in clips if one.clip.split == self.split]
        return random.Random(self.seed).sample(drawable, min(self.count, len(drawable)))


def _find(name: str, clips: Sequence[Selected]) -> Selected:
    found = {
        f"{one.corpus}/{one.clip.id}": one for one in clips if name in (one.clip.id, f"{one.corpus}/{one.clip.id}")
    }
    if not found:
        near = nearest(name, (one.clip.id for one in clips)) or "; clips.jsonl of the corpus lists them"
        raise CorpusError(f"clips: {name!r} is the id of no clip{near}")
    if len(found) > 1:
        raise CorpusError(f"clips: {name!r} is in several corpora; say {' or '.join(found)}")
    return found.popitem()[1]
