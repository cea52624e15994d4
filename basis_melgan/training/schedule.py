"""Learning rates as functions of the step, so that a resumed training needs no scheduler state."""

import math

from torch.optim import Optimizer


def noam(step: int, width: int, warmup: int) -> float:
    """Rises linearly for `warmup` steps, then falls as step^-0.5 (arXiv 1706.03762, section 5.3); `step` from 0."""
    rising = (step + 1) * warmup**-1.5 if warmup else math.inf
    return float(width**-0.5 * min((step + 1) ** -0.5, rising))


def trapezoid(step: int, steps: int, warmup: int, cooldown: int) -> float:
    """Factor that rises linearly to 1 over `warmup` steps and falls linearly to 0 over the last `cooldown`."""
    rising = min(1.0, (step + 1) / warmup) if warmup else 1.0
    falling = min(1.0, (steps - step) / cooldown) if cooldown else 1.0
    return rising * falling


def set_rate(optimiser: Optimizer, rate: float) -> None:
    """Set the learning rate of every group to `rate` times the group's own share (1 unless it says otherwise)."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get("share", 1.0)
