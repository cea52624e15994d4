"""What tests of trainings stand on: a decomposition, and a way to train either stage for a few steps."""

from pathlib import Path
from typing import Any

import pytest
from short_trainings import with_settings

from basis_melgan.config import Config
from basis_melgan.corpus.decompose import decompose
from basis_melgan.training import separator as separator_stage
from basis_melgan.training import vocoder
from basis_melgan.training.vocoder import Sources


@pytest.fixture(scope="module")
def decomposition(tmp_path_factory: pytest.TempPathFactory, config: Config, corpus: Path, separator: Path) -> Path:
    folder = tmp_path_factory.mktemp("decomposition")
    decompose(separator, corpus, folder, config.engine)
    return folder


@pytest.fixture
def train(corpus: Path, separator: Path):
    """Train a stage into a folder, with some settings of its own changed."""
    clips = corpus

    def run(
        stage: str,
        out: Path,
        config: Config,
        force: bool = False,
        corpus: Path = clips,
        start: Path | None = None,
        **settings: Any,
    ) -> Path:
        config = with_settings(config, f"{stage}_training", **settings)
        if stage == "separator":
            separator_stage.train(corpus, out, config, force)
        else:
            vocoder.train(corpus, out, Sources(separator, start=start), config, force)
        return out

    return run
