"""Parallel work on many clips in processes of one thread each."""

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

WORKER_ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"),
    # By default glibc returns large arrays to the system at once and requests them again, which takes a third of the
    # time of large networks.
    **dict.fromkeys(("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"), str(1 << 30)),
}

Task = TypeVar("Task")
Result = TypeVar("Result")


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def process_count(jobs: int | None) -> int:
    """Return the number of worker processes: `jobs`, or one per core for None.

    Raises:
        ConfigurationError: `jobs` is below 1.
    """
    if jobs is not None and jobs < 1:
        raise ConfigurationError(f"jobs: {jobs}; use 1 or more")
    return available_cores() if jobs is None else jobs


def map_unordered(
    work: Callable[[Task], Result], tasks: Sequence[Task], processes: int, advice: str = "run again with fewer jobs"
) -> Generator[Result, None, None]:
    """Yield the result of every task, in the order in which they finish.

    A single process, or a single task, runs in the calling process.

    Raises:
        CorpusError: a worker was killed; `advice` ends the message.
    """
    if min(processes, len(tasks)) <= 1:
        yield from map(work, tasks)
        return
    registry: dict[Any, Any] = {}
    # A forked child would inherit the locks of any library's threads; a spawned one starts clean.
    pool = ProcessPoolExecutor(min(processes, len(tasks)), get_context("spawn"), _exit_with_parent)
    try:
        with _worker_environment():
            for future in as_completed([pool.submit(run_with_warnings, work, task) for task in tasks]):
                result, worker_warnings = future.result()
                reissue_warnings(worker_warnings, registry)
                yield result
    except BrokenProcessPool as error:
        raise CorpusError(f"one of {processes} workers was killed, perhaps for lack of memory; {advice}") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _exit_with_parent() -> None:
    """Exit this worker when its parent is gone; a pool does not do so when the parent is killed."""
    parent = parent_process()
    if parent is not None:
        Thread(target=lambda: wait([parent.sentinel]) and os._exit(1), daemon=True).start()


@contextmanager
def _worker_environment() -> Iterator[None]:
    """Set `WORKER_ENVIRONMENT` for processes started in the block: libraries read it when they are loaded."""
    previous = {name: os.environ.get(name) for name in WORKER_ENVIRONMENT}
    os.environ.update(WORKER_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in previous.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
