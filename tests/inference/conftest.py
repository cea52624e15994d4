"""A small MelGAN vocoder."""

from pathlib import Path

import pytest
from small_vocoders import save_vocoder

from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.vocoder import Vocoder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_vocoder(tmp_path_factory.mktemp("model") / "vocoder.safetensors")


@pytest.fixture(scope="module")
def vocoder(model: Path) -> Vocoder:
    return load_vocoder(model)
