"""Means of scores with bootstrap intervals."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RESAMPLES = 2_000  # of the bootstrap
LEVEL = 0.95  # of its interval


class Estimate(NamedTuple):
    """Mean of a metric over `clips` clips, and its bootstrap interval, which a single clip has not."""

    mean: float
    interval: tuple[float, float] | None
    clips: int


def estimated(scores: Sequence[float]) -> Estimate:
    """Mean of at least one score with its 95 % percentile bootstrap interval (Efron 1979), the same at every call."""
    values = np.asarray(scores, dtype=np.float64)
    if len(values) == 1:
        return Estimate(float(values[0]), None, 1)
    draw = np.random.default_rng(0)
    means = [values[draw.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    return Estimate(float(values.mean()), (float(low), float(high)), len(values))
