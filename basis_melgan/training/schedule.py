"""Learning rates as functions of the step, so that a resumed training needs no scheduler state.

A training that has fewer steps than its warmup and cooldown together passes through both as many times faster: so it
reaches its learning rate, and ends at 0, however short it is.
"""

import math

from lightning_fabric import Fabric
from torch.optim import Optimizer

from basis_melgan.config.schema import SeparatorTrainingConfig, VocoderTrainingConfig


def pace(steps: int, warmup: int, cooldown: int) -> float:
    """How many times faster than they say a training of `steps` passes through its warmup and cooldown; 1 or more."""
    return max(1.0, (warmup + cooldown) / steps)


def shortened(steps: int, warmup: int, cooldown: int) -> str:
    """What to tell of ramps that a training of `steps` is too short for; nothing where it is not."""
    factor = pace(steps, warmup, cooldown)
    if factor == 1.0:
        return ""
    return (
        f"{steps} steps are too few for a warmup of {warmup} and a cooldown of {cooldown}, which become "
        f"{warmup / factor:.0f} and {cooldown / factor:.0f}"
    )


def announce(fabric: Fabric, training: SeparatorTrainingConfig | VocoderTrainingConfig) -> None:
    """Tell of ramps that a training is too short for."""
    if note := shortened(training.steps, training.warmup_steps, training.decay_steps):
        fabric.print(note)


def noam(step: int, width: int, warmup: int, pace: float = 1.0) -> float:
    """Rises linearly for `warmup` steps, then falls as step^-0.5 (arXiv 1706.03762, section 5.3); `step` from 0."""
    place = (step + 1) * pace
    rising = place * warmup**-1.5 if warmup else math.inf
    return float(width**-0.5 * min(place**-0.5, rising))


def trapezoid(step: int, steps: int, warmup: int, cooldown: int, pace: float = 1.0) -> float:
    """Factor that rises linearly to 1 over `warmup` steps and falls linearly to 0 over the last `cooldown`."""
    rising = min(1.0, (step + 1) * pace / warmup) if warmup else 1.0
    falling = min(1.0, (steps - step) * pace / cooldown) if cooldown else 1.0
    return rising * falling


def averaging_decay(updates: int, limit: float) -> float:
    """Decay of an exponential average after so many updates: short at first, so that it holds what has been learned.

    With `limit` alone, 250 steps at 0.999 would leave four fifths of the average to the weights it began with. As in
    TensorFlow's ExponentialMovingAverage with `num_updates`.
    """
    return min(limit, (1 + updates) / (10 + updates))


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of every group to `rate` times the group's own share (1 unless it says otherwise)."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("share", 1.0)
