"""Synthesis and scoring of clips: in parallel and resumable, with a reason for every missing score."""

import functools
import itertools
import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.errors import BasisMelGANError
from basis_melgan.evaluation.clip_scores import CLIP_FAILURE, ClipScores, ScoreKey
from basis_melgan.evaluation.systems import RecordedClip, System, load_system
from basis_melgan.metrics.signal import trim_to_common_length
from basis_melgan.metrics.table import METRICS
from basis_melgan.progress import Progress
from basis_melgan.storage.parallel import map_unordered
from basis_melgan.storage.progress_log import ProgressLog

DECIMALS = 6  # of a score; the last bits of some metrics depend on the memory alignment of arrays


@dataclass(frozen=True)
class Task:
    """One clip for one system to synthesize and score, as sent to a worker process.

    Attributes:
        system: label of the system.
        source: what `load_system` takes.
        corpus: name of the corpus.
        clip: id of the clip.
        recording: the clip's file.
        columns: names of the metric columns to fill.
        wave_path: file for the synthesized wave; None to discard it.
        source_hash: SHA-256 of the files that the system consists of, which decides whether scores are reusable.
    """

    system: str
    source: str
    corpus: str
    clip: str
    recording: Path
    columns: frozenset[str]
    wave_path: Path | None = None
    source_hash: str = ""

    @property
    def key(self) -> ScoreKey:
        """Identity of the task, equal to its result's."""
        return ScoreKey(self.system, self.corpus, self.clip, self.source_hash)

    def result(
        self, seconds: float, compute_seconds: float | None, scores: dict[str, float], failures: dict[str, str]
    ) -> ClipScores:
        """The record of this task."""
        return ClipScores(
            system=self.system,
            corpus=self.corpus,
            clip=self.clip,
            source_hash=self.source_hash,
            seconds=seconds,
            compute_seconds=compute_seconds,
            scores=scores,
            failures=failures,
        )


def score_tasks(
    tasks: Sequence[Task], processes: int, progress_log: ProgressLog | None = None
) -> tuple[ClipScores, ...]:
    """Run all tasks, showing progress; a progress log lets an interrupted run resume.

    Args:
        tasks: neighbors with the same recording run in one process, which caches its analysis.
        processes: how many run in parallel, with one thread each.
        progress_log: provides the results of earlier runs and stores new ones.

    Returns:
        One record per task, in their order.

    Raises:
        CorpusError: a worker process was killed.
        OutputError: a wave or the progress log cannot be written.
    """
    results = _logged_results(progress_log) if progress_log else {}
    pending = [task for task in tasks if task.key not in results or _lacks_wave(task)]
    start = time.monotonic()
    with (
        Progress("evaluate", len(tasks), len(tasks) - len(pending)) as progress,
        closing(map_unordered(_score_group, _group_by_clip(pending), processes)) as groups,
    ):
        for result in itertools.chain.from_iterable(groups):
            results[result.key] = result
            if progress_log:
                progress_log.append(result.to_dict())
            progress.advance()
    audio_seconds = sum(results[task.key].seconds for task in pending)
    progress.print(
        f"{len(pending)} waves, {audio_seconds:.0f} s of audio, synthesized and scored in "
        f"{time.monotonic() - start:.0f} s (processes: {processes})"
    )
    return tuple(results[task.key] for task in tasks)


def score_clip(task: Task, system: System) -> ClipScores:
    """Synthesize one clip and score it at 16 bits, as waves are stored.

    Raises:
        OutputError: the wave cannot be written.
    """
    seconds, compute_seconds = 0.0, None
    try:
        recording, sample_rate = files.read(task.recording)
        seconds = len(recording) / sample_rate
        start = time.perf_counter()
        wave = system.resynthesize(RecordedClip(recording, sample_rate, task.corpus, task.clip))
        compute_seconds = time.perf_counter() - start if system.computes else None
        wave = files.quantize_pcm16(wave)
        reference, estimate = trim_to_common_length(recording, wave, system.length_tolerance)
    except BasisMelGANError as error:
        if task.wave_path:
            task.wave_path.unlink(missing_ok=True)  # an earlier run's wave would not match this record
        return task.result(seconds, compute_seconds, {}, {CLIP_FAILURE: str(error)})
    if task.wave_path:
        files.write(task.wave_path, wave, sample_rate)
    scores, failures = _metric_scores(reference, estimate, sample_rate, task.columns)
    return task.result(seconds, compute_seconds, scores, failures)


def _metric_scores(
    reference: Wave, estimate: Wave, sample_rate: int, columns: frozenset[str]
) -> tuple[dict[str, float], dict[str, str]]:
    """Scores of an estimate (T,) against its reference (T,), and the reasons for those that are missing."""
    scores: dict[str, float] = {}
    failures: dict[str, str] = {}
    for metric in METRICS:
        names = [column.name for column in metric.columns if column.name in columns]
        if not names:
            continue
        try:
            values = metric.score(reference, estimate, sample_rate)
        except BasisMelGANError as error:
            failures |= dict.fromkeys(names, str(error))
            continue
        for name, value in zip(names, values if isinstance(values, tuple) else (values,), strict=True):
            if math.isfinite(value):
                scores[name] = round(float(value), DECIMALS)
            else:
                failures[name] = f"is {value}; listen to the clip"
    return scores, failures


def _logged_results(progress_log: ProgressLog) -> dict[ScoreKey, ClipScores]:
    """Results of earlier runs; of several sources under one label only the latest, whose wave is in the folder."""
    latest = {
        (result.system, result.corpus, result.clip): result for result in map(ClipScores.load, progress_log.resume())
    }
    return {result.key: result for result in latest.values()}


def _lacks_wave(task: Task) -> bool:
    return task.wave_path is not None and not task.wave_path.exists()


def _group_by_clip(tasks: Sequence[Task]) -> list[tuple[Task, ...]]:
    """Consecutive tasks with the same recording as one group each."""
    return [tuple(group) for _, group in itertools.groupby(tasks, lambda task: task.recording)]


_cached_system = functools.cache(load_system)  # one copy of each system per worker process


def _score_group(tasks: Sequence[Task]) -> list[ClipScores]:
    return [score_clip(task, _cached_system(task.source)) for task in tasks]
