"""Fixtures of training tests: a decomposition, and a function that trains either stage for a few steps."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from short_trainings import with_settings

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import ConvNeXtConfig
from basis_melgan.config.schema import Config
from basis_melgan.training import separator as separator_stage
from basis_melgan.training import trainer, vocoder
from basis_melgan.training.decompose import decompose
from basis_melgan.training.vocoder import VocoderInputs


@pytest.fixture(autouse=True)
def _log_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer, "LOG_EVERY", 1)


@pytest.fixture(scope="module")
def decomposition(tmp_path_factory: pytest.TempPathFactory, config: Config, corpus: Path, separator: Path) -> Path:
    folder = tmp_path_factory.mktemp("decomposition")
    decompose(separator, corpus, folder, config.trainer)
    return folder


@pytest.fixture
def convnext(config: Config) -> Config:
    """Settings of a small ConvNeXt generator, trained with regression losses only."""
    weights = config.vocoder_training.loss_weights | {"weights/l1": 0.0}
    config = with_settings(config, "vocoder_training", adversarial_from=1_000, loss_weights=weights)
    generator = ConvNeXtConfig(channels=48, hidden=96, blocks=2, atoms=96, spacing="mixed")
    return replace(config, generator=generator, frames=FrameGeometry(basis_length=960, stride=240))


@pytest.fixture
def train(corpus: Path, separator: Path):
    """Function that trains a stage into a run folder, with some settings of the stage changed."""
    default_corpus = corpus

    def run(
        stage: str,
        out: Path,
        config: Config,
        force: bool = False,
        corpus: Path = default_corpus,
        init_from: Path | None = None,
        **settings: Any,
    ) -> Path:
        config = with_settings(config, f"{stage}_training", **settings)
        if stage == "separator":
            separator_stage.train(corpus, out, config, force)
        else:
            vocoder.train(corpus, out, VocoderInputs(separator, init_from=init_from), config, force)
        return out

    return run
