"""A folder that `compare` wrote: its results, and the wave of each system for each clip."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from basis_melgan.errors import AudioError, ConfigurationError
from basis_melgan.evaluation.clip_scores import CLIP_FAILURE, ClipScores
from basis_melgan.evaluation.results import RESULTS, Results
from basis_melgan.evaluation.systems import RECORDING  # also the name of the folder of the recordings

LISTENING_SECONDS = 4.0  # clips of about this duration are the easiest to compare by ear

ScoresBySystem = Mapping[str, ClipScores]  # of one clip


@dataclass(frozen=True)
class Comparison:
    """The folder of a comparison and its results."""

    folder: Path
    results: Results

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read the comparison in a folder.

        Raises:
            ConfigurationError: the folder has no `results.json`, or not one that `compare` wrote.
        """
        path = folder / RESULTS
        if not path.is_file():
            raise ConfigurationError(f"{folder}: has no {RESULTS}; give the folder that `basis-melgan compare` wrote")
        results = Results.load(path)
        if RECORDING not in results.summary:
            raise ConfigurationError(f"{path}: has no scores of the {RECORDING}; give the file that compare wrote")
        return cls(folder, results)

    def wave_path(self, scores: ClipScores) -> Path | None:
        """Path of a system's wave of a clip; None where the results state why there is none.

        Raises:
            AudioError: the wave is missing, though it has scores.
        """
        path = self.folder / "waves" / scores.system / scores.corpus / f"{scores.clip}.wav"
        if path.is_file():
            return path
        if scores.system != RECORDING and CLIP_FAILURE in scores.failures:
            return None
        raise AudioError(f"{path}: no such file, though {RESULTS} has its scores; run compare again in a new folder")

    def select_clips(self, count: int) -> list[ScoresBySystem]:
        """Up to `count` clips with a readable recording, evenly from all corpora, those nearest to 4 seconds first.

        Raises:
            ConfigurationError: `count` is less than 1, or no recording can be read.
        """
        if count < 1:
            raise ConfigurationError(f"clips: {count} is too few; show 1 or more")
        queues: dict[str, list[ScoresBySystem]] = {}
        for clip in sorted(self.results.by_clip(), key=_listening_order):
            recording = clip[RECORDING]
            if CLIP_FAILURE not in recording.failures:
                queues.setdefault(recording.corpus, []).append(clip)
        if not queues:
            raise ConfigurationError(f"{self.folder}: no recording can be read; compare on other clips")
        longest = max(map(len, queues.values()))
        ranked = [
            queues[corpus][rank] for rank in range(longest) for corpus in sorted(queues) if rank < len(queues[corpus])
        ]
        return sorted(ranked[:count], key=lambda clip: (clip[RECORDING].corpus, clip[RECORDING].clip))


def _listening_order(clip: ScoresBySystem) -> tuple[float, str]:
    recording = clip[RECORDING]
    return abs(recording.seconds - LISTENING_SECONDS), recording.clip
