"""Muon: what it steps along, and that it is PyTorch's own where that can be had."""

import os
from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing, nn

from basis_melgan.training.muon import RMS, Muon, orthogonalized


@pytest.mark.parametrize("shape", [(24, 24), (24, 10), (10, 24)])
def test_singular_values_become_alike(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, 1.5, shape[1]))
    found = orthogonalized(matrix)
    assert found.shape == matrix.shape
    values = torch.linalg.svdvals(found)
    assert values.max() < 1.3
    assert values.median() > 0.65
    # Its directions are the matrix's own: the product with its transpose stays symmetric and positive.
    product = found @ matrix.T
    torch.testing.assert_close(product, product.T, atol=1e-3 * product.abs().max().item(), rtol=0.0)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="PyTorch has one from 2.9 on")
def test_steps_are_those_of_pytorchs_own() -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(16, 12), torch.randn(4, 16, 12)
    ours, theirs = (nn.Parameter(start.clone()) for _ in range(2))
    muon = Muon([ours])
    oracle = torch.optim.Muon([theirs], lr=0.01, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients:
        muon.param_groups[0]["lr"] = 0.01 * 0.2 / RMS  # theirs has Adam's
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        muon.step()
        oracle.step()
    moved = (theirs - start).norm()
    assert (ours - theirs).norm() < 0.02 * moved  # theirs is rounded to bfloat16


def test_a_zero_gradient_moves_nothing() -> None:
    matrix = nn.Parameter(torch.ones(4, 3))
    muon = Muon([matrix])
    muon.param_groups[0]["lr"] = 0.1
    matrix.grad = torch.zeros(4, 3)
    muon.step()
    assert bool((matrix == 1.0).all())


def test_it_resumes_where_it_stopped() -> None:
    torch.manual_seed(0)
    whole, part = (nn.Parameter(torch.ones(6, 5)) for _ in range(2))
    gradients = torch.randn(4, 6, 5)

    def go(optimizer: Muon, matrix: nn.Parameter, steps: range) -> Muon:
        for step in steps:
            optimizer.param_groups[0]["lr"] = 0.05
            matrix.grad = gradients[step].clone()
            optimizer.step()
        return optimizer

    go(Muon([whole]), whole, range(4))
    saved = go(Muon([part]), part, range(2)).state_dict()
    resumed = Muon([part])
    resumed.load_state_dict(saved)
    go(resumed, part, range(2, 4))
    assert torch.equal(whole, part)


SHAPES = ((6, 5), (5, 6), (4, 4))


def moved(out: Path | None = None) -> list[nn.Parameter]:
    """Matrices after three steps along gradients that are the same everywhere; kept in a file where one is named."""
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


def one_of_two(rank: int, folder: Path) -> None:
    distributed.init_process_group("gloo", f"file://{folder}/meeting", rank=rank, world_size=2)
    moved(folder / f"{rank}.pt")
    distributed.barrier()
    os._exit(0)  # without taking gloo's threads down, which aborts now and then where a peer ends at the same time


def test_two_processes_step_as_one(tmp_path: Path) -> None:
    multiprocessing.spawn(one_of_two, (tmp_path,), nprocs=2)
    expected = moved()
    for rank in range(2):
        for found, matrix in zip(torch.load(tmp_path / f"{rank}.pt", weights_only=True), expected, strict=True):
            assert torch.equal(found, matrix)
