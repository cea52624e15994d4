"""Synthesis of long mels in windows equals one pass, including the edges of the windows."""

from pathlib import Path

import numpy as np
import pytest
from small_vocoders import HOP, RATE, mel_of, one_pass, set_window

from basis_melgan.errors import MelError
from basis_melgan.inference.vocoder import Vocoder


@pytest.mark.parametrize("frames", [1, 2, 3, 39, 40, 41, 44, 49, 50, 80, 81, 130])
def test_windows_equal_one_pass(frames: int, model: Path, vocoder: Vocoder, monkeypatch) -> None:
    set_window(40, monkeypatch)
    mel = mel_of(frames)
    expected = one_pass(model, mel)
    assert 0.01 < expected.std() < 0.3
    wave = vocoder(mel)
    assert wave.dtype == np.float32
    assert wave.shape == (frames * HOP,)
    np.testing.assert_allclose(wave, expected, atol=1e-5)


def test_silence_is_silent_at_window_edges(vocoder: Vocoder, monkeypatch) -> None:
    set_window(16, monkeypatch)
    assert np.abs(vocoder(np.zeros((80, 70), np.float32))).max() < 1e-5


def test_concatenated_chunks_equal_whole(vocoder: Vocoder, monkeypatch) -> None:
    set_window(40, monkeypatch)
    mel = mel_of(121)
    np.testing.assert_array_equal(np.concatenate(list(vocoder.synthesize_chunks(mel))), vocoder(mel))


def test_wave_of_another_type_or_rate_is_refused(vocoder: Vocoder) -> None:
    for wave, sample_rate, message in (
        (np.zeros((100, 2), np.float32), RATE, r"wave of shape \(100, 2\) and type float32: expected one channel"),
        (np.zeros(100, np.int16), RATE, "type int16: expected one channel"),
        (np.zeros(100, np.float32), 0, "rate: 0 Hz"),
    ):
        with pytest.raises(MelError, match=message):
            vocoder.resynthesize(wave, sample_rate)
