"""Vocoder: batches, windows, validation and resynthesis."""

from pathlib import Path

import numpy as np
import pytest
from small_vocoders import HOP, RATE, mel_of, one_pass, set_window

from basis_melgan.errors import MelError
from basis_melgan.inference import mel_adapter
from basis_melgan.inference.mel_checks import AnyMel, require_shape
from basis_melgan.inference.vocoder import Vocoder


def test_batches_and_lists_equal_single_mels(vocoder: Vocoder) -> None:
    mels = [mel_of(9), mel_of(9)[:, ::-1], mel_of(4)]
    waves = vocoder(mels)
    assert [wave.shape for wave in waves] == [(9 * HOP,), (9 * HOP,), (4 * HOP,)]
    for mel, wave in zip(mels, waves, strict=True):
        np.testing.assert_array_equal(vocoder(mel), wave)
    np.testing.assert_allclose(vocoder(np.stack(mels[:2])), np.stack(waves[:2]), atol=1e-5)


def test_mel_is_validated_once_and_not_modified(vocoder: Vocoder, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []

    def record_shape(mel: AnyMel, config: str) -> None:
        shapes.append(mel.shape)
        require_shape(mel, config)

    monkeypatch.setattr(mel_adapter, "require_shape", record_shape)
    mel = 1.2 * mel_of(1_200) - 0.1  # three windows long, and slightly beyond the range
    original = mel.copy()
    waves = [vocoder(mel), np.concatenate(list(vocoder.synthesize_chunks(mel)))]
    assert shapes == [mel.shape] * 2
    np.testing.assert_array_equal(*waves)
    np.testing.assert_array_equal(mel, original)


def test_chunks_of_a_batch_are_refused(vocoder: Vocoder) -> None:
    with pytest.raises(MelError, match=r"mel of shape \(2, 80, 5\): holds 2 mels; save each to a file of its own"):
        vocoder.synthesize_chunks(np.stack([mel_of(5)] * 2))


@pytest.mark.parametrize("frames", [1, 2, 3, 39, 40, 41, 44, 49, 50, 80, 81, 130])
def test_windows_equal_one_pass(frames: int, model: Path, vocoder: Vocoder, monkeypatch: pytest.MonkeyPatch) -> None:
    set_window(40, monkeypatch)
    mel = mel_of(frames)
    expected = one_pass(model, mel)
    assert 0.01 < expected.std() < 0.3
    wave = vocoder(mel)
    assert wave.dtype == np.float32
    assert wave.shape == (frames * HOP,)
    np.testing.assert_allclose(wave, expected, atol=1e-5)


def test_silence_is_silent_at_window_edges(vocoder: Vocoder, monkeypatch: pytest.MonkeyPatch) -> None:
    set_window(16, monkeypatch)
    assert np.abs(vocoder(np.zeros((80, 70), np.float32))).max() < 1e-5


def test_wave_of_another_type_or_rate_is_refused(vocoder: Vocoder) -> None:
    for wave, rate, message in (
        (np.zeros((100, 2), np.float32), RATE, r"wave of shape \(100, 2\) and type float32: expected one channel"),
        (np.zeros(100, np.int16), RATE, "type int16: expected one channel"),
        (np.zeros(100, np.float32), 0, "rate: 0 Hz"),
    ):
        with pytest.raises(MelError, match=message):
            vocoder.resynthesize(wave, rate)
