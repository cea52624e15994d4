"""What fuzz tests share: how many cases, what is done to a file's bytes, and what becomes of each case, in time."""

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

LIMIT = 20  # seconds for one case, of which nearly all take milliseconds
NUMBERS = (0, 0xFFFF_FFFF, 0x7FFF_FFFF)


class Outcome(NamedTuple):
    """What became of a case.

    Attributes:
        refusal: what a user is told of an input that cannot be used; empty where it can.
        warnings: what a user is told of an input that is used.
    """

    refusal: str
    warnings: list[str]


def case_count(default: int) -> int:
    """How many cases of each kind there are: `FUZZ_CASES` of them, or so many."""
    return int(os.environ.get("FUZZ_CASES", default))


def outcome(work: Callable[[], object]) -> Outcome:
    """Do some work within the time limit; exceptions that are no refusal go on, and fail the test."""
    refusal = ""
    with time_limit(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", InputWarning)  # in front of the filters that make errors of some
        try:
            work()
        except BasisMelGANError as error:
            refusal = str(error)
            assert refusal.strip()
    messages = [str(warning.message) for warning in caught if issubclass(warning.category, InputWarning)]
    assert not any("\n" in text for text in (refusal, *messages)), (refusal, messages)
    return Outcome(refusal, messages)


@contextmanager
def time_limit() -> Iterator[None]:
    """Fail what hangs, at once where there are alarms (POSIX), otherwise when it ends."""

    def stop(*_: object) -> None:
        pytest.fail(f"a case took more than {LIMIT} s")  # no Exception, so nothing takes it for a damaged file

    start, alarms = time.monotonic(), hasattr(signal, "SIGALRM")
    if alarms:
        previous = signal.signal(signal.SIGALRM, stop)
        signal.alarm(LIMIT)
    try:
        yield
    finally:
        if alarms:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, previous)
    assert time.monotonic() - start < LIMIT


def altered(content: bytes, rng: np.random.Generator) -> bytes:
    """The same bytes with a few changed, cut off, left out, doubled or put in; near the front as often as anywhere."""
    damaged = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        end = len(damaged) if rng.random() < 0.5 else min(len(damaged), 256)
        place, length = int(rng.integers(0, max(1, end))), int(rng.integers(1, 64))
        match int(rng.integers(0, 5)):
            case 0:
                damaged[place : place + 1] = rng.bytes(1)
            case 1:
                del damaged[place:]
            case 2:
                del damaged[place : place + length]
            case 3:
                damaged[place:place] = damaged[place : place + length]
            case _:
                damaged[place:place] = rng.bytes(length)
    return bytes(damaged)


def truncated(content: bytes, rng: np.random.Generator) -> bytes:
    """The first of the bytes; all but a few as often as any number of them."""
    return content[: int(rng.integers(0 if rng.random() < 0.5 else len(content) * 3 // 4, len(content)))]


def miscounted(content: bytes, rng: np.random.Generator) -> bytes:
    """The same bytes with 0, -1 or the greatest of integers written over some of the header, in either byte order."""
    place = int(rng.integers(0, min(len(content), 128) - 4))
    number = struct.pack(("<I", ">I")[int(rng.integers(2))], NUMBERS[int(rng.integers(3))])
    return content[:place] + number + content[place + 4 :]


def extended(content: bytes, rng: np.random.Generator) -> bytes:
    """The same bytes, and random ones behind them."""
    return content + rng.bytes(int(rng.integers(1, 20_000)))


def doubled(content: bytes, rng: np.random.Generator) -> bytes:
    """The same bytes and again some or all of them, as of two files that were put behind one another."""
    return content + (content if rng.random() < 0.5 else truncated(content, rng))


DAMAGES = (altered, truncated, miscounted, extended, doubled)


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """The bytes of a file, damaged in one of all ways."""
    return DAMAGES[int(rng.integers(len(DAMAGES)))](content, rng)
