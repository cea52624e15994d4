"""Fine-tuning: train a vocoder further on the recordings of one voice."""

import dataclasses
from pathlib import Path

from basis_melgan.config.schema import AugmentationConfig, Config, FineTuningConfig, VocoderTrainingConfig
from basis_melgan.models import model_file
from basis_melgan.training import vocoder

WARMUP_STEPS = 100
DISCRIMINATOR_LEARNING_RATE = 1e-4  # a fifth of the vocoder's; higher rates overfit voices of a few minutes
DISCRIMINATOR_BATCH_FRACTION = 0.5  # as good as the whole batch at half the cost
EMA_DECAY = 0.99  # per step; averages over about 100 of a few thousand steps


def fine_tune(corpus: Path, out: Path, init_from: Path, mels: Path | None, config: Config, force: bool = False) -> None:
    """Fine-tune a vocoder on a prepared corpus; writes ``vocoder.safetensors`` into the run folder `out`.

    Model settings and loss weights come from the vocoder's file, length and learning rates from `config`. The last part
    of the steps is adversarial if the vocoder's discriminators lie beside it; all other steps use regression losses
    only. Separator targets and augmentation are switched off, since the voice should be learned as recorded. Every
    validation computes metrics, before the first step too, and the vocoder of the best one is saved, since losses may
    fall while metrics get worse.

    Args:
        corpus: prepared corpus, or a folder of several.
        out: run folder.
        init_from: the vocoder's file.
        mels: folder of predicted mels, see `corpus.mels.MelSource`; None computes them from the recordings.
        config: its `seed`, `fine_tuning` and `trainer` are used.
        force: start over and replace the contents of `out`.

    Raises:
        What `basis_melgan.training.vocoder.train` raises.
    """
    _, saved = model_file.read(init_from, "vocoder")
    tuning = config.fine_tuning
    has_discriminators = model_file.discriminators_of(init_from).is_file()
    adversarial_fraction = tuning.adversarial_fraction if has_discriminators else 0.0
    tuning_config = dataclasses.replace(
        saved,
        seed=config.seed,
        augmentation=AugmentationConfig(),
        vocoder_training=_training_config(saved.vocoder_training, tuning, adversarial_fraction),
        fine_tuning=tuning,
        trainer=config.trainer,
    )
    inputs = vocoder.VocoderInputs(init_from=init_from, mels=mels)
    vocoder.train(corpus, out, inputs, tuning_config, force, keep_best=True)


def _training_config(
    saved: VocoderTrainingConfig, tuning: FineTuningConfig, adversarial_fraction: float
) -> VocoderTrainingConfig:
    """Training settings of a vocoder file, with the length and rates of a fine-tuning."""
    return dataclasses.replace(
        saved,
        steps=tuning.steps,
        adversarial_from=round((1.0 - adversarial_fraction) * tuning.steps),
        batch_size=tuning.batch_size,
        discriminator_batch_fraction=DISCRIMINATOR_BATCH_FRACTION,
        target="recording",
        learning_rate=tuning.learning_rate,
        discriminator_learning_rate=DISCRIMINATOR_LEARNING_RATE,
        warmup_steps=WARMUP_STEPS,
        decay_steps=max(tuning.steps - WARMUP_STEPS, tuning.steps // 2),
        ema_decay=EMA_DECAY,
        loss_weights=saved.loss_weights | {"weights/l1": 0.0},
        validate_every=tuning.validate_every,
    )
