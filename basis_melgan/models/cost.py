"""Parameters and multiply-adds of a network.

Multiply-adds (MACs) of convolutions and linear layers are counted; one MAC is two FLOPs. Biases, activations, padding
and additions are not. Parameters are those of inference, with weight norm merged. MACs are the cost of one more mel
frame, so that constant costs per utterance (its edges, the response to silence) do not count.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(model: nn.Module) -> int:
    """Parameters of a model at inference: the lengths of weight norm are merged and do not count."""
    return sum(p.numel() for name, p in model.named_parameters() if not name.endswith(".original0"))


def macs(run: Callable[[], Any]) -> int:
    """Multiply-adds of a call, counted on the operators that run."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return int(counter.get_total_flops()) // 2


def macs_per_frame(run: Callable[[int], Any]) -> float:
    """Multiply-adds that one more mel frame costs, where `run` takes the number of frames."""
    return (macs(partial(run, 40)) - macs(partial(run, 20))) / 20
