"""Measure a vocoder or a baseline on a split of prepared corpora: every clip by every metric, means with intervals."""

import functools
import json
import math
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from basis_melgan import __version__
from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.corpus import manifest
from basis_melgan.errors import BasisMelGANError, ConfigurationError, CorpusError, OutputError
from basis_melgan.evaluation.baselines import GriffinLim, Recording, System, World
from basis_melgan.evaluation.metrics import METRICS, Estimate, Metric, common, estimated

EVERYTHING = "all"  # the row over all corpora
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """One clip to measure, as it is sent to a worker."""

    system: str
    corpus: str
    clip: str
    path: Path
    wave: Path | None  # where to leave what the system made of it


@dataclass(frozen=True)
class Measured:
    """What came of one clip: a score or a reason for every metric, or one reason, under `clip`, for all of them."""

    corpus: str
    clip: str
    scores: dict[str, float]
    failures: dict[str, str]


@dataclass(frozen=True)
class Report:
    """All that was measured; `summary` has a row per corpus, and one over all of them where there are several."""

    system: str
    split: str
    data_hash: str
    clips: tuple[Measured, ...]
    summary: dict[str, dict[str, Estimate]]

    def table(self) -> str:
        """The summary as a Markdown table, and under it every clip that could not be scored, with the reason."""
        head = ["corpus", "clips", *(_heading(metric) for metric in METRICS)]
        lines = [_row(head), _row(["---", *("---:" for _ in head[1:])])]
        for corpus, estimates in self.summary.items():
            clips = sum(corpus in (clip.corpus, EVERYTHING) for clip in self.clips)
            cells = [_cell(estimates.get(metric.name), clips) for metric in METRICS]
            lines.append(_row([corpus, str(clips), *cells]))
        lost = [f"- {c.corpus}/{c.clip}, {name}: {why}" for c in self.clips for name, why in c.failures.items()]
        return "\n".join(lines + (["", "Not scored:", "", *lost] if lost else []))

    def as_json(self) -> str:
        """The same and the scores of every clip as JSON text."""
        content: dict[str, Any] = {
            "basis_melgan": __version__,
            "system": self.system,
            "split": self.split,
            "data": self.data_hash,
            "metrics": [{"name": m.name, "unit": m.unit, "higher_is_better": m.higher_is_better} for m in METRICS],
            "summary": {
                corpus: {name: estimate._asdict() for name, estimate in estimates.items()}
                for corpus, estimates in self.summary.items()
            },
            "clips": [asdict(clip) for clip in self.clips],
        }
        return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def evaluate(
    system: str,
    corpus: Path,
    split: manifest.Split = "test",
    out_json: Path | None = None,
    waves: Path | None = None,
    jobs: int | None = None,
) -> Report:
    """Measure a system on every clip of a split and print one Markdown table: mean and 95 % interval of each metric.

    A clip that cannot be scored is listed with the reason under the table and in the JSON. Files of an earlier run are
    replaced.

    Args:
        system: a vocoder's file or the name of a baseline (see `system_named`).
        corpus: a prepared corpus, or a folder of several.
        split: the split to measure.
        out_json: file for the summary and the scores of every clip.
        waves: folder for what the system made, as `CORPUS/CLIP.wav`.
        jobs: processes of one thread each; None for one per core.

    Raises:
        ConfigurationError: no such system.
        ModelFileError: the vocoder's file cannot be used.
        CorpusError: no corpus, no clip in the split, another sample rate than the vocoder's, or no clip to score.
        OutputError: a file cannot be written.
    """
    corpora = manifest.load(corpus)
    speaker = system_named(system)
    if speaker.rate is not None:
        manifest.require_rate(corpora, speaker.rate)
    manifest.load_clips(corpora, split)  # raises where there are none
    todo = [
        Job(system, each.name, clip.id, each.path(clip), waves and waves / each.name / f"{clip.id}.wav")
        for each in corpora
        for clip in each.split(split)
    ]
    measured = _measure_all(todo, speaker, jobs or _cores())
    report = Report(system, split, manifest.data_hash(corpora), measured, summarise(measured))
    if out_json:
        _write(out_json, report.as_json())
    print(report.table())
    if not any(clip.scores for clip in measured):
        raise CorpusError(f"{corpus}: none of its {len(measured)} {split} clips could be scored; see the reasons above")
    return report


