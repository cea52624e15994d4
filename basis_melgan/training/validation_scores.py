"""Metric scores of every validation of a training, stored in its run folder, and the best step by them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from basis_melgan.audio.files import Wave
from basis_melgan.errors import BasisMelGANError
from basis_melgan.metrics.table import METRICS, Column, Metric, available_metrics
from basis_melgan.storage.atomic import write_text

SCORED_COLUMNS = ("PESQ-WB", "MR-STFT", "mel L1", "DistillMOS")  # fast metrics; `evaluate` computes the slow ones
MOS_COLUMNS = ("PESQ-WB", "DistillMOS")  # on a mean opinion scale from 1 to 5
FALLBACK_COLUMN = "MR-STFT"  # a distance; selects the best step if no MOS metric is available
COLUMNS = {column.name: column for metric in METRICS for column in metric.columns}


class ValidationScores:
    """Mean scores of the validation clips by step and column, from the initial model on."""

    def __init__(self, path: Path) -> None:
        """Load the scores from a JSON-lines file with one line per step, if it exists."""
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self.by_step: dict[int, dict[str, float]] = {entry.pop("step"): entry for entry in map(json.loads, lines)}

    def truncate(self, step: int) -> None:
        """Delete the scores after the step from which a training resumes."""
        self._store({scored_step: scores for scored_step, scores in self.by_step.items() if scored_step <= step})

    def add(self, step: int, scores: Mapping[str, float]) -> None:
        """Add the scores of a step and write the file."""
        self._store(self.by_step | {step: dict(scores)})

    def best_step(self, last_step: int | None = None) -> int:
        """First step with the highest quality, of those up to `last_step`.

        `last_step` itself if none was scored, as in a training that a version without scores began.
        """
        steps = [step for step in self.by_step if last_step is None or step <= last_step]
        return max(steps, key=lambda step: (quality(self.by_step[step]), -step), default=last_step or 0)

    def summary(self) -> str:
        """Sentence that compares the best step's scores with those of the initial model."""
        first, best = min(self.by_step), self.best_step()
        before, after = self.by_step[first], self.by_step[best]
        changes = [_format_change(COLUMNS[name], before[name], after[name]) for name in before.keys() & after.keys()]
        scores = ", ".join(sorted(changes))
        if best == first:
            return f"no step improved the scores on the validation clips, so the vocoder is unchanged ({scores})"
        return f"step {best} has the best scores on the validation clips and is saved: {scores}"

    def _store(self, by_step: dict[int, dict[str, float]]) -> None:
        self.by_step = by_step
        lines = (json.dumps({"step": step, **scores}) + "\n" for step, scores in sorted(by_step.items()))
        write_text(self.path, "".join(lines))


def quality(scores: Mapping[str, float]) -> float:
    """Number to rank steps by: mean of the MOS scores, or the negative distance if there are none."""
    mos = [scores[name] for name in MOS_COLUMNS if name in scores]
    return float(np.mean(mos)) if mos else -scores.get(FALLBACK_COLUMN, 0.0)


def validation_metrics() -> tuple[Metric, ...]:
    """Metrics that validations compute, as far as their packages are installed."""
    available, _ = available_metrics(quick=True)
    return tuple(metric for metric in available if any(column.name in SCORED_COLUMNS for column in metric.columns))


def clip_scores(metrics: Sequence[Metric], recording: Wave, estimate: Wave, rate: int) -> dict[str, float]:
    """Scores of an estimate (T,) of a recording (T,) at `rate` Hz; metrics that cannot score the clip are left out."""
    scores = {}
    for metric in metrics:
        try:
            value = metric.score(recording, estimate, rate)
        except BasisMelGANError:  # for example PESQ on a clip without speech
            continue
        scores[metric.columns[0].name] = float(value if not isinstance(value, tuple) else value[0])
    return scores


def mean_scores(clips: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of every column over the clips that have a score."""
    names = [name for name in SCORED_COLUMNS if any(name in scores for scores in clips)]
    return {name: float(np.mean([scores[name] for scores in clips if name in scores])) for name in names}


def _format_change(column: Column, before: float, after: float) -> str:
    is_worse = (after < before) is column.higher_is_better and after != before
    return f"{column.name} {before:.3f} to {after:.3f}" + (" (worse)" if is_worse else "")
