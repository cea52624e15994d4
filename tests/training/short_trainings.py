"""Trainings of a few steps, and readers of their results."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.utils.data import default_collate

from basis_melgan.config.schema import Config
from basis_melgan.corpus import manifest
from basis_melgan.corpus.datasets import SpeechCrops
from basis_melgan.models import model_file
from basis_melgan.training import separator as separator_stage
from basis_melgan.training import vocoder
from basis_melgan.training.run import Run
from basis_melgan.training.separator import SeparatorTask
from basis_melgan.training.trainer import build_fabric
from basis_melgan.training.vocoder_task import VocoderTask


def with_settings(config: Config, section: str, **values: Any) -> Config:
    return replace(config, **{section: replace(getattr(config, section), **values)})


def train_on_one_batch(task: Any, steps: int) -> list[dict[str, float]]:
    """Logs of steps on the same batch: the loudest two of six items, since clips begin with a pause."""
    wave = "wave" if isinstance(task, VocoderTask) else "sources"
    items = sorted((task.dataset[index] for index in range(6)), key=lambda item: -item[wave].square().mean())
    batch = default_collate(items[:2])
    return [task.step(batch, step) for step in range(steps)]


def improvement(values: Sequence[float]) -> float:
    """Decrease of a loss from its first value to the median of its last sixth.

    The last value alone would depend on a processor's rounding.
    """
    return values[0] - float(np.median(values[-len(values) // 6 :]))


def separator_task(corpus: Path, out: Path, config: Config) -> SeparatorTask:
    corpora = manifest.load(corpus)
    out.mkdir(exist_ok=True)
    return SeparatorTask(corpora, Run(out, config, separator_stage.SECTIONS, "x"), build_fabric(config.trainer, 1))


def vocoder_task(
    corpus: Path, separator: Path, out: Path, config: Config, generator: model_file.AnyGenerator | None = None
) -> VocoderTask:
    """Task of stage 2, by default with a MelGAN generator over the separator's basis."""
    corpora = manifest.load(corpus)
    out.mkdir(exist_ok=True)
    dataset = SpeechCrops(manifest.load_clips(corpora, "train"), config, None)
    fabric = build_fabric(config.trainer, 1)
    teacher = model_file.load_separator(separator)[0]
    if generator is None:
        generator = model_file.new_generator(config)
        generator.basis.load_state_dict(teacher.basis.state_dict())
    run = Run(out, config, vocoder.SECTIONS, "x")
    return VocoderTask(dataset, manifest.load_clips(corpora, "validation"), teacher, generator, run, fabric)


def board(out: Path) -> EventAccumulator:
    events = EventAccumulator(str(out / "log"), size_guidance={"scalars": 0})
    events.Reload()
    return events


def parameters(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in module.named_parameters()}
