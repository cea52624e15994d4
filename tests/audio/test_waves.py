"""Waves of every floating point type are the same sound, and integers are refused."""

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch

from basis_melgan.audio import files
from basis_melgan.errors import AudioError

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))


@pytest.fixture(scope="module")
def speech() -> files.Wave:
    return files.read(CLIPS[0], 12_000, 12_000)[0]


@pytest.mark.parametrize("kind", ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", ml_dtypes.bfloat16])
def test_a_wave_of_any_type_is_resampled_rounded_and_written(kind: object, speech: files.Wave, tmp_path: Path) -> None:
    wave = speech.astype(kind)
    single = wave.astype(np.float32)
    for to in (16_000, 24_000):
        expected = files.resample(single, 24_000, to)
        assert files.resample(wave, 24_000, to).dtype in (np.float32, np.float64)
        np.testing.assert_allclose(files.resample(wave, 24_000, to), expected, atol=1e-6)
    np.testing.assert_array_equal(files.quantize_pcm16(wave), files.quantize_pcm16(single))
    np.testing.assert_array_equal(files.to_pcm16(wave), files.to_pcm16(single))
    files.write(tmp_path / "wave.wav", wave, 24_000)
    np.testing.assert_array_equal(files.read(tmp_path / "wave.wav")[0], files.quantize_pcm16(single))
    assert files.encode_mp3(wave, 24_000) == files.encode_mp3(single if wave.dtype != np.float64 else wave, 24_000)


def test_tensors_are_waves_where_numpy_knows_their_type(speech: files.Wave) -> None:
    np.testing.assert_array_equal(files.to_pcm16(torch.from_numpy(speech)), files.to_pcm16(speech))
    with pytest.raises(AudioError, match=r"wave: no array of floats \(.*BFloat16.*\); convert it to float32 first"):
        files.resample(torch.from_numpy(speech).bfloat16(), 24_000, 16_000)


@pytest.mark.parametrize("kind", [np.int16, np.int32, np.uint8, bool, complex, object])
def test_waves_of_integers_are_refused(kind: type, tmp_path: Path) -> None:
    wave = np.ones(100, kind)
    for use in (
        lambda: files.resample(wave, 24_000, 16_000),
        lambda: files.to_pcm16(wave),
        lambda: files.encode_mp3(wave, 24_000),
    ):
        with pytest.raises(AudioError, match=r"wave of type \w+: expected floats, full scale ±1"):
            use()
    with pytest.raises(AudioError, match="expected floats"):
        files.write(tmp_path / "wave.wav", wave, 24_000)
    assert list(tmp_path.iterdir()) == []
