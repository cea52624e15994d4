"""What tests of several metrics judge: two seconds of real speech at 24 kHz, and white noise of that length."""

from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))


@pytest.fixture(scope="session")
def speech() -> files.Wave:
    return files.read(CLIPS[0], 12_000, 48_000)[0]


@pytest.fixture(scope="session")
def noise() -> files.Wave:
    return np.random.default_rng(0).normal(scale=0.05, size=48_000).astype(np.float32)
