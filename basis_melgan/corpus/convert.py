"""What a worker of `prepare` does with one recording: read, judge, resample, store. No PyTorch here."""

import hashlib
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from basis_melgan.audio import files, levels
from basis_melgan.config.schema import CorpusConfig
from basis_melgan.errors import AudioError

SILENCE_DBFS = -60.0  # a recording whose peak stays below is silent
MAX_CLIPPED_FRACTION = 0.05  # of a recording's samples at full scale, above which it is distorted throughout
FULL_SCALE = 0.99  # the positive end of 8-bit sound is 127/128


@dataclass(frozen=True)
class Job:
    """One recording to convert, as it is sent to a worker."""

    id: str
    source: str
    target: str
    sample_rate: int  # Hz
    rules: CorpusConfig


@dataclass(frozen=True)
class Outcome:
    """What came of one recording: a clip, or the reason why not. One line of `sources.jsonl`."""

    id: str
    source: str
    stamp: tuple[int, int]  # bytes and modification time (ns) of the source
    bytes: int = 0  # of the clip's file
    samples: int = 0  # at the corpus's rate
    sha256: str = ""  # of the clip's file
    reason: str = ""  # why it was skipped; empty for a clip
    detail: str = ""
    mends: dict[str, str] = field(default_factory=dict)  # what was done to it, or is missing, by kind
    cpu: float = 0.0  # seconds a worker spent on it


def convert(job: Job) -> Outcome:
    """Read, judge, resample and store one recording; runs in a worker process."""
    begin = time.process_time()
    path, target = Path(job.source), Path(job.target)
    outcome = Outcome(job.id, job.source, stamp(path))
    try:
        recording = files.load(path)
    except AudioError as error:
        return replace(outcome, reason="unreadable", detail=str(error), cpu=time.process_time() - begin)
    reason, detail = judge(recording.wave, recording.rate, job.rules)
    if reason:
        return replace(outcome, reason=reason, detail=detail, cpu=time.process_time() - begin)
    wave, scaled = levels.fitted(files.resample(recording.wave, recording.rate, job.sample_rate))
    files.write(target, wave, job.sample_rate)
    content = target.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    spent = time.process_time() - begin
    mends = scaled | recording.mends
    return replace(outcome, bytes=len(content), samples=len(wave), sha256=digest, mends=mends, cpu=spent)


def judge(wave: files.Wave, rate: int, rules: CorpusConfig) -> tuple[str, str]:
    """Why a wave (T,) at `rate` Hz is unusable, as a reason and its numbers; two empty strings when it is usable."""
    if len(wave) == 0:
        return "empty", "no samples"
    if not np.isfinite(wave).all():
        return "NaN or Inf", f"{np.count_nonzero(~np.isfinite(wave))} samples are no numbers"
    seconds = len(wave) / rate
    if seconds < rules.minimum_seconds:
        return "too short", f"{seconds:.3f} s; corpus.minimum_seconds is {rules.minimum_seconds}"
    magnitude = np.abs(wave)
    level = 20.0 * np.log10(max(float(magnitude.max()), 1e-9))
    if level < SILENCE_DBFS:
        return "silent", f"peak {level:.1f} dBFS; at least {SILENCE_DBFS:g} dBFS is needed"
    clipped = np.count_nonzero(magnitude >= FULL_SCALE) / len(wave)
    if clipped > MAX_CLIPPED_FRACTION:
        return "clipped", f"{clipped:.1%} of samples at full scale; at most {MAX_CLIPPED_FRACTION:.0%} may be"
    return "", ""


def stamp(path: Path) -> tuple[int, int]:
    """Size in bytes and modification time in ns, by which a changed file is told; zeros for a missing one."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (status.st_size, status.st_mtime_ns)
