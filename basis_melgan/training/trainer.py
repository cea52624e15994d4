"""The training loop of both stages: devices, precision, logging, checkpoints and resuming; a `Task` defines a step."""

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

LOG_EVERY = 50  # steps between points of the training curves
MAX_GRADIENT_NORM = 1.0  # gradients are clipped to it; in early steps they are tens of times larger


class Task(Protocol):
    """One stage of training."""

    steps: int
    batch_size: int  # crops over all processes
    validate_every: int  # steps; every validation saves checkpoint and model

    @property
    def dataset(self) -> Dataset[Any]:
        """Training items."""

    @property
    def model_paths(self) -> tuple[Path, ...]:
        """Files that `save_model` writes, the model first."""

    def step(self, batch: Mapping[str, Any], step: int) -> dict[str, float]:
        """Take one optimization step; returns the values to log."""

    def validate(self, step: int, board: SummaryWriter) -> dict[str, float]:
        """Evaluate the model on validation clips; returns the scores."""

    def save_model(self, step: int) -> None:
        """Write the model files to the run folder."""

    def model_step(self, step: int) -> int:
        """Step of the model that the run folder should contain after `step` steps."""

    def start(self, step: int, board: SummaryWriter | None) -> None:
        """Prepare to train from `step`; only the first process gets a board."""

    def state(self) -> dict[str, Any]:
        """Everything that a checkpoint stores, besides the step."""


def has_native_bf16(accelerator: str) -> bool:
    """Whether the accelerator multiplies bfloat16 matrices in hardware."""
    if accelerator in ("auto", "cuda") and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def build_fabric(config: TrainerConfig, seed: int) -> Fabric:
    """Fabric with the configured devices and precision, launched and seeded."""
    use_bf16 = config.precision == "bf16" or (config.precision == "auto" and has_native_bf16(config.accelerator))
    fabric = Fabric(
        accelerator=config.accelerator,
        devices=config.devices,
        num_nodes=config.nodes,
        precision="bf16-mixed" if use_bf16 else "32-true",
    )
    fabric.launch()
    seed_everything(seed, verbose=False)
    return fabric


def require_finite(values: Mapping[str, Tensor], step: int, ids: Sequence[str]) -> None:
    """Check losses or gradient norms before they reach the weights.

    Raises:
        TrainingError: a value is NaN or infinite; the message names it, the step and the clips of the batch.
    """
    for name, value in values.items():
        if not torch.isfinite(value).all():
            raise TrainingError(
                f"{name} is {float(value.detach())} at step {step}, on {', '.join(ids)}; check these clips or lower "
                "the learning rate; the last checkpoint is intact"
            )


def compile_forward(module: nn.Module) -> None:
    """Compile a module's forward in place with torch.compile.

    Raises:
        ConfigurationError: this machine has no C++ compiler.
    """
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        raise ConfigurationError("trainer.compile: found no C++ compiler; install g++ or set trainer.compile: false")
    module.compile()


def fit(task: Task, fabric: Fabric, config: TrainerConfig, run: Run, force: bool = False) -> dict[str, float]:
    """Train from the run's checkpoint, or from step 0, to the task's last step.

    With `force`, an earlier training in the run folder is deleted first; this happens here, after all other checks.

    Returns:
        Scores of the last validation; empty if the training was already complete, and in all processes but the first.

    Raises:
        ConfigurationError: the batch size is not divisible by the number of processes.
        OutputError: the run folder cannot be used, or a file cannot be written.
        TrainingError: the checkpoint cannot be resumed, or a loss is NaN or infinite.
    """
    if task.batch_size % fabric.world_size:
        raise ConfigurationError(
            f"batch_size: {task.batch_size} crops cannot be divided among {fabric.world_size} processes; use a "
            f"multiple of {fabric.world_size}"
        )
    if fabric.is_global_zero:
        run.prepare(force, task.model_paths)
    fabric.barrier()
    start = run.resume(fabric, task.state())
    if start > 0 and fabric.is_global_zero and run.is_model_outdated(task.model_paths[0], task.model_step(start)):
        task.save_model(start)  # the previous training was interrupted between saving the checkpoint and the model
    if start >= task.steps:
        fabric.print(f"{run.folder}: already trained to step {start}; increase steps to continue")
        return {}
    start_time = time.monotonic()
    scores = _train_steps(task, fabric, config, run, start)
    seconds = time.monotonic() - start_time
    fabric.print(
        f"{run.folder}: steps {start} to {task.steps} in {seconds:.0f} s, {(task.steps - start) / seconds:.2f} steps/s "
        f"in {fabric._precision.precision}"
    )
    return scores


def _train_steps(task: Task, fabric: Fabric, config: TrainerConfig, run: Run, start: int) -> dict[str, float]:
    """Train from step `start` to the last; returns the scores of the last validation."""
    sampler = StepSampler(range(start, task.steps), task.batch_size, fabric.global_rank, fabric.world_size)
    loader = fabric.setup_dataloaders(
        DataLoader(task.dataset, batch_sampler=sampler, num_workers=config.workers), use_distributed_sampler=False
    )
    board = SummaryWriter(run.folder / "log", purge_step=start + 1) if fabric.is_global_zero else None
    start_time, scores = time.monotonic(), dict[str, float]()
    with Progress("step", task.steps, start, fabric.is_global_zero) as progress, board or nullcontext():
        task.start(start, board)
        for index, batch in enumerate(loader, start):
            logs = task.step(batch, index)
            step = index + 1
            progress.advance(note=_format_values(_losses(logs)))
            if board is not None and step % LOG_EVERY == 0:
                logs["time/steps_per_second"] = (step - start) / (time.monotonic() - start_time)
                _add_scalars(board, logs, step)
            if step % task.validate_every == 0 or step == task.steps:
                if board is not None:
                    scores = _validate(task, step, board, progress)
                run.save(fabric, task.state(), step)
                if board is not None:
                    task.save_model(step)
    return scores


def _validate(task: Task, step: int, board: SummaryWriter, progress: Progress) -> dict[str, float]:
    """Validate, log and print; returns the scores."""
    scores = task.validate(step, board)
    _add_scalars(board, {f"validation/{name}": value for name, value in scores.items()}, step)
    board.flush()
    progress.print(f"step {step}: validation {_format_values(scores)}")
    return scores


def _add_scalars(board: SummaryWriter, values: Mapping[str, float], step: int) -> None:
    for name, value in values.items():
        board.add_scalar(name, value, step)


def _losses(logs: Mapping[str, float]) -> dict[str, float]:
    """Losses of a step's logs, without its rates, the total first."""
    losses = {name.removeprefix("loss/"): value for name, value in logs.items() if not name.startswith("rate/")}
    return {name: losses[name] for name in sorted(losses, key=lambda name: name != "total")}


def _format_values(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items())
