"""Muon: steps for matrices whose singular values are all alike, so that no direction waits for the loudest."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

MOMENTUM = 0.95
# Of the odd polynomial that pulls singular values from (0, 1] to about 1, and how often it is applied.
COEFFICIENTS, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
RMS = 0.5  # of an update's entries at rate 1; Adam's have about 0.2, so that one learning rate serves both


class Muon(Optimizer):
    """Descends along the orthogonalised momentum of each matrix.

    After Jordan et al. 2024 (kellerjordan.github.io/posts/muon), scaled as in arXiv 2502.16982, equation 4. PyTorch's
    own iterates in bfloat16, which takes seconds a step on a CPU that does not know it; here it is float32.
    """

    def __init__(self, matrices: Iterable[nn.Parameter]) -> None:
        """Optimise matrices (A, B); the learning rate, which starts at 0, is set before every step."""
        super().__init__(matrices, {"lr": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients that are there."""
        for group in self.param_groups:
            for matrix in group["params"]:
                if matrix.grad is None:
                    continue
                state = self.state[matrix]
                if not state:
                    state["momentum"] = torch.zeros_like(matrix)
                momentum = state["momentum"].lerp_(matrix.grad, 1 - MOMENTUM)
                ahead = torch.lerp(matrix.grad, momentum, MOMENTUM)  # Nesterov's
                scale = RMS * max(matrix.shape) ** 0.5
                matrix.sub_(orthogonalised(ahead), alpha=group["lr"] * scale)


def orthogonalised(matrix: Tensor) -> Tensor:
    """A matrix (A, B) with singular values of about 0.7 to 1.2 in place of its own, by Newton–Schulz iterations."""
    tall = matrix.shape[0] > matrix.shape[1]
    found: Tensor = matrix.float().T if tall else matrix.float()
    found = found / found.norm().clamp(min=1e-7)
    linear, cubic, quintic = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = found @ found.T
        found = linear * found + (cubic * gram + quintic * gram @ gram) @ found
    return found.T if tall else found
