"""Trainings of one process of one thread each, two at a time, so that all have the same share of the machine."""

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

RECORD = "training.json"  # in a run folder: by which words it was trained, how long, and whether to the end
COMMANDS = ("-m", "basis_melgan")  # a module's words, before a verb's


def two_at_a_time(work: Callable[[Item], None], items: Iterable[Item]) -> None:
    """Do work on items in their order, two at once."""
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, items))


def train(out: Path, *words: str) -> None:
    """Run a training into a folder, unless it is done, and keep how long it took; one interrupted goes on."""
    record = _record(out) or {"words": list(words), "minutes": 0.0, "done": False}
    if record["words"] != list(words):
        sys.exit(f"{out}: holds a training by {' '.join(record['words'])}; choose another folder, or remove it")
    if record["done"]:
        return
    began = time.monotonic()
    try:
        run(*words)
        record["done"] = True
    finally:
        record["minutes"] += (time.monotonic() - began) / 60
        out.mkdir(parents=True, exist_ok=True)
        (out / RECORD).write_text(json.dumps(record), encoding="utf-8")


def minutes(out: Path) -> float:
    """How long a training took, all its sessions together."""
    return float(_record(out)["minutes"])


def _record(out: Path) -> dict[str, Any]:
    path = out / RECORD
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def run(*words: str) -> None:
    """Run Python on one thread."""
    subprocess.run([sys.executable, *words], check=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
