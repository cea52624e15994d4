"""Learning curves from the logs of trainings."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from basis_melgan.errors import ConfigurationError

CURVE_PREFIXES = ("validation/", "loss/")
MAX_POINTS = 200  # of a curve; a longer one is averaged over as many segments
DECIBEL_NAMES = ("si_snr", "si-snr")  # curves with these in their names are in dB; the others have no unit


def parse_runs(runs: str) -> dict[str, Path]:
    """Parse `NAME=FOLDER,NAME=FOLDER`.

    Raises:
        ConfigurationError: a part has no name or no folder, or a name occurs twice.
    """
    folders: dict[str, Path] = {}
    for part in runs.split(","):
        name, _, folder = part.partition("=")
        if not name or not folder or name in folders:
            reason = "repeats a name" if name in folders else "is not NAME=FOLDER"
            raise ConfigurationError(f"runs: {part!r} {reason}; write NAME=FOLDER,NAME=FOLDER")
        folders[name] = Path(folder)
    return folders


def learning_curves(runs: dict[str, Path]) -> list[dict[str, Any]]:
    """The curves of all runs, one JSON object per scalar: name, unit, and the points of each run.

    Raises:
        ConfigurationError: a folder has no training log, or a log without a curve.
    """
    curves: dict[str, dict[str, Any]] = {}
    for run, folder in runs.items():
        for name, points in sorted(_read_scalars(folder).items()):
            unit = "dB" if any(part in name for part in DECIBEL_NAMES) else ""
            curve = curves.setdefault(name, {"name": name, "unit": unit, "series": []})
            curve["series"].append({"run": run, "points": _downsample(points)})
    return sorted(curves.values(), key=lambda curve: (curve["name"].startswith("loss/"), curve["name"]))


def _read_scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it warns about the log of a resumed training
    # TensorBoard takes a second to import, and most reports have no curves.
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
        EventAccumulator,
    )

    log = folder / "log"
    if not any(log.glob("events.out.tfevents.*")):
        raise ConfigurationError(f"runs: {log} has no training log; give the folder that the training wrote")
    events = EventAccumulator(str(log), size_guidance={"scalars": 0})
    events.Reload()
    names = [name for name in events.Tags()["scalars"] if name.startswith(CURVE_PREFIXES)]
    if not names:
        raise ConfigurationError(f"runs: {log} has no curve yet; let the training continue until it logs")
    return {name: [(event.step, float(event.value)) for event in events.Scalars(name)] for name in names}


def _downsample(points: Sequence[tuple[int, float]]) -> list[tuple[float, float | None]]:
    """Up to `MAX_POINTS` points, each the mean of a segment; None where it is not finite."""
    segments = np.array_split(np.asarray(points, dtype=np.float64), min(MAX_POINTS, len(points)))
    means = [segment.mean(axis=0) for segment in segments]
    return [
        (round(float(step), 1), float(f"{value:.5g}") if np.isfinite(value) else None)
        for step, value in (mean.tolist() for mean in means)
    ]
