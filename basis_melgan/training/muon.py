"""Muon: steps for matrices whose singular values are all alike, so that no direction waits for the loudest."""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, distributed, nn
from torch.optim import Optimizer

MOMENTUM = 0.95
# Of the odd polynomial that pulls singular values from (0, 1] to about 1, and how often it is applied.
COEFFICIENTS, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
RMS = 0.5  # of an update's entries at rate 1; Adam's have about 0.2, so that one learning rate serves both


class Muon(Optimizer):
    """Descends along the orthogonalized momentum of each matrix.

    After Jordan et al. 2024 (kellerjordan.github.io/posts/muon), scaled as in arXiv 2502.16982, equation 4. PyTorch's
    own iterates in bfloat16, which takes seconds a step on a CPU that does not know it; here it is float32. Processes
    that train together divide the matrices among themselves, which takes a third of a step on one, and tell the others.
    """

    def __init__(self, matrices: Iterable[nn.Parameter]) -> None:
        """Optimize matrices (A, B); the learning rate, which starts at 0, is set before every step."""
        super().__init__(matrices, {"lr": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step along the gradients that are there, which all processes share."""
        for group in self.param_groups:
            matrices = [matrix for matrix in group["params"] if matrix.grad is not None]
            for matrix, direction in zip(matrices, _directions([self._ahead(each) for each in matrices]), strict=True):
                scale = RMS * max(matrix.shape) ** 0.5
                matrix.sub_(direction, alpha=group["lr"] * scale)

    def _ahead(self, matrix: Tensor) -> Tensor:
        """The momentum of a matrix (A, B) after its gradient, and once more: Nesterov's."""
        state = self.state[matrix]
        if not state:
            state["momentum"] = torch.zeros_like(matrix)
        gradient = cast(Tensor, matrix.grad)
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        return torch.lerp(gradient, momentum, MOMENTUM)


def _directions(matrices: list[Tensor]) -> list[Tensor]:
    """All matrices orthogonalized, each by one of the processes that train together."""
    together = distributed.is_available() and distributed.is_initialized()
    rank, count = (distributed.get_rank(), distributed.get_world_size()) if together else (0, 1)
    found = [
        orthogonalized(each).contiguous() if index % count == rank else torch.empty_like(each)
        for index, each in enumerate(matrices)
    ]
    told = [distributed.broadcast(each, index % count, async_op=True) for index, each in enumerate(found) if count > 1]
    for each in told:
        each.wait()
    return found


def orthogonalized(matrix: Tensor) -> Tensor:
    """A matrix (A, B) with singular values of about 0.7 to 1.2 in place of its own, by Newton–Schulz iterations."""
    tall = matrix.shape[0] > matrix.shape[1]
    found: Tensor = matrix.float().T if tall else matrix.float()
    found = found / found.norm().clamp(min=1e-7)
    linear, cubic, quintic = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = found @ found.T
        found = linear * found + (cubic * gram + quintic * gram @ gram) @ found
    return found.T if tall else found
