"""Trainings of one process of one thread each, two at a time, so that all have the same share of the machine."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")

VERBS = ("-m", "basis_melgan.cli")  # a module's words, before a verb's


def two_at_a_time(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Do work on items in their order, two at once."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, items))


def train(out: Path, *words: str) -> None:
    """Run a training into a folder, unless it is done, and keep how long it took; one interrupted goes on."""
    if (out / "minutes").exists():
        return
    began = time.monotonic()
    run(*words)
    (out / "minutes").write_text(f"{(time.monotonic() - began) / 60:.3f}")


def minutes(out: Path) -> float:
    """How long a training took."""
    return float((out / "minutes").read_text())


def run(*words: str) -> None:
    """Run Python on one thread."""
    subprocess.run([sys.executable, *words], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
