"""Vocoder: batches, lists, and validation of mels."""

import numpy as np
import pytest
from small_vocoders import HOP, mel_of

from basis_melgan.errors import MelError
from basis_melgan.inference import mel_adapter
from basis_melgan.inference.mel_checks import Mel, require_shape
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

    def record_shape(mel: Mel, config: str) -> None:
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
