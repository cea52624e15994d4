"""Optimizers and weight averaging of stage 2."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from basis_melgan.config.schema import VocoderTrainingConfig
from basis_melgan.models.model_file import AnyGenerator
from basis_melgan.training import schedule
from basis_melgan.training.muon import Muon

ADAM_BETAS = (0.8, 0.99)  # as in HiFi-GAN
Tensors = tuple[Tensor, ...] | list[Tensor]


def generator_optimizers(generator: AnyGenerator, training: VocoderTrainingConfig) -> list[Optimizer]:
    """Adam, and Muon for the generator's hidden matrices if it has any; a trainable basis has its own learning rate."""
    basis = set(generator.basis.parameters())
    matrices = generator.muon_parameters()
    network = [p for p in generator.parameters() if p not in basis.union(matrices)]
    groups: list[dict[str, Any]] = [{"params": network}]
    if training.basis_learning_rate > 0:
        lr_scale = training.basis_learning_rate / training.learning_rate
        groups.append({"params": list(basis), schedule.LR_SCALE: lr_scale})
    adam = torch.optim.Adam(groups, betas=ADAM_BETAS)
    return [adam, Muon(matrices)] if matrices else [adam]


def discriminator_optimizer(parameters: Iterable[nn.Parameter]) -> Optimizer:
    """Adam with the generator's momenta."""
    return torch.optim.Adam(parameters, betas=ADAM_BETAS)


def exponential_average(decay_limit: float) -> Callable[[Tensors, Tensors, Tensor | int], None]:
    """Update function of an exponential moving average with the decay `schedule.ema_decay`."""

    def update(average: Tensors, weights: Tensors, updates: Tensor | int) -> None:
        torch._foreach_lerp_(average, weights, 1.0 - schedule.ema_decay(int(updates), decay_limit))

    return torch.no_grad()(update)
