"""Shared fixtures: a small configuration, a corpus of the example clips, and a separator trained on it.

The summary gives the reasons of skipped tests; with `--skips fail` they fail the run.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.config.loading import from_dict
from basis_melgan.config.schema import Config
from basis_melgan.corpus.prepare import prepare

CLIPS = Path(__file__).parents[1] / "examples" / "clips"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--skips",
        choices=("report", "fail"),
        default="report",
        help="whether skipped tests are reported only, or fail the run",
    )


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if a test was skipped and `--skips fail` is set."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and reporter.stats.get("skipped") and session.config.getoption("skips") == "fail":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def config() -> Config:
    """Settings with which a training step takes milliseconds; frames and mel are those of the paper."""
    return from_dict(
        {
            "corpus": {"test_clips": 2, "validation_clips": 2},
            "mixture": {"noise_sigma": None, "level": [-30, -20]},
            "separator": {"atoms": 32, "channels": 16, "hidden": 24, "blocks": 2, "repeats": 1},
            "separator_training": {
                "steps": 6,
                "batch_size": 2,
                "crop_samples": 2_400,
                "warmup_steps": 3,
                "validate_every": 6,
            },
            "generator": {"channels": 32, "stacks": 1},
            "discriminators": {
                "scales": 2,
                "channels": 4,
                "stft_channels": 4,
                "resolutions": [[256, 60, 240], [128, 30, 120]],
            },
            "stft_loss": {"resolutions": [[256, 60, 240], [128, 30, 120]]},
            "vocoder_training": {
                "steps": 6,
                "adversarial_from": 4,
                "batch_size": 2,
                "crop_frames": 10,
                "learning_rate": 1e-3,
                "validate_every": 6,
            },
            "trainer": {"accelerator": "cpu", "precision": "fp32", "workers": 0},
        }
    )


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory, config: Config) -> Path:
    """The prepared example clips: 10 for training, 2 for validation, 2 for testing."""
    folder = tmp_path_factory.mktemp("corpus")
    prepare("folder", folder, CLIPS, config, jobs=1)
    return folder


@pytest.fixture(scope="session")
def separator(tmp_path_factory: pytest.TempPathFactory, config: Config, corpus: Path) -> Path:
    """A separator after 60 steps, with estimates that resemble speech."""
    from basis_melgan.training.separator import train  # imported here, so that tests without PyTorch can use this file

    training = replace(config.separator_training, steps=60, warmup_steps=60, validate_every=60)
    folder = tmp_path_factory.mktemp("separator")
    train(corpus, folder, replace(config, separator_training=training))
    return folder / "separator.safetensors"


@pytest.fixture(scope="session")
def speech() -> files.Wave:
    """Two seconds of real speech at 24 kHz."""
    return files.read(sorted(CLIPS.glob("*.flac"))[0], 12_000, 48_000)[0]


@pytest.fixture(scope="session")
def noise() -> files.Wave:
    """Two seconds of white noise at 24 kHz."""
    return np.random.default_rng(0).normal(scale=0.05, size=48_000).astype(np.float32)
