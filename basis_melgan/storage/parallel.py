"""Work on many clips, shared among processes of one thread each."""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from threading import Thread
from typing import Any, TypeVar

from basis_melgan.errors import ConfigurationError, CorpusError
from basis_melgan.storage.worker_warnings import reissue_warnings, run_with_warnings

ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # glibc gives large arrays back at once and asks for them anew, which takes a third of the time of large networks.
    **dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(1 << 30)),
}

Job = TypeVar("Job")
Outcome = TypeVar("Outcome")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes(jobs: int | None) -> int:
    """How many work side by side: as many as were asked for, or one per core.

    Raises:
        ConfigurationError: fewer than one was asked for.
    """
    if jobs is not None and jobs < 1:
        raise ConfigurationError(f"jobs: {jobs}; use 1 or more")
    return cores() if jobs is None else jobs


def outcomes(
    work: Callable[[Job], Outcome], jobs: Sequence[Job], processes: int, advice: str = "run again with fewer jobs"
) -> Generator[Outcome, None, None]:
    """What comes of every job, in the order in which they are done; where one process will do, it is this one.

    Raises:
        CorpusError: a worker was killed; `advice` ends the message.
    """
    if min(processes, len(jobs)) <= 1:
        yield from map(work, jobs)
        return
    # A forked child would inherit the locks of any library's threads; a spawned one starts clean.
    pool = ProcessPoolExecutor(min(processes, len(jobs)), get_context("spawn"), _end_with_parent)
    registry: dict[Any, Any] = {}
    try:
        with _environment():
            for future in as_completed([pool.submit(run_with_warnings, work, job) for job in jobs]):
                result, worker_warnings = future.result()
                reissue_warnings(worker_warnings, registry)
                yield result
    except BrokenProcessPool as error:
        raise CorpusError(f"one of {processes} workers was killed, perhaps for want of memory; {advice}") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Let this worker end when the process that started it is gone, which a pool does not see to where it is killed."""
    parent = parent_process()
    if parent is not None:
        Thread(target=lambda: wait([parent.sentinel]) and os._exit(1), daemon=True).start()


@contextmanager
def _environment() -> Iterator[None]:
    """Let processes that start meanwhile use one thread each and keep their memory: libraries read this when loaded."""
    before = {name: os.environ.get(name) for name in ENVIRONMENT}
    os.environ.update(ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
