"""From a trained vocoder to a voice: its training, gone on with on other recordings."""

import dataclasses
from pathlib import Path

from basis_melgan.config.schema import AugmentationConfig, Config
from basis_melgan.models import model_file
from basis_melgan.training import vocoder

WARMUP_STEPS = 100
DISCRIMINATOR_LEARNING_RATE = 1e-4  # a fifth of the vocoder's, or a voice of few minutes is learned by heart
DISCRIMINATOR_BATCH_FRACTION = 0.5  # half the cost of all crops, and no worse
EMA_DECAY = 0.99  # per step: short beside trainings of some thousand steps


def fine_tune(corpus: Path, out: Path, start: Path, mels: Path | None, config: Config, force: bool = False) -> None:
    """Train a vocoder further on a prepared corpus; writes ``vocoder.safetensors`` into the run folder `out`.

    The vocoder's file says what it is and by which losses it learned; how long and how fast it learns now, `config`
    does. Its discriminators, where they lie beside it, judge over the last part of the steps; before, and without them,
    the losses are those of regression alone. Weights of the separator are no longer aimed at, and recordings are no
    longer changed: one voice is to be learned as it is. Every validation is scored as `evaluate` does it, before the
    first step too, and the best is kept: losses fall also where opinions do.

    Args:
        corpus: prepared corpus, or a folder of several.
        out: run folder.
        start: the vocoder's file.
        mels: folder of predicted mels, as `basis_melgan.corpus.mels.Mels` describes it; None computes them.
        config: `seed`, `fine_tuning` and `trainer` are used.
        force: start afresh, replacing what `out` holds.

    Raises:
        What `basis_melgan.training.vocoder.train` raises.
    """
    _, start_config = model_file.read(start, "vocoder")
    settings = config.fine_tuning
    has_discriminators = model_file.discriminators_of(start).is_file()
    adversarial_fraction = settings.adversarial_fraction if has_discriminators else 0.0
    training = dataclasses.replace(
        start_config.vocoder_training,
        steps=settings.steps,
        adversarial_from=round((1.0 - adversarial_fraction) * settings.steps),
        batch_size=settings.batch_size,
        discriminator_batch_fraction=DISCRIMINATOR_BATCH_FRACTION,
        target="recording",
        learning_rate=settings.learning_rate,
        discriminator_learning_rate=DISCRIMINATOR_LEARNING_RATE,
        warmup_steps=WARMUP_STEPS,
        decay_steps=max(settings.steps - WARMUP_STEPS, settings.steps // 2),
        ema_decay=EMA_DECAY,
        loss_weights=start_config.vocoder_training.loss_weights | {"weights/l1": 0.0},
        validate_every=settings.validate_every,
    )
    config = dataclasses.replace(
        start_config,
        seed=config.seed,
        augmentation=AugmentationConfig(),
        vocoder_training=training,
        fine_tuning=settings,
        trainer=config.trainer,
    )
    sources = vocoder.Sources(start=start, mels=mels)
    vocoder.train(corpus, out, sources, config, force, keep_best=True)
