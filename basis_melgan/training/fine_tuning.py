"""From a trained vocoder to a voice: its training, gone on with on other recordings."""

import dataclasses
from pathlib import Path

from basis_melgan.config.schema import AugmentationConfig, Config
from basis_melgan.models import model_file
from basis_melgan.training import vocoder


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
        mels: folder of predicted mels, as `basis_melgan.corpus.mels.MelSource` describes it; None computes them.
        config: `fine_tuning` and `fabric` of it are used.
        force: start afresh, replacing what `out` holds.

    Raises:
        What `basis_melgan.training.vocoder.train` raises.
    """
    _, theirs = model_file.read(start, "vocoder")
    chosen = config.fine_tuning
    settings = dataclasses.asdict(chosen)
    share = settings.pop("adversarial_share")
    if not model_file.discriminators_of(start).is_file():
        share = 0.0
    training = dataclasses.replace(
        theirs.vocoder_training,
        **settings,
        cooldown=max(chosen.steps - chosen.warmup, chosen.steps // 2),
        adversarial_from=round((1.0 - share) * chosen.steps),
        target="recording",
        loss_weights=theirs.vocoder_training.loss_weights | {"weights/l1": 0.0},
    )
    config = dataclasses.replace(
        theirs,
        augmentation=AugmentationConfig(),
        vocoder_training=training,
        fine_tuning=chosen,
        engine=config.engine,
    )
    sources = vocoder.Sources(start=start, mels=mels)
    vocoder.train(corpus, out, sources, config, force, keep_best=True)
