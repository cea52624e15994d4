"""The results of an evaluation: scores of every clip, their means, and differences between systems."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from basis_melgan import __version__
from basis_melgan.errors import ConfigurationError
from basis_melgan.evaluation.clip_scores import ClipScores
from basis_melgan.evaluation.estimates import Estimate, bootstrap_mean
from basis_melgan.metrics.table import Column
from basis_melgan.storage.json_decoding import decode

RESULTS = "results.json"  # name of the file in the folder of a comparison
ALL_CORPORA = "all"  # name of the row over all corpora

Estimates = dict[str, dict[str, Estimate]]  # by corpus and column


@dataclass(frozen=True)
class SystemInfo:
    """A system in the results: its label, what the user named, and its cost where known."""

    name: str
    source: str
    parameters: int | None = None
    gmac_per_second: float | None = None  # multiply-adds in 1e9 per second of audio
    precision: str | None = None  # of a vocoder's multiplications: float32 or int8


@dataclass(frozen=True)
class Results:
    """The results of `evaluate` or `compare`; the fields are those of the JSON file.

    Attributes:
        basis_melgan: version of this package that computed them.
        split: the evaluated split.
        data_hash: hash of the evaluated corpora.
        baseline: label of the first system, which the others are compared with.
        columns: one per metric value.
        unavailable: reason for each column that no clip has, such as a missing package.
        systems: in the order of evaluation.
        summary: mean of each column by system and corpus.
        differences: mean of each system's score minus the baseline's, over the clips that both have.
        timing: real-time factor by system, on one thread; without systems that compute nothing.
        clips: the scores of every system on every clip.
    """

    basis_melgan: str
    split: str
    data_hash: str
    baseline: str
    columns: tuple[Column, ...]
    unavailable: dict[str, str]
    systems: tuple[SystemInfo, ...]
    summary: dict[str, Estimates]
    differences: dict[str, Estimates]
    timing: dict[str, Estimate]
    clips: tuple[ClipScores, ...]

    @classmethod
    def from_scores(
        cls,
        systems: Sequence[SystemInfo],
        split: str,
        data_hash: str,
        columns: Sequence[Column],
        unavailable: dict[str, str],
        clips: Sequence[ClipScores],
    ) -> Self:
        """Summarize scores; every system has one record per clip, in the same order of clips."""
        by_system = {system.name: [clip for clip in clips if clip.system == system.name] for system in systems}
        names = [column.name for column in columns]
        baseline = systems[0].name
        return cls(
            basis_melgan=__version__,
            split=split,
            data_hash=data_hash,
            baseline=baseline,
            columns=tuple(columns),
            unavailable=unavailable,
            systems=tuple(systems),
            summary={
                system: _estimates(records, names, lambda clip, name: clip.scores.get(name))
                for system, records in by_system.items()
            },
            differences={
                system: _differences(records, by_system[baseline], names)
                for system, records in by_system.items()
                if system != baseline
            },
            timing=_timing(by_system),
            clips=tuple(clips),
        )

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that `to_json` filled.

        Raises:
            ConfigurationError: no such file, or not a file of results.
        """
        try:
            results = decode(cls, json.loads(path.read_text(encoding="utf-8")))
            _require_consistent(results)
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise ConfigurationError(f"{path}: cannot be read as JSON ({error}); run compare again") from error
        except ValueError as error:
            raise ConfigurationError(f"{path}: {error}; run compare again") from error
        return results

    def to_dict(self) -> dict[str, Any]:
        """The results as a JSON object; repeated runs differ in `timing` and the clips' `compute_seconds` only."""
        return asdict(self)

    def to_json(self) -> str:
        """The results as JSON text."""
        return json.dumps(self.to_dict(), ensure_ascii=False, allow_nan=False, indent=1) + "\n"

    def corpora(self) -> list[str]:
        """Names of the corpora, then `ALL_CORPORA` if there are several."""
        return _corpora(self.clips)

    def clip_count(self, corpus: str) -> int:
        """Number of clips of a corpus, or of all of them."""
        return len([clip for clip in _in_corpus(self.clips, corpus) if clip.system == self.baseline])

    def by_clip(self) -> list[dict[str, ClipScores]]:
        """The records of each clip by system, in the order of evaluation."""
        groups: dict[tuple[str, str], dict[str, ClipScores]] = {}
        for clip in self.clips:
            groups.setdefault((clip.corpus, clip.clip), {})[clip.system] = clip
        return list(groups.values())


def _require_consistent(results: Results) -> None:
    """Check what type hints cannot express.

    Raises:
        ValueError: a list is empty, a name occurs twice or the baseline is no system.
    """
    for name in ("columns", "systems", "clips"):
        if not getattr(results, name):
            raise ValueError(f"{name} is empty")
    names = [system.name for system in results.systems]
    if len(set(names)) < len(names):
        raise ValueError("systems names one system twice")
    if results.baseline not in names:
        raise ValueError(f"baseline is {results.baseline!r}; expected one of the systems {', '.join(names)}")
    for clip in results.by_clip():
        if clip.keys() != set(names):
            corpus, clip_id = next((scores.corpus, scores.clip) for scores in clip.values())
            raise ValueError(f"clips has scores of {corpus}/{clip_id} by {', '.join(clip)}; expected every system")


def _corpora(clips: Sequence[ClipScores]) -> list[str]:
    names = list(dict.fromkeys(clip.corpus for clip in clips))
    return [*names, ALL_CORPORA] if len(names) > 1 else names


def _in_corpus(clips: Sequence[ClipScores], corpus: str) -> list[ClipScores]:
    return [clip for clip in clips if corpus in (clip.corpus, ALL_CORPORA)]


def _estimates(
    clips: Sequence[ClipScores], columns: Sequence[str], value: Callable[[ClipScores, str], float | None]
) -> Estimates:
    """Mean of `value` per corpus and column, over the clips that have one."""
    estimates: Estimates = {}
    for corpus in _corpora(clips):
        estimates[corpus] = {}
        for column in columns:
            values = [number for clip in _in_corpus(clips, corpus) if (number := value(clip, column)) is not None]
            if values:
                estimates[corpus][column] = bootstrap_mean(values)
    return estimates


def _differences(clips: Sequence[ClipScores], baseline: Sequence[ClipScores], columns: Sequence[str]) -> Estimates:
    """Mean difference per corpus and column, over the clips that both systems have scores of."""
    baseline_scores = {(clip.corpus, clip.clip): clip.scores for clip in baseline}

    def difference(clip: ClipScores, column: str) -> float | None:
        reference = baseline_scores[clip.corpus, clip.clip]
        return clip.scores[column] - reference[column] if column in clip.scores and column in reference else None

    return _estimates(clips, columns, difference)


def _timing(by_system: dict[str, list[ClipScores]]) -> dict[str, Estimate]:
    """Mean real-time factor by system, over the clips that have scores."""
    factors = {
        system: [clip.real_time_factor for clip in clips if clip.scores and clip.real_time_factor is not None]
        for system, clips in by_system.items()
    }
    return {system: bootstrap_mean(values) for system, values in factors.items() if values}
