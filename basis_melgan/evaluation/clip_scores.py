"""The scores of one system on one clip: the record that the progress log, the results and the report share."""

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple, Self

from basis_melgan.storage.json_decoding import decode

CLIP_FAILURE = "clip"  # the key in `failures` of a reason that concerns the clip as a whole, not one metric


class ScoreKey(NamedTuple):
    """What identifies a record: the system with the hash of its source, and the clip."""

    system: str
    corpus: str
    clip: str
    source_hash: str


@dataclass(frozen=True)
class ClipScores:
    """Scores of one system on one clip; every column has a score or a failure.

    Attributes:
        system: label of the system.
        corpus: name of the corpus.
        clip: id of the clip.
        source_hash: SHA-256 of the files that the system consists of; empty for a baseline.
        seconds: duration of the recording; 0 if it cannot be read.
        compute_seconds: synthesis time on one thread; None for a system that does not compute.
        scores: score by column.
        failures: reason for a missing score by column, or one reason for all columns under `CLIP_FAILURE`.
    """

    system: str
    corpus: str
    clip: str
    source_hash: str
    seconds: float
    compute_seconds: float | None
    scores: dict[str, float]
    failures: dict[str, str]

    @classmethod
    def load(cls, record: object) -> Self:
        """Read a record that `to_dict` returned.

        Raises:
            ValueError: a field is missing or of another type.
        """
        return decode(cls, record)

    def to_dict(self) -> dict[str, Any]:
        """The record as a JSON object."""
        return asdict(self)

    @property
    def key(self) -> ScoreKey:
        """Identity of the record, equal to its task's."""
        return ScoreKey(self.system, self.corpus, self.clip, self.source_hash)

    @property
    def real_time_factor(self) -> float | None:
        """Synthesis time per second of audio; None for an unreadable clip or a system that does not compute."""
        return self.compute_seconds / self.seconds if self.compute_seconds is not None and self.seconds else None
