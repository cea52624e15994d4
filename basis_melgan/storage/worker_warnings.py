"""Warnings of worker processes, issued again in the parent, where the filters and the format of the user apply."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from basis_melgan.errors import InputWarning

Task = TypeVar("Task")
Result = TypeVar("Result")


class WorkerWarning(NamedTuple):
    """A warning of a worker, with the place in the code that issued it."""

    message: InputWarning
    filename: str
    line: int


def run_with_warnings(work: Callable[[Task], Result], task: Task) -> tuple[Result, list[WorkerWarning]]:
    """Run a task in a worker; returns its result with the warnings on its input, and shows other warnings."""
    with warnings.catch_warnings(record=True) as records:
        result = work(task)
    worker_warnings = []
    for record in records:
        if isinstance(record.message, InputWarning):
            worker_warnings.append(WorkerWarning(record.message, record.filename, record.lineno))
        else:
            warnings.showwarning(record.message, record.category, record.filename, record.lineno)
    return result, worker_warnings


def reissue_warnings(worker_warnings: Sequence[WorkerWarning], registry: dict[Any, Any]) -> None:
    """Issue warnings of a worker in this process.

    Args:
        worker_warnings: what `run_with_warnings` returned.
        registry: one dictionary for all workers, by which a repeated warning is shown once.
    """
    for message, filename, line in worker_warnings:
        warnings.warn_explicit(message, type(message), filename, line, registry=registry)
