"""Parameters and multiply–adds of a network.

Counted are the multiply–adds (MACs) of convolutions and linear layers; one MAC is two FLOPs. Biases, activations,
padding and additions are left out. Parameters are those of inference, weight norm merged. MACs are those that one more
mel frame costs, so that what happens once per utterance (its edges, the response to silence) does not count.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(model: nn.Module) -> int:
    """Parameters of a model at inference: the lengths that weight norm keeps apart are merged and do not count."""
    return sum(p.numel() for name, p in model.named_parameters() if not name.endswith(".original0"))


def macs(run: Callable[[], Any]) -> int:
    """Multiply–adds of a pass, counted on the operators that run."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops()) // 2


def macs_per_frame(run: Callable[[int], Any]) -> float:
    """Multiply–adds that one more mel frame costs a pass over so many frames."""
    return (macs(partial(run, 40)) - macs(partial(run, 20))) / 20
