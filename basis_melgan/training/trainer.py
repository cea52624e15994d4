"""The loop both stages share: devices, precision, logging, checkpoints, resume. What one step is, its `Task` says."""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.seed import seed_everything
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torch.utils.tensorboard import SummaryWriter

from basis_melgan.config.schema import TrainerConfig
from basis_melgan.corpus.datasets import StepSampler
from basis_melgan.errors import ConfigurationError, TrainingError
from basis_melgan.progress import Progress
from basis_melgan.training.run import Run

LOG_EVERY = 50  # steps between points of the curves
MAX_GRADIENT_NORM = 1.0  # to which both stages clip; the norm of early steps is some tens of times as large


class Task(Protocol):
    """One stage of training."""

    steps: int
    batch: int  # items over all processes
    validate_every: int  # steps

    @property
    def dataset(self) -> Dataset[Any]:
        """What batches are made of."""

    @property
    def released(self) -> tuple[Path, ...]:
        """Files that `release` writes, the model first."""

    def step(self, batch: Mapping[str, Any], step: int) -> dict[str, float]:
        """Learn from one batch; returns what to log."""

    def validate(self, step: int, board: SummaryWriter) -> dict[str, float]:
        """Show where the training stands, and return what was measured."""

    def release(self, step: int) -> None:
        """Write the model as it stands to the run folder."""

    def released_step(self, step: int) -> int:
        """After which step the model was released that stands in the run folder once `step` is done."""

    def begin(self, step: int, board: SummaryWriter | None) -> None:
        """Prepare for the steps from `step` on; the board is the first process's."""

    def state(self) -> dict[str, Any]:
        """Everything a resumed training needs, besides the step."""


def native_bf16(accelerator: str) -> bool:
    """Whether what trains multiplies bfloat16 matrices in hardware."""
    if accelerator in ("auto", "cuda") and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def build_fabric(config: TrainerConfig, seed: int) -> Fabric:
    """Fabric with the configured devices and precision, launched and seeded."""
    bf16 = config.precision == "bf16" or (config.precision == "auto" and native_bf16(config.accelerator))
    fabric = Fabric(
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.nodes,
        precision="bf16-mixed" if bf16 else "32-true",
    )
    fabric.launch()
    seed_everything(seed, verbose=False)
    return fabric


def require_finite(losses: Mapping[str, Tensor], step: int, ids: Sequence[str]) -> None:
    """Stop before a NaN or infinite loss, or its gradient, reaches the weights.

    Raises:
        TrainingError: names the loss, the step and the batch.
    """
    for name, loss in losses.items():
        if not torch.isfinite(loss).all():
            raise TrainingError(
                f"{name} is {float(loss.detach())} at step {step}, on {', '.join(ids)}; "
                "look at these clips, or lower the learning rate; the last checkpoint stands"
            )


def fuse(module: nn.Module) -> None:
    """Let torch.compile fuse a module's forward in place.

    Raises:
        ConfigurationError: this machine has no C++ compiler.
    """
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        raise ConfigurationError(
            "trainer.compile: needs a C++ compiler and finds none; install g++ or set trainer.compile: false"
        )
    module.compile()


def fit(task: Task, fabric: Fabric, config: TrainerConfig, run: Run, force: bool = False) -> dict[str, float]:
    """Train from the run's last checkpoint, or from the start, to the task's last step.

    With `force`, what an earlier training left in the run folder goes first: here, where nothing else can be wrong.

    Returns:
        The last validation's scores; none where no step was left to do, or on another process than the first.

    Raises:
        ConfigurationError: the batch does not divide among the processes.
        TrainingError: the checkpoint cannot be resumed, or a loss is NaN or infinite.
    """
    if task.batch % fabric.world_size:
        raise ConfigurationError(f"batch: {task.batch} crops do not divide among {fabric.world_size} processes")
    if fabric.is_global_zero:
        run.prepare(force, task.released)
    fabric.barrier()
    start = run.resume(fabric, task.state())
    if start > 0 and fabric.is_global_zero and run.is_ahead_of(task.released[0], task.released_step(start)):
        task.release(start)  # which an interruption after the checkpoint has left out
    if start >= task.steps:
        fabric.print(f"{run.folder}: trained to step {start} already; raise the number of steps to go on")
        return {}
    sampler = StepSampler(range(start, task.steps), task.batch, fabric.global_rank, fabric.world_size)
    loader = fabric.setup_dataloaders(
        DataLoader(task.dataset, batch_sampler=sampler, num_workers=config.workers), use_distributed_sampler=False
    )
    board = SummaryWriter(run.folder / "log", purge_step=start + 1) if fabric.is_global_zero else None
    began, scores = time.monotonic(), dict[str, float]()
    with Progress("step", task.steps, start, fabric.is_global_zero) as progress, board or nullcontext():
        task.begin(start, board)
        for step, batch in enumerate(loader, start):
            logs = task.step(batch, step)
            done = step + 1
            progress.advance(note=_listed(_losses(logs)))
            if board is not None and done % LOG_EVERY == 0:
                logs["time/steps_per_second"] = (done - start) / (time.monotonic() - began)
                for name, value in logs.items():
                    board.add_scalar(name, value, done)
            validates = done % task.validate_every == 0 or done == task.steps
            if board is not None and validates:
                scores = task.validate(done, board)
                for name, value in scores.items():
                    board.add_scalar(f"validation/{name}", value, done)
                board.flush()
                progress.say(f"step {done}: validation {_listed(scores)}")
            if validates:
                run.save(fabric, task.state(), done)
                if fabric.is_global_zero:
                    task.release(done)
    seconds = time.monotonic() - began
    fabric.print(
        f"{run.folder}: steps {start} to {task.steps} in {seconds:.0f} s, {(task.steps - start) / seconds:.2f} steps/s "
        f"in {fabric._precision.precision}"
    )
    return scores


def _losses(logs: Mapping[str, float]) -> dict[str, float]:
    """What a step logs but for its rates, the total first where there is one."""
    losses = {name.removeprefix("loss/"): value for name, value in logs.items() if not name.startswith("rate/")}
    return {name: losses[name] for name in sorted(losses, key=lambda name: name != "total")}


def _listed(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())
