"""Conversion of one recording by a worker of `prepare`: read, check, resample, write. Does not import PyTorch."""

import hashlib
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from basis_melgan.audio import files, levels
from basis_melgan.config.schema import CorpusConfig
from basis_melgan.errors import AudioError

CLIPPING_LEVEL = 0.99  # of full scale; the largest positive value of 8-bit audio is 127/128
SILENCE_DBFS = -60.0  # a recording with a lower peak is silent
MAX_CLIPPED_FRACTION = 0.05  # of samples at full scale; a recording with more is distorted throughout


@dataclass(frozen=True)
class Task:
    """One recording to convert, as it is sent to a worker."""

    id: str
    source: str
    target: str
    sample_rate: int  # Hz
    rules: CorpusConfig


@dataclass(frozen=True)
class Result:
    """The clip made from one recording, or why it was skipped; one line of `sources.jsonl`."""

    id: str
    source: str
    source_stamp: tuple[int, int]  # size in bytes and modification time in ns of the source
    bytes: int = 0  # size of the clip's file
    samples: int = 0  # at the corpus's sample rate
    sha256: str = ""  # of the clip's file
    reason: str = ""  # why the recording was skipped; empty for a clip
    detail: str = ""  # of the reason
    issues: dict[str, str] = field(default_factory=dict)  # what was missing or changed on reading, by kind
    cpu_seconds: float = 0.0  # time spent by the worker


def result_from_dict(entry: dict[str, Any]) -> Result | None:
    """Return the result stored as a line of `sources.jsonl`; None if another version wrote it."""
    try:
        return Result(**{**entry, "source_stamp": tuple(entry["source_stamp"])})
    except (KeyError, TypeError):
        return None


def convert(task: Task) -> Result:
    """Read, check, resample and write one recording; runs in a worker process."""
    start = time.process_time()
    source, target = Path(task.source), Path(task.target)
    result = Result(task.id, task.source, file_stamp(source))
    try:
        recording = files.load(source)
    except AudioError as error:
        return replace(result, reason="unreadable", detail=str(error), cpu_seconds=time.process_time() - start)
    reason, detail = find_defect(recording.wave, recording.rate, task.rules)
    if reason:
        return replace(result, reason=reason, detail=detail, cpu_seconds=time.process_time() - start)
    wave, level_issues = levels.limit_to_full_scale(files.resample(recording.wave, recording.rate, task.sample_rate))
    files.write(target, wave, task.sample_rate)
    content = target.read_bytes()
    return replace(
        result,
        bytes=len(content),
        samples=len(wave),
        sha256=hashlib.sha256(content).hexdigest(),
        issues=level_issues | recording.issues,
        cpu_seconds=time.process_time() - start,
    )


def find_defect(wave: files.Wave, rate: int, rules: CorpusConfig) -> tuple[str, str]:
    """Return the reason and the detail why a wave (T,) at `rate` Hz is unusable; two empty strings if it is usable."""
    if len(wave) == 0:
        return "empty", "no samples"
    if not np.isfinite(wave).all():
        return "NaN or Inf", f"{np.count_nonzero(~np.isfinite(wave))} samples are not finite"
    seconds = len(wave) / rate
    if seconds < rules.minimum_seconds:
        return "too short", f"{seconds:.3f} s; corpus.minimum_seconds is {rules.minimum_seconds}"
    magnitude = np.abs(wave)
    level = 20.0 * np.log10(max(float(magnitude.max()), 1e-9))
    if level < SILENCE_DBFS:
        return "silent", f"peak {level:.1f} dBFS; the minimum is {SILENCE_DBFS:g} dBFS"
    clipped = np.count_nonzero(magnitude >= CLIPPING_LEVEL) / len(wave)
    if clipped > MAX_CLIPPED_FRACTION:
        return "clipped", f"{clipped:.1%} of samples at full scale; the limit is {MAX_CLIPPED_FRACTION:.0%}"
    return "", ""


def file_stamp(path: Path) -> tuple[int, int]:
    """Return the size in bytes and modification time in ns of a file, to detect changes; zeros if it is missing."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)
