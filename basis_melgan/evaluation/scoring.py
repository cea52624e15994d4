"""Let systems speak clips, and score what they say: in parallel, resumable, every failure kept with its reason."""

import functools
import itertools
import json
import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from basis_melgan.audio import files
from basis_melgan.errors import BasisMelGANError
from basis_melgan.evaluation.systems import Recorded, System, system_named
from basis_melgan.metrics.signal import trim_to_common_length
from basis_melgan.metrics.table import METRICS
from basis_melgan.storage.journal import Journal
from basis_melgan.storage.parallel import outcomes

DECIMALS = 6  # of a score; the last bits depend on where arrays happen to lie in memory


@dataclass(frozen=True)
class Job:
    """One clip for one system to speak, as it is sent to a worker."""

    system: str  # what `system_named` takes
    label: str  # what it is called in reports
    corpus: str
    clip: str
    path: Path
    columns: frozenset[str]  # to fill
    wave: Path | None  # where to leave what the system made of it
    digest: str = ""  # of the files that the system is made of, by which it is known again

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells it from the other jobs of a run, and from those of another system of that name."""
        return self.label, self.corpus, self.clip, self.digest


@dataclass(frozen=True)
class ClipScores:
    """What came of one job: a score or a reason for every column, or one reason, under `clip`, for all of them."""

    system: str
    corpus: str
    clip: str
    digest: str
    seconds: float  # of audio; 0 where the clip cannot be read
    compute: float | None  # seconds that the system took; None where it computes nothing
    scores: dict[str, float]
    failures: dict[str, str]

    @property
    def key(self) -> tuple[str, str, str, str]:
        """That of its job."""
        return self.system, self.corpus, self.clip, self.digest


def score(jobs: Sequence[Job], processes: int, journal: Journal | None = None) -> tuple[ClipScores, ...]:
    """Do all jobs, and show how far they are and at last how long they took; a journal keeps what is done.

    Args:
        jobs: what to do.
        processes: how many at once, of one thread each.
        journal: where earlier results of the same jobs are found, and later ones kept.

    Raises:
        CorpusError: a worker was killed.
        OutputError: a wave or the journal cannot be written.
    """
    # What a name has said last of a clip, since that is what its wave is.
    last = {one.key[:-1]: one for one in (ClipScores(**entry) for entry in journal.entries())} if journal else {}
    done = {one.key: one for one in last.values()}
    todo = [job for job in jobs if job.key not in done or not (job.wave is None or job.wave.exists())]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console, began = Console(stderr=True), time.monotonic()
    with (
        Progress(*columns, console=console) as progress,
        closing(outcomes(_measure_here, _by_clip(todo), processes)) as measured,
    ):
        task = progress.add_task("evaluate", total=len(jobs), completed=len(jobs) - len(todo))
        for one in itertools.chain.from_iterable(measured):
            done[one.key] = one
            if journal:
                journal.add(json.dumps(asdict(one), ensure_ascii=False))
            progress.advance(task)
    audio, took = sum(done[job.key].seconds for job in todo), time.monotonic() - began
    console.print(
        f"{len(todo)} waves, {audio:.0f} s of audio, made and scored in {took:.0f} s (processes: {processes})"
    )
    return tuple(done[job.key] for job in jobs)


def measure(job: Job, system: System) -> ClipScores:
    """Let a system speak one clip and score it, in 16 bits: as its wave is stored, and as those in a folder are.

    Raises:
        OutputError: the wave cannot be written.
    """
    seconds, compute = 0.0, None
    try:
        recording, rate = files.read(job.path)
        seconds = len(recording) / rate
        start = time.perf_counter()
        spoken = system(Recorded(recording, rate, job.corpus, job.clip))
        compute = time.perf_counter() - start if system.computes else None
        spoken = files.quantize_pcm16(spoken)
        reference, estimate = trim_to_common_length(recording, spoken, system.slack)
    except BasisMelGANError as error:
        if job.wave:
            job.wave.unlink(missing_ok=True)  # what an earlier run left there, of another making
        return ClipScores(*job.key, seconds, compute, {}, {"clip": str(error)})
    if job.wave:
        files.write(job.wave, spoken, rate)
    scores: dict[str, float] = {}
    failures: dict[str, str] = {}
    for each in METRICS:
        names = [column.name for column in each.columns if column.name in job.columns]
        if not names:
            continue
        try:
            found = each.score(reference, estimate, rate)
        except BasisMelGANError as error:
            failures |= dict.fromkeys(names, str(error))
            continue
        for name, value in zip(names, found if isinstance(found, tuple) else (found,), strict=True):
            if math.isfinite(value):
                scores[name] = round(float(value), DECIMALS)
            else:
                failures[name] = f"came out as {value}; listen to the clip"
    return ClipScores(*job.key, seconds, compute, scores, failures)


_loaded = functools.cache(system_named)


def _by_clip(jobs: Sequence[Job]) -> list[tuple[Job, ...]]:
    """Neighbors of one clip together: they go to one process, which finds what is in the recording once."""
    return [tuple(together) for _, together in itertools.groupby(jobs, lambda job: job.path)]


def _measure_here(jobs: Sequence[Job]) -> list[ClipScores]:
    return [measure(job, _loaded(job.system)) for job in jobs]
