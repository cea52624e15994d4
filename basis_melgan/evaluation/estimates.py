"""Means of scores with bootstrap intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2_000  # of the bootstrap
LEVEL = 0.95  # of the interval


@dataclass(frozen=True)
class Estimate:
    """Mean of a metric over `clips` clips with its bootstrap interval; None for a single clip."""

    mean: float
    interval: tuple[float, float] | None
    clips: int


def bootstrap_mean(scores: Sequence[float]) -> Estimate:
    """Mean of one or more scores with its 95 % percentile bootstrap interval (Efron 1979); deterministic."""
    values = np.asarray(scores, dtype=np.float64)
    if len(values) == 1:
        return Estimate(float(values[0]), None, 1)
    generator = np.random.default_rng(0)
    means = [values[generator.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0])
    return Estimate(float(values.mean()), (float(low), float(high)), len(values))
