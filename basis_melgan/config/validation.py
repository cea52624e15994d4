"""Checks of settings. Each raises a ConfigurationError of one line: the key, its value, and what to use instead."""

from typing import Any

from basis_melgan.errors import ConfigurationError

MAX_THREADS = 1_024  # more than any machine has cores to run them on


def require(condition: bool, message: str) -> None:
    """Raise a ConfigurationError with this message unless the condition holds."""
    if not condition:
        raise ConfigurationError(message)


def require_minimum(minimum: int, section: str, settings: Any, *names: str) -> None:
    """Require settings of a section to be `minimum` or more."""
    for name in names:
        value = getattr(settings, name)
        require(value >= minimum, f"{section}.{name}: {value}; use {minimum} or more")


def require_fraction(section: str, settings: Any, *names: str) -> None:
    """Require settings of a section to be fractions: 0 to 1."""
    for name in names:
        value = getattr(settings, name)
        require(0 <= value <= 1, f"{section}.{name}: {value} is not a fraction; use 0 to 1")


def require_range(section: str, settings: Any, *names: str) -> None:
    """Require settings of a section to be (lowest, highest), or None where they may be."""
    for name in names:
        value = getattr(settings, name)
        require(
            value is None or value[0] <= value[1],
            f"{section}.{name}: {value} is not a range; give the lowest value first",
        )


def require_threads(threads: int) -> None:
    """Require a number of threads that a backend can run on."""
    require(threads >= 1, f"threads: {threads}; use 1 or more")
    require(threads <= MAX_THREADS, f"threads: {threads}; use at most {MAX_THREADS}, best one per core")
