"""Muon: an optimizer for weight matrices whose updates have nearly equal singular values."""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, distributed, nn
from torch.optim import Optimizer

MOMENTUM = 0.95
# Odd polynomial of the Newton–Schulz iteration, which maps singular values in (0, 1] to about 1, and its iterations.
COEFFICIENTS, ITERATIONS = (3.4445, -4.7750, 2.0315), 5
UPDATE_RMS = 0.5  # of an update's entries at learning rate 1; Adam's have about 0.2, so that one rate suits both


class Muon(Optimizer):
    """Gradient descent along each matrix's orthogonalized momentum.

    After Jordan et al. 2024 (kellerjordan.github.io/posts/muon), scaled as in arXiv 2502.16982, equation 4. PyTorch's
    implementation iterates in bfloat16, which takes seconds per step on a CPU without bfloat16 support; this one uses
    float32. Distributed processes divide the matrices among themselves, since orthogonalizing all of them takes a third
    of a step, and broadcast the results.
    """

    def __init__(self, matrices: Iterable[nn.Parameter]) -> None:
        """Optimize matrices (A, B); set the learning rate, initially 0, before every step."""
        super().__init__(matrices, {"lr": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take one step along the current gradients, which must be equal in all processes."""
        for group in self.param_groups:
            matrices = [matrix for matrix in group["params"] if matrix.grad is not None]
            updates = _orthogonalize_all([self._nesterov_momentum(matrix) for matrix in matrices])
            for matrix, update in zip(matrices, updates, strict=True):
                scale = UPDATE_RMS * max(matrix.shape) ** 0.5
                matrix.sub_(update, alpha=group["lr"] * scale)

    def _nesterov_momentum(self, matrix: Tensor) -> Tensor:
        """Update a matrix's momentum (A, B) with its gradient, and return the Nesterov look-ahead."""
        state = self.state[matrix]
        if not state:
            state["momentum"] = torch.zeros_like(matrix)
        gradient = cast(Tensor, matrix.grad)
        momentum = state["momentum"].lerp_(gradient, 1 - MOMENTUM)
        return torch.lerp(gradient, momentum, MOMENTUM)


def _orthogonalize_all(matrices: list[Tensor]) -> list[Tensor]:
    """Orthogonalize matrices, each in one of the distributed processes."""
    is_distributed = distributed.is_available() and distributed.is_initialized()
    rank, world_size = (distributed.get_rank(), distributed.get_world_size()) if is_distributed else (0, 1)
    updates = [
        orthogonalize(matrix).contiguous() if index % world_size == rank else torch.empty_like(matrix)
        for index, matrix in enumerate(matrices)
    ]
    if world_size > 1:
        broadcasts = [
            distributed.broadcast(update, index % world_size, async_op=True) for index, update in enumerate(updates)
        ]
        for broadcast in broadcasts:
            broadcast.wait()
    return updates


def orthogonalize(matrix: Tensor) -> Tensor:
    """Matrix (A, B) with the same singular vectors and singular values of 0.7 to 1.2, by Newton–Schulz iteration."""
    is_tall = matrix.shape[0] > matrix.shape[1]
    update: Tensor = matrix.float().T if is_tall else matrix.float()
    update = update / update.norm().clamp(min=1e-7)
    linear, cubic, quintic = COEFFICIENTS
    for _ in range(ITERATIONS):
        gram = update @ update.T
        update = linear * update + (cubic * gram + quintic * gram @ gram) @ update
    return update.T if is_tall else update
