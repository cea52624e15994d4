"""A small vocoder of the paper's kind."""

from pathlib import Path

import pytest
from small_vocoders import released

from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.vocoder import Vocoder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return released(tmp_path_factory.mktemp("model") / "vocoder.safetensors")


@pytest.fixture(scope="module")
def speaker(model: Path) -> Vocoder:
    return load_vocoder(model)
