"""Selection of clips from prepared corpora, by id or at random."""

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


class SelectedClip(NamedTuple):
    """A clip with the name of its corpus and its path."""

    corpus: str
    path: Path
    clip: Clip

    @property
    def full_id(self) -> str:
        """CORPUS/ID, unique over all corpora."""
        return f"{self.corpus}/{self.clip.id}"


@dataclass(frozen=True)
class ClipSelection:
    """The clips to analyze: by id from any split, or `count` random ones of a split.

    Attributes:
        ids: ids of clips, or `CORPUS/ID` where several corpora have that id; None for a random selection.
        count: number of random clips.
        split: split of the random clips.
        seed: of the random selection, and of the noise that is added to each clip.
    """

    ids: Sequence[str] | None
    count: int
    split: Split
    seed: int

    def __post_init__(self) -> None:
        if self.count < 1:
            raise ConfigurationError(f"count: {self.count} is too few; select 1 or more clips")
        if self.seed < 0:
            raise ConfigurationError(f"seed: {self.seed} is negative; use 0 or more")

    def select(self, corpora: Sequence[manifest.Corpus]) -> list[SelectedClip]:
        """Select clips of all corpora; all of the split if it has fewer than `count`.

        Raises:
            CorpusError: the split is empty, or an id belongs to no clip or to several.
        """
        clips = sorted(
            SelectedClip(corpus.name, corpus.path(clip), clip) for corpus in corpora for clip in corpus.clips
        )
        if self.ids is not None:
            return [_clip_by_id(clip_id, clips) for clip_id in dict.fromkeys(self.ids)]
        manifest.load_clips(corpora, self.split)  # raises for an empty split
        candidates = [selected for selected in clips if selected.clip.split == self.split]
        return random.Random(self.seed).sample(candidates, min(self.count, len(candidates)))


def _clip_by_id(clip_id: str, clips: Sequence[SelectedClip]) -> SelectedClip:
    matches = [selected for selected in clips if clip_id in (selected.clip.id, selected.full_id)]
    if not matches:
        hint = nearest(clip_id, (selected.clip.id for selected in clips)) or "; clips.jsonl of the corpus lists them"
        raise CorpusError(f"clips: no clip has the id {clip_id!r}{hint}")
    if len(matches) > 1:
        alternatives = " or ".join(selected.full_id for selected in matches)
        raise CorpusError(f"clips: {clip_id!r} is in several corpora; use {alternatives}")
    return matches[0]
