"""Shared parts of the fuzz tests: the number of cases, ways to damage a file's bytes, and a time limit per case."""

import os
import signal
import struct
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
import pytest

from basis_melgan.errors import BasisMelGANError, InputWarning

LIMIT = 20  # seconds for one case; nearly all take milliseconds
HEADER_NUMBERS = (0, 0xFFFF_FFFF, 0x7FFF_FFFF)


class CaseResult(NamedTuple):
    """The messages of one case.

    Attributes:
        refusal: the error message for an unusable input; empty for a usable one.
        warnings: the warnings for a usable input.
    """

    refusal: str
    warnings: list[str]


def case_count(default: int) -> int:
    """Return the number of cases of each kind: the environment variable `FUZZ_CASES`, or `default`."""
    return int(os.environ.get("FUZZ_CASES", default))


def run_case(work: Callable[[], object]) -> CaseResult:
    """Run a case within the time limit; exceptions other than the package's own propagate and fail the test."""
    refusal = ""
    with time_limit(), warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always", InputWarning)  # before filters that turn warnings into errors
        try:
            work()
        except BasisMelGANError as error:
            refusal = str(error)
            assert refusal.strip()
    messages = [str(record.message) for record in records if issubclass(record.category, InputWarning)]
    assert not any("\n" in text for text in (refusal, *messages)), (refusal, messages)
    return CaseResult(refusal, messages)


@contextmanager
def time_limit() -> Iterator[None]:
    """Fail a case that hangs: at once on systems with alarms (POSIX), otherwise when it ends."""

    def stop(*_: object) -> None:
        pytest.fail(f"a case took more than {LIMIT} s")  # not an Exception, so no handler takes it for a damaged file

    start, has_alarms = time.monotonic(), hasattr(signal, "SIGALRM")
    if has_alarms:
        previous = signal.signal(signal.SIGALRM, stop)
        signal.alarm(LIMIT)
    try:
        yield
    finally:
        if has_alarms:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, previous)
    assert time.monotonic() - start < LIMIT


def alter_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Replace, truncate, delete, repeat or insert bytes, one to three times; half of the edits are near the start."""
    edited = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        end = len(edited) if rng.random() < 0.5 else min(len(edited), 256)
        position, length = int(rng.integers(0, max(1, end))), int(rng.integers(1, 64))
        match int(rng.integers(0, 5)):
            case 0:
                edited[position : position + 1] = rng.bytes(1)
            case 1:
                del edited[position:]
            case 2:
                del edited[position : position + length]
            case 3:
                edited[position:position] = edited[position : position + length]
            case _:
                edited[position:position] = rng.bytes(length)
    return bytes(edited)


def truncate(content: bytes, rng: np.random.Generator) -> bytes:
    """Cut the bytes at a random length; half of the time at least three quarters remain."""
    return content[: int(rng.integers(0 if rng.random() < 0.5 else len(content) * 3 // 4, len(content)))]


def corrupt_number(content: bytes, rng: np.random.Generator) -> bytes:
    """Overwrite four header bytes with 0, -1 or the largest integer, in either byte order."""
    position = int(rng.integers(0, min(len(content), 128) - 4))
    number = struct.pack(("<I", ">I")[int(rng.integers(2))], HEADER_NUMBERS[int(rng.integers(3))])
    return content[:position] + number + content[position + 4 :]


def append_bytes(content: bytes, rng: np.random.Generator) -> bytes:
    """Append random bytes."""
    return content + rng.bytes(int(rng.integers(1, 20_000)))


def concatenate(content: bytes, rng: np.random.Generator) -> bytes:
    """Append the same bytes again, completely or truncated, as if two files were concatenated."""
    return content + (content if rng.random() < 0.5 else truncate(content, rng))


DAMAGES = (alter_bytes, truncate, corrupt_number, append_bytes, concatenate)


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """Damage the bytes of a file in a random one of all ways."""
    return DAMAGES[int(rng.integers(len(DAMAGES)))](content, rng)