def system_named(name: str) -> System:
    """The system that a name stands for: the one place where systems are made.

    Args:
        name: `recording`, `world`, `griffin-lim` (60 iterations), `griffin-lim:N`, or the path of a vocoder's file.

    Raises:
        ConfigurationError: none of these.
        ModelFileError: the vocoder's file cannot be used.
    """
    kind, _, number = name.partition(":")
    if name == "recording":
        return Recording()
    if name == "world":
        return World()
    if kind == "griffin-lim" and (number.isdecimal() or name == kind):
        return GriffinLim(int(number)) if number else GriffinLim()
    if Path(name).suffix == ".safetensors":
        return _vocoder(Path(name))
    raise ConfigurationError(
        f"system: {name!r} is none; use recording, world, griffin-lim, griffin-lim:N for N iterations, "
        "or a vocoder's file (.safetensors)"
    )


def _vocoder(path: Path) -> System:
    # PyTorch takes a second to import, and no baseline needs it.
    from basis_melgan.models.vocode import Speaker

    speaker = Speaker(path)

    class Vocoder:
        hop = 0  # its waves are as long as the recordings
        rate = speaker.config.frames.sample_rate

        def __call__(self, wave: Wave, rate: int) -> Wave:
            return speaker.resynthesise(wave, rate)

    return Vocoder()


def measure(job: Job, system: System) -> Measured:
    """Let a system speak one clip and score it.

    Raises:
        OutputError: the wave cannot be written.
    """
    try:
        recording, rate = files.read(job.path)
        spoken = system(recording, rate)
        reference, estimate = common(recording, spoken, system.hop)
    except BasisMelGANError as error:
        return Measured(job.corpus, job.clip, {}, {"clip": str(error)})
    if job.wave:
        files.write(job.wave, spoken, rate)
    scores, failures = {}, {}
    for metric in METRICS:
        try:
            score = metric.score(reference, estimate, rate)
        except BasisMelGANError as error:
            failures[metric.name] = str(error)
            continue
        if math.isfinite(score):
            scores[metric.name] = score
        else:
            failures[metric.name] = f"came out as {score}; listen to the clip"
    return Measured(job.corpus, job.clip, scores, failures)


def summarise(measured: Iterable[Measured]) -> dict[str, dict[str, Estimate]]:
    """Mean of each metric per corpus, and over all clips of all corpora where there are several."""
    measured = tuple(measured)
    corpora = list(dict.fromkeys(clip.corpus for clip in measured))
    rows = [*corpora, EVERYTHING] if len(corpora) > 1 else corpora
    summary: dict[str, dict[str, Estimate]] = {}
    for row in rows:
        clips = [clip for clip in measured if row in (clip.corpus, EVERYTHING)]
        found = {m.name: [clip.scores[m.name] for clip in clips if m.name in clip.scores] for m in METRICS}
        summary[row] = {name: estimated(scores) for name, scores in found.items() if scores}
    return summary


def _measure_all(todo: Sequence[Job], system: System, jobs: int) -> tuple[Measured, ...]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True))
    with progress, closing(_measured(todo, system, jobs)) as measured:
        return tuple(progress.track(measured, total=len(todo), description="evaluate"))


def _measured(todo: Sequence[Job], system: System, jobs: int) -> Generator[Measured, None, None]:
    if min(jobs, len(todo)) <= 1:
        yield from (measure(job, system) for job in todo)
        return
    # A forked child would inherit the locks of any library's threads; a spawned one starts clean.
    pool = ProcessPoolExecutor(min(jobs, len(todo)), mp_context=get_context("spawn"))
    try:
        with _single_threaded():
            yield from pool.map(_measure_in_worker, todo)
    except BrokenProcessPool as error:
        raise CorpusError(
            f"one of {jobs} workers was killed, perhaps for want of memory; run again with fewer jobs"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


_loaded = functools.lru_cache(maxsize=1)(system_named)


def _measure_in_worker(job: Job) -> Measured:
    return measure(job, _loaded(job.system))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def _single_threaded() -> Iterator[None]:
    """Let processes that start meanwhile use one thread each: libraries read this when they are loaded."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _heading(metric: Metric) -> str:
    unit = f" ({metric.unit})" if metric.unit else ""
    return f"{metric.name}{unit} {'↑' if metric.higher_is_better else '↓'}"


def _cell(estimate: Estimate | None, clips: int) -> str:
    if estimate is None:
        return "–"
    interval = f" [{estimate.interval[0]:.3f}, {estimate.interval[1]:.3f}]" if estimate.interval else ""
    return f"{estimate.mean:.3f}{interval}" + (f" ({estimate.clips} clips)" if estimate.clips < clips else "")


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _write(path: Path, text: str) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_text(text, encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error}); choose a writable place") from error
