"""Whole mels in windows: equal to one pass, whatever lies beyond their edges."""

from pathlib import Path

import numpy as np
import pytest
from small_vocoders import HOP, RATE, mel_of, one_pass, set_window

from basis_melgan.errors import MelError
from basis_melgan.inference.vocoder import Vocoder


@pytest.mark.parametrize("frames", [1, 2, 3, 39, 40, 41, 44, 49, 50, 80, 81, 130])
def test_windows_equal_one_pass_over_the_whole(frames: int, model: Path, speaker: Vocoder, monkeypatch) -> None:
    set_window(40, monkeypatch)
    mel = mel_of(frames)
    expected = one_pass(model, mel)
    assert 0.01 < expected.std() < 0.3
    found = speaker(mel)
    assert found.dtype == np.float32
    assert found.shape == (frames * HOP,)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_silence_is_silence_at_the_edges_of_windows_too(speaker: Vocoder, monkeypatch) -> None:
    set_window(16, monkeypatch)
    assert np.abs(speaker(np.zeros((80, 70), np.float32))).max() < 1e-5


def test_pieces_can_end_before_the_mel_does(speaker: Vocoder, monkeypatch) -> None:
    set_window(40, monkeypatch)
    mel = mel_of(121)
    spoken = speaker(mel)
    for samples in (0, 1, 40 * HOP, 81 * HOP - 7, 121 * HOP):
        np.testing.assert_array_equal(np.concatenate(list(speaker.pieces(mel, samples))), spoken[:samples])


def test_waves_that_cannot_be_spoken_again_are_refused(speaker: Vocoder) -> None:
    for wave, rate, message in (
        (np.zeros((100, 2), np.float32), RATE, r"wave of shape \(100, 2\) and type float32: expected one channel"),
        (np.zeros(100, np.int16), RATE, "type int16: expected one channel"),
        (np.zeros(100, np.float32), 0, "rate: 0 Hz"),
    ):
        with pytest.raises(MelError, match=message):
            speaker.resynthesize(wave, rate)
