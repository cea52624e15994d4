"""Conversion of mels between scales, and refusal of other filterbanks."""

import re
from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_config, mel_spectrogram, mel_to_magnitude
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import MelConfigName
from basis_melgan.errors import MelError
from basis_melgan.inference.mel_adapter import MelAdapter
from basis_melgan.inference.vocoder import Vocoder

CLIP = Path(__file__).parents[2] / "examples" / "clips" / "ru_0683.flac"


def mel_of(name: MelConfigName) -> np.ndarray:
    return mel_spectrogram(files.read(CLIP)[0], name, FrameGeometry(hop=256, stride=256, basis_length=1024))


@pytest.mark.parametrize("name", ["vocos", "bigvgan", "hifigan", "paper"])
@pytest.mark.parametrize(
    ("unit", "convert"),
    [
        ("ln", np.log),
        ("log10", np.log10),
        ("db", lambda magnitude: 20 * np.log10(magnitude)),
        ("log10,4,-1", lambda magnitude: (np.log10(magnitude) + 1) / 4),
    ],
)
def test_mel_of_another_unit_is_converted(name: MelConfigName, unit: str, convert: object) -> None:
    mel = mel_of(name)
    user_mel = convert(mel_to_magnitude(mel, name))  # type: ignore[operator]
    adapter = MelAdapter(name, f"{name}:{unit}")
    adapter.require_values(user_mel)
    np.testing.assert_allclose(adapter.to_model(user_mel), mel, atol=1e-4)
    np.testing.assert_allclose(adapter.from_model(mel), user_mel, atol=1e-3)


@pytest.mark.parametrize(
    ("config", "unit"), [("vocos", 1.0), ("vocos:log10", np.log(10.0)), ("vocos:db", np.log(10.0) / 20.0)]
)
def test_values_beyond_the_range_are_clipped(config: str, unit: float) -> None:
    mel = np.linspace(-20.0, 12.0, 8_000, dtype=np.float32).reshape(100, 80)
    adapter, user_mel = MelAdapter("vocos", config), mel / np.float32(unit)
    adapter.require_values(user_mel)
    lowest = np.log(mel_config("vocos").minimum)
    np.testing.assert_allclose(adapter.to_model(user_mel), np.clip(mel, lowest, 10.0), atol=1e-5)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("bigvgan", "scale slaney for htk"),
        ("hifigan:log10", "bands 80 for 100"),
        ("mine", "unknown mel config 'mine'; use one of paper, hifigan"),
        ("vocos:log2", "unknown unit 'log2'; did you mean log10?"),
        ("vocos:log10,2", "cannot be read; use NAME"),
        ("vocos:log10,2,x", "cannot be read; use NAME"),
        ("vocos:ln,0,1", "no factor and offset"),
        ("vocos:ln,nan,1", "no factor and offset"),
        ("vocos:", "unknown unit ''; use NAME"),
    ],
)
def test_unsupported_conversion_is_refused(config: str, reason: str) -> None:
    with pytest.raises(MelError, match=reason):
        MelAdapter("vocos", config)


def test_mel_of_another_scale_than_stated_is_refused() -> None:
    decibels = 20 * np.log10(mel_to_magnitude(mel_of("vocos"), "vocos"))
    values = f"values from {decibels.min():.4g} to {decibels.max():.4g}, given as vocos:log10, would be"
    adapter = MelAdapter("vocos", "vocos:log10")
    for requirement in (adapter.require_values, adapter.validate):
        with pytest.raises(MelError, match=rf"{re.escape(values)} .* decibels \(mel config vocos:db\)"):
            requirement(decibels)
    decibels[3, 40] = np.nan
    with pytest.raises(MelError, match="frame 40 holds NaN"):
        adapter.require_values(decibels)


def test_statistics_of_another_scale_are_refused_with_the_input_values() -> None:
    mel = mel_of("vocos")
    adapter = MelAdapter("vocos", "vocos:ln,0.4343,0")  # the factor of decimal logarithms
    adapter.require_values(mel)
    with pytest.raises(MelError, match=rf"values from {mel.min():.4g} to .*, given as vocos:ln,0\.4343,0"):
        adapter.validate(mel)


def test_vocoder_converts_input_and_output_mels() -> None:
    wave, rate = files.read(CLIP)
    vocoder, decimal_vocoder = Vocoder.load(), Vocoder.load(mel_config="vocos:log10")
    decimal_mel, mel = decimal_vocoder.mel(wave, rate), vocoder.mel(wave, rate)
    np.testing.assert_allclose(decimal_mel * np.log(10.0), mel, atol=1e-4)
    expected = vocoder(mel)
    # Rounding errors can change int8 values by a step.
    difference = np.abs(decimal_vocoder(decimal_mel) - expected)
    assert np.median(difference) < 1e-4
    assert difference.max() < 0.1 * np.abs(expected).max()
    with pytest.raises(MelError, match=r"looks like log10 of magnitudes \(mel config vocos:log10\)"):
        vocoder(decimal_mel)
