"""Muon: its orthogonalized updates, resuming, distribution, and agreement with PyTorch's implementation."""

import os
from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing, nn

from basis_melgan.training.muon import UPDATE_RMS, Muon, orthogonalize


@pytest.mark.parametrize("shape", [(24, 24), (24, 10), (10, 24)])
def test_orthogonalize_makes_singular_values_similar(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, 1.5, shape[1]))
    update = orthogonalize(matrix)
    assert update.shape == matrix.shape
    values = torch.linalg.svdvals(update)
    assert values.max() < 1.3
    assert values.median() > 0.65
    # The singular vectors are unchanged: the product with the transposed matrix is symmetric.
    product = update @ matrix.T
    torch.testing.assert_close(product, product.T, atol=1e-3 * product.abs().max().item(), rtol=0.0)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="PyTorch has Muon since 2.9")
def test_steps_equal_pytorchs_muon() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(16, 12), torch.randn(4, 16, 12)
    matrix, expected = (nn.Parameter(start.clone()) for _ in range(2))
    muon = Muon([matrix])
    oracle = torch.optim.Muon([expected], lr=0.01, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients:
        muon.param_groups[0]["lr"] = 0.01 * 0.2 / UPDATE_RMS  # PyTorch's updates have Adam's RMS
        matrix.grad, expected.grad = gradient.clone(), gradient.clone()
        muon.step()
        oracle.step()
    total_update = (expected - start).norm()
    assert (matrix - expected).norm() < 0.02 * total_update  # PyTorch's is rounded to bfloat16


def test_zero_gradient_changes_nothing() -> None:
    matrix = nn.Parameter(torch.ones(4, 3))
    muon = Muon([matrix])
    muon.param_groups[0]["lr"] = 0.1
    matrix.grad = torch.zeros(4, 3)
    muon.step()
    assert bool((matrix == 1.0).all())


def test_resumed_steps_equal_uninterrupted_ones() -> None:
    torch.manual_seed(0)
    uninterrupted, resumed = (nn.Parameter(torch.ones(6, 5)) for _ in range(2))
    gradients = torch.randn(4, 6, 5)

    def take_steps(optimizer: Muon, matrix: nn.Parameter, steps: range) -> Muon:
        for step in steps:
            optimizer.param_groups[0]["lr"] = 0.05
            matrix.grad = gradients[step].clone()
            optimizer.step()
        return optimizer

    take_steps(Muon([uninterrupted]), uninterrupted, range(4))
    state = take_steps(Muon([resumed]), resumed, range(2)).state_dict()
    optimizer = Muon([resumed])
    optimizer.load_state_dict(state)
    take_steps(optimizer, resumed, range(2, 4))
    assert torch.equal(uninterrupted, resumed)


SHAPES = ((6, 5), (5, 6), (4, 4))


def optimized_matrices(out: Path | None = None) -> list[nn.Parameter]:
    """Matrices after three steps along seeded gradients; also saved to a file, if given."""
    torch.manual_seed(0)
    matrices = [nn.Parameter(torch.randn(shape)) for shape in SHAPES]
    muon = Muon(matrices)
    for _ in range(3):
        muon.param_groups[0]["lr"] = 0.05
        for matrix in matrices:
            matrix.grad = torch.randn_like(matrix)
        muon.step()
    if out:
        torch.save([matrix.detach() for matrix in matrices], out)
    return matrices


def run_process(rank: int, folder: Path) -> None:
    distributed.init_process_group("gloo", f"file://{folder}/rendezvous", rank=rank, world_size=2)
    optimized_matrices(folder / f"{rank}.pt")
    distributed.barrier()
    os._exit(0)  # skips the shutdown of gloo's threads, which sometimes aborts when a peer exits at the same time


def test_two_processes_equal_one(tmp_path: Path) -> None:
    multiprocessing.spawn(run_process, (tmp_path,), nprocs=2)
    expected = optimized_matrices()
    for rank in range(2):
        for matrix, expected_matrix in zip(
            torch.load(tmp_path / f"{rank}.pt", weights_only=True), expected, strict=True
        ):
            assert torch.equal(matrix, expected_matrix)
