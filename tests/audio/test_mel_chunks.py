"""Mels of chunks of any size concatenate to the mel of the wave."""

from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files, mel_chunks
from basis_melgan.audio.mel import MEL_CONFIGS, mel_spectrogram
from basis_melgan.config.frames import FrameGeometry

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))


@pytest.mark.parametrize("name", MEL_CONFIGS)
@pytest.mark.parametrize("samples", [1, 239, 5_000, 100_000, 100_001])
def test_chunks_concatenate_to_the_mel_of_the_wave(name: str, samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mel_chunks, "CHUNK", 7)
    frames = FrameGeometry()
    wave = np.concatenate([files.read(clip)[0] for clip in CLIPS[:2]])[:samples]
    cuts = np.sort(np.random.default_rng(samples).integers(0, samples + 1, 30))
    chunks = list(mel_chunks.mel_chunks(np.split(wave, cuts), name, frames))
    expected = mel_spectrogram(mel_chunks.pad_last_frame(wave, name, frames), name, frames)
    assert samples < 5_000 or len(chunks) > 1
    np.testing.assert_allclose(np.concatenate(chunks, axis=1), expected, atol=2e-4)
