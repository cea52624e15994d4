"""Small MelGAN vocoders, their output in one forward pass, and inputs of synthesis."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from basis_melgan.audio import files
from basis_melgan.config.networks import MelGANConfig, SeparatorConfig
from basis_melgan.config.schema import Config, MelConfigName
from basis_melgan.inference import stream, synthesize, vocoder
from basis_melgan.inference.loading import load_vocoder
from basis_melgan.models import model_file
from basis_melgan.models.melgan import MelGANGenerator

CLIPS = sorted((Path(__file__).parents[1] / "examples" / "clips").glob("*.flac"))
QUANTUM = 1 / 32_768  # one step of 16-bit audio
RATE, HOP = 24_000, 240
SMALL = MelGANConfig(channels=16)


def build(config: Config) -> MelGANGenerator:
    """Build a generator with an audible output and a considerable response to silence."""
    torch.manual_seed(0)
    generator = model_file.new_generator(config).eval()
    for name, parameter in generator.network.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter, std=0.3)
        elif name.endswith("original0"):
            parameter.data.fill_(0.7)
    generator.basis.atoms.data *= 20.0
    return generator


def save_vocoder(path: Path, mel: MelConfigName = "paper", generator: MelGANConfig = SMALL) -> Path:
    config = Config(mel=mel, generator=generator, separator=SeparatorConfig(atoms=generator.channels))
    model_file.save(path, "vocoder", build(config).state_dict(), config, model_file.Origin(1, "none"))
    return path


def read_speech(samples: int = 12_000) -> files.Wave:
    return files.read(CLIPS[0], 12_000, samples)[0]


def mel_of(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).random((80, frames), dtype=np.float32)


def one_pass(model: Path, mel: np.ndarray) -> files.Wave:
    """Synthesize a mel in one forward pass."""
    generator = model_file.load_generator(model)[0]
    wave: files.Wave = generator(torch.from_numpy(np.array(mel, np.float32))[None]).wave[0].numpy()
    return wave


def vocode_file(source: Path, out: Path, model: Path | str = vocoder.DEFAULT_VOCODER, force: bool = False) -> None:
    synthesize.vocode(str(source), str(out), load_vocoder(model), force=force)


def set_window(frames: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "WINDOW", frames)
