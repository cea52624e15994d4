"""Learning rates as functions of the step, so that a resumed training needs no scheduler state.

A training shorter than its warmup and decay together runs through both proportionally faster, so that it reaches its
full learning rate and ends at zero whatever its length.
"""

import math

from torch.optim import Optimizer

LR_SCALE = "lr_scale"  # key of a parameter group: its learning rate as a fraction of the training's


def ramp_speed(steps: int, warmup: int, decay: int) -> float:
    """Factor, at least 1, by which warmup and decay are sped up to fit into a training of `steps`."""
    return max(1.0, (warmup + decay) / steps)


def short_training_note(steps: int, warmup: int, decay: int) -> str:
    """Note that a training is too short for its warmup and decay; empty if it is long enough."""
    speed = ramp_speed(steps, warmup, decay)
    if speed == 1.0:
        return ""
    return (
        f"{steps} steps are too few for a warmup of {warmup} and a decay of {decay} steps; they are shortened to "
        f"{warmup / speed:.0f} and {decay / speed:.0f}"
    )


def noam_factor(step: int, width: int, warmup: int, speed: float = 1.0) -> float:
    """Noam schedule (arXiv 1706.03762, section 5.3): linear warmup, then decay as step^-0.5; `step` counts from 0."""
    position = (step + 1) * speed
    rising = position * warmup**-1.5 if warmup else math.inf
    return float(width**-0.5 * min(position**-0.5, rising))


def trapezoid_factor(step: int, steps: int, warmup: int, decay: int, speed: float = 1.0) -> float:
    """Trapezoidal schedule: linear from 0 to 1 over `warmup` steps, linear to 0 over the last `decay` steps."""
    rising = min(1.0, (step + 1) * speed / warmup) if warmup else 1.0
    falling = min(1.0, (steps - step) * speed / decay) if decay else 1.0
    return rising * falling


def ema_decay(updates: int, limit: float) -> float:
    """Decay of an exponential moving average after a number of updates; smaller at first, then `limit`.

    With `limit` = 0.999 from the start, the initial weights would still make up 78 % of the average after 250 steps.
    Same formula as TensorFlow's ExponentialMovingAverage with `num_updates`.
    """
    return min(limit, (1 + updates) / (10 + updates))


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Set the learning rate of every parameter group to `rate` times the group's `LR_SCALE`, 1 by default."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get(LR_SCALE, 1.0)
