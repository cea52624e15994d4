"""Parameters and multiply–adds of a network.

Counted are the multiply–adds (MACs) of convolutions and linear layers; one MAC is two FLOPs. Biases, activations,
padding and additions are left out. Parameters are those of inference, weight norm merged. MACs are those that one more
mel frame costs, so that what happens once per utterance (its edges, the response to silence) does not count.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode


def parameters(model: nn.Module) -> int:
    """Parameters of a model at inference: the lengths that weight norm keeps apart are merged and do not count."""
    return sum(p.numel() for name, p in model.named_parameters() if not name.endswith(".original0"))


def macs(model: nn.Module, inputs: Tensor) -> int:
    """Multiply–adds of one forward pass over `inputs`, counted on the operators that run."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(inputs)
    return int(counter.get_total_flops()) // 2


def macs_per_frame(model: nn.Module, mel: Callable[[int], Tensor]) -> float:
    """Multiply–adds that one more mel frame costs; `mel` makes an input of so many frames."""
    return (macs(model, mel(40)) - macs(model, mel(20))) / 20
