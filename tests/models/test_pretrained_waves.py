"""Golden waves of every pretrained vocoder."""

from pathlib import Path

import numpy as np
import pytest

from basis_melgan.inference.loading import load_vocoder
from basis_melgan.inference.pretrained import pretrained_path

# int16 waves by file name, and the mels that they were synthesized from, by mel config.
WAVES = Path(__file__).with_name("pretrained_waves.npz")
FILES = (
    "paper-24k.safetensors",
    "speech-24k.onnx",
    "speech-24k.safetensors",
    "speech-24k-live.onnx",
    "speech-24k-live.safetensors",
    "speech-24k-small.onnx",
    "speech-24k-small.safetensors",
)


def test_every_pretrained_vocoder_is_covered() -> None:
    folder = pretrained_path("speech-24k", ".onnx").parent
    models = {path.name for path in folder.iterdir() if path.suffix in (".onnx", ".safetensors")}
    assert {name for name in models if "discriminators" not in name and "separator" not in name} == set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_pretrained_vocoder_synthesizes_its_golden_wave(name: str) -> None:
    """Processors round differently: float32 models by 2e-5 of full scale, int8 models by quantization steps."""
    stem, suffix = name.rsplit(".", 1)
    vocoder = load_vocoder(pretrained_path(stem, f".{suffix}"))
    with np.load(WAVES) as waves:
        expected, mel = waves[name].astype(np.int64), waves[f"mel-{vocoder.info.mel_config}"]
    wave = np.round(np.clip(vocoder(mel), -1.0, 1.0) * 32_767).astype(np.int64)
    assert wave.shape == expected.shape
    assert np.abs(expected).max() > 1_000
    error = wave - expected
    if suffix == "safetensors":
        assert np.abs(error).max() <= 2
        assert np.mean(error == 0) > 0.5
    snr = 10.0 * np.log10(np.square(expected).sum() / max(np.square(error).sum(), 1))
    assert snr > (60.0 if suffix == "safetensors" else 30.0)
