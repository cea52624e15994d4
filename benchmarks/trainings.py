"""Trainings of one process and one thread each, two at a time, so that all get the same fraction of the machine."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

Item = TypeVar("Item")

RECORD = "training.json"  # in a run folder: the command, its minutes and whether it is complete
COMMANDS = ("-m", "basis_melgan")  # what runs a command of the package with Python


def two_at_a_time(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Process items in order, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, items))


def train(out: Path, *words: str) -> None:
    """Run or resume a training in a run folder, unless it is complete, and record its minutes."""
    record = _record(out) or {"words": list(words), "minutes": 0.0, "done": False}
    if record["words"] != list(words):
        sys.exit(f"{out}: holds a training by {' '.join(record['words'])}; use another folder, or remove it")
    if record["done"]:
        return
    start = time.monotonic()
    try:
        run(*words)
        record["done"] = True
    finally:
        record["minutes"] += (time.monotonic() - start) / 60
        out.mkdir(parents=True, exist_ok=True)
        (out / RECORD).write_text(json.dumps(record), encoding="utf-8")


def minutes(out: Path) -> float:
    """Minutes of a training, summed over its sessions."""
    return float(_record(out)["minutes"])


def _record(out: Path) -> dict[str, Any]:
    path = out / RECORD
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def run(*words: str) -> None:
    """Run Python with one thread."""
    subprocess.run([sys.executable, *words], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
