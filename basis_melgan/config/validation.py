"""Bounds that settings keep, each checked as soon as the setting is made."""

from typing import Any

from basis_melgan.errors import ConfigurationError

MOST_THREADS = 1_024  # more than any machine has cores to run them on


def require(holds: bool, message: str) -> None:
    """Raise a ConfigurationError where a setting does not hold."""
    if not holds:
        raise ConfigurationError(message)


def require_counts(section: str, settings: Any, *names: str) -> None:
    """Settings of a section that count something of which there must be one."""
    for name in names:
        require(getattr(settings, name) >= 1, f"{section}.{name}: {getattr(settings, name)}; use 1 or more")


def require_not_negative(section: str, settings: Any, *names: str) -> None:
    """Settings of a section that may be 0, but no less."""
    for name in names:
        require(getattr(settings, name) >= 0, f"{section}.{name}: {getattr(settings, name)}; use 0 or more")


def require_threads(threads: int) -> None:
    """Threads that an engine can be run on."""
    require(threads >= 1, f"threads: {threads}; use 1 or more")
    require(threads <= MOST_THREADS, f"threads: {threads}; use at most {MOST_THREADS}, best one per core")


def require_clip(section: str, settings: Any) -> None:
    """What every training asks of the gradient norm that it clips to."""
    require(settings.clip > 0, f"{section}.clip: {settings.clip}; use a gradient norm above 0")


def require_rates(section: str, settings: Any) -> None:
    """What every training of a vocoder asks of its schedule and its averages."""
    require_not_negative(section, settings, "warmup_steps", "learning_rate", "discriminator_learning_rate")
    require(0 <= settings.ema_decay < 1, f"{section}.ema_decay: {settings.ema_decay}; use 0 or more, below 1")
    judged = settings.discriminator_batch_fraction
    require(0 < judged <= 1, f"{section}.discriminator_batch_fraction: {judged} is no share; use above 0, at most 1")
