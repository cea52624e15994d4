"""Scores of every validation of a training, kept in its run folder, and which step was the best."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from basis_melgan.audio.files import Wave
from basis_melgan.errors import BasisMelGANError
from basis_melgan.metrics.table import METRICS, Column, Metric, available_metrics
from basis_melgan.storage.atomic import write_text

SCORED = ("PESQ-WB", "MR-STFT", "mel L1", "DistillMOS")  # columns; what takes longer is left to `evaluate`
OPINIONS = ("PESQ-WB", "DistillMOS")  # of them, on a listener's scale from 1 to 5
DISTANCE = "MR-STFT"  # by which the best is told where no clip has an opinion
COLUMNS = {column.name: column for measure in METRICS for column in measure.columns}


class ValidationScores:
    """By step, the mean score of validation clips in every column, the first and the best step among them."""

    def __init__(self, path: Path) -> None:
        """Go on with the scores in a file, one step a line, where there is one."""
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self.by_step: dict[int, dict[str, float]] = {entry.pop("step"): entry for entry in map(json.loads, lines)}

    def resume(self, step: int) -> None:
        """Forget what came after a step, from which a training goes on."""
        self._keep({done: scores for done, scores in self.by_step.items() if done <= step})

    def add(self, step: int, scores: Mapping[str, float]) -> None:
        """Keep the scores after a step."""
        self._keep(self.by_step | {step: dict(scores)})

    def best(self, last: int | None = None) -> int:
        """The step with the highest mean opinion, of equal ones the first; up to a last step where one is given.

        That last step where none was scored, as in a training that was begun by a version that did not score.
        """
        steps = [step for step in self.by_step if last is None or step <= last]
        return max(steps, key=lambda step: (quality(self.by_step[step]), -step), default=last or 0)

    def summary(self) -> str:
        """What the best step gained over the first, and in which measures it is worse."""
        first, best = min(self.by_step), self.best()
        before, after = self.by_step[first], self.by_step[best]
        changes = [_change(COLUMNS[name], before[name], after[name]) for name in before.keys() & after.keys()]
        measured = ", ".join(sorted(changes))
        if best == first:
            return f"no step made it better on the validation clips, so it is left as it was ({measured})"
        return f"step {best} is the best on the validation clips, and is kept: {measured}"

    def _keep(self, by_step: dict[int, dict[str, float]]) -> None:
        self.by_step = by_step
        lines = (json.dumps({"step": step, **scores}) + "\n" for step, scores in sorted(by_step.items()))
        write_text(self.path, "".join(lines))


def quality(scores: Mapping[str, float]) -> float:
    """Mean of the opinions there are, by which steps are compared; less the distance where there is none."""
    opinions = [scores[name] for name in OPINIONS if name in scores]
    return float(np.mean(opinions)) if opinions else -scores.get(DISTANCE, 0.0)


def scored_measures() -> tuple[Metric, ...]:
    """Measures of the columns that validations score, as far as their packages are installed."""
    available, _ = available_metrics(quick=True)
    return tuple(measure for measure in available if any(column.name in SCORED for column in measure.columns))


def clip_scores(measures: Sequence[Metric], recording: Wave, estimate: Wave, rate: int) -> dict[str, float]:
    """Scores of an estimate (T,) of a recording (T,) at `rate` Hz; a measure that cannot score them is left out."""
    scores = {}
    for measure in measures:
        try:
            value = measure.score(recording, estimate, rate)
        except BasisMelGANError:  # such as a clip without speech, which PESQ does not take
            continue
        scores[measure.columns[0].name] = float(value if not isinstance(value, tuple) else value[0])
    return scores


def mean_scores(clips: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over the clips that have a score, column by column."""
    names = [name for name in SCORED if any(name in scores for scores in clips)]
    return {name: float(np.mean([scores[name] for scores in clips if name in scores])) for name in names}


def _change(column: Column, before: float, after: float) -> str:
    worse = (after < before) is column.higher_is_better and after != before
    return f"{column.name} {before:.3f} to {after:.3f}" + (", which is worse" if worse else "")
