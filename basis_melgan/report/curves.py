"""Learning curves, read from the logs of trainings."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from basis_melgan.errors import ConfigurationError

SHOWN = ("validation/", "loss/")
POINTS = 200  # of a curve; of a longer one, the means of as many stretches
DECIBELS = ("si_snr", "si-snr")  # curves with these in their names are in dB; the others have no unit


def named_folders(runs: str) -> dict[str, Path]:
    """Read `NAME=FOLDER,NAME=FOLDER`.

    Raises:
        ConfigurationError: a part has no name or no folder, or a name comes twice.
    """
    found: dict[str, Path] = {}
    for part in runs.split(","):
        name, _, folder = part.partition("=")
        if not name or not folder or name in found:
            reason = "names a run again" if name in found else "is not NAME=FOLDER"
            raise ConfigurationError(f"runs: {part!r} {reason}; write NAME=FOLDER,NAME=FOLDER")
        found[name] = Path(folder)
    return found


def gather(runs: dict[str, Path]) -> list[dict[str, Any]]:
    """The curves of all runs, one JSON object per scalar: its name, unit, and a series of points per run.

    Raises:
        ConfigurationError: a folder holds no log of a training, or one without a curve.
    """
    curves: dict[str, dict[str, Any]] = {}
    for run, folder in runs.items():
        for name, points in sorted(_scalars(folder).items()):
            unit = "dB" if any(word in name for word in DECIBELS) else ""
            curve = curves.setdefault(name, {"name": name, "unit": unit, "series": []})
            curve["series"].append({"run": run, "points": _thinned(points)})
    return sorted(curves.values(), key=lambda curve: (curve["name"].startswith("loss/"), curve["name"]))


def _scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    # Here, since it takes a second to import and most reports need no curves.
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # that a training was resumed is nothing to warn of
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    log = folder / "log"
    if not any(log.glob("events.out.tfevents.*")):
        raise ConfigurationError(f"runs: {log} holds no log of a training; give the folder that the training wrote to")
    events = EventAccumulator(str(log), size_guidance={"scalars": 0})
    events.Reload()
    names = [name for name in events.Tags()["scalars"] if name.startswith(SHOWN)]
    if not names:
        raise ConfigurationError(f"runs: {log} holds no curve yet; let the training run on to its first log")
    return {name: [(event.step, float(event.value)) for event in events.Scalars(name)] for name in names}


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[float, float | None]]:
    """At most `POINTS` points, each the mean of a stretch; what is not finite becomes a gap."""
    stretches = np.array_split(np.asarray(points, dtype=np.float64), min(POINTS, len(points)))
    means = [stretch.mean(axis=0) for stretch in stretches]
    return [
        (round(float(step), 1), float(f"{value:.5g}") if np.isfinite(value) else None)
        for step, value in (mean.tolist() for mean in means)
    ]
