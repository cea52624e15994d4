"""Fine-tuning: train a vocoder further on the recordings of one voice."""

import dataclasses
from pathlib import Path

from basis_melgan.config.schema import AugmentationConfig, Config
from basis_melgan.models import model_file
from basis_melgan.training import vocoder


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
        mels: folder of predicted mels, see `basis_melgan.corpus.mels.Mels`; None computes them from the recordings.
        config: its sections `fine_tuning` and `engine` are used.
        force: start over and replace the contents of `out`.

    Raises:
        What `basis_melgan.training.vocoder.train` raises.
    """
    _, saved = model_file.read(init_from, "vocoder")
    tuning = config.fine_tuning
    settings = dataclasses.asdict(tuning)
    adversarial_fraction = settings.pop("adversarial_share")
    if not model_file.discriminators_of(init_from).is_file():
        adversarial_fraction = 0.0
    training = dataclasses.replace(
        saved.vocoder_training,
        **settings,
        cooldown=max(tuning.steps - tuning.warmup, tuning.steps // 2),
        adversarial_from=round((1.0 - adversarial_fraction) * tuning.steps),
        target="recording",
        loss_weights=saved.vocoder_training.loss_weights | {"weights/l1": 0.0},
    )
    tuning_config = dataclasses.replace(
        saved,
        augmentation=AugmentationConfig(),
        vocoder_training=training,
        fine_tuning=tuning,
        engine=config.engine,
    )
    inputs = vocoder.VocoderInputs(init_from=init_from, mels=mels)
    vocoder.train(corpus, out, inputs, tuning_config, force, keep_best=True)
