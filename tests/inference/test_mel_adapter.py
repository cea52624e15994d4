"""Mels of another scale are spoken as the vocoder's own; those of other filters are refused."""

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
    ("unit", "make"),
    [
        ("ln", np.log),
        ("log10", np.log10),
        ("db", lambda magnitude: 20 * np.log10(magnitude)),
        ("log10,4,-1", lambda magnitude: (np.log10(magnitude) + 1) / 4),
    ],
)
def test_a_mel_of_another_unit_becomes_the_own_one(name: MelConfigName, unit: str, make: object) -> None:
    own = mel_of(name)
    other = make(mel_to_magnitude(own, name))  # type: ignore[operator]
    scale = MelAdapter(name, f"{name}:{unit}")
    np.testing.assert_allclose(scale.own(other), own, atol=1e-4)
    np.testing.assert_allclose(scale.theirs(own), other, atol=1e-3)


@pytest.mark.parametrize(
    ("said", "worth"), [("vocos", 1.0), ("vocos:log10", np.log(10.0)), ("vocos:db", np.log(10.0) / 20.0)]
)
def test_values_beyond_the_conventions_range_are_brought_into_it(said: str, worth: float) -> None:
    mel = np.linspace(-20.0, 12.0, 8_000, dtype=np.float32).reshape(100, 80)
    own = MelAdapter("vocos", said).own(mel / np.float32(worth))
    least = np.log(mel_config("vocos").minimum)
    np.testing.assert_allclose(own, np.clip(mel, least, 10.0), atol=1e-5)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("bigvgan", "scale slaney for htk"),
        ("hifigan:log10", "bands 80 for 100"),
        ("mine", "no convention 'mine'; use one of paper, hifigan"),
        ("vocos:log2", "unknown unit 'log2'; did you mean log10?"),
        ("vocos:log10,2", "cannot be read; use NAME"),
        ("vocos:log10,2,x", "cannot be read; use NAME"),
        ("vocos:ln,0,1", "no factor and offset"),
        ("vocos:ln,nan,1", "no factor and offset"),
        ("vocos:", "unknown unit ''; use NAME"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_the_reason(said: str, reason: str) -> None:
    with pytest.raises(MelError, match=reason):
        MelAdapter("vocos", said)


def test_a_mel_that_is_not_what_it_is_said_to_be_is_refused() -> None:
    decibels = 20 * np.log10(mel_to_magnitude(mel_of("vocos"), "vocos"))
    values = f"values from {decibels.min():.4g} to {decibels.max():.4g}, said to be vocos:log10, would be"
    scale = MelAdapter("vocos", "vocos:log10")
    for requirement in (scale.own, scale.require_whole):
        with pytest.raises(MelError, match=rf"{re.escape(values)} .* decibels \(mel convention vocos:db\)"):
            requirement(decibels)
    decibels[3, 40] = np.nan
    with pytest.raises(MelError, match="frame 40 holds NaN"):
        scale.own(decibels)


def test_statistics_of_another_scale_are_refused_with_the_values_that_were_given() -> None:
    mel = mel_of("vocos")
    scale = MelAdapter("vocos", "vocos:ln,0.4343,0")  # as if the logarithms of the mel were to the base of ten
    assert scale.own(mel).shape == mel.shape
    with pytest.raises(MelError, match=rf"values from {mel.min():.4g} to .*, said to be vocos:ln,0\.4343,0"):
        scale.require_whole(mel)


def test_a_vocoder_speaks_and_makes_mels_of_the_scale_that_it_is_told() -> None:
    wave, rate = files.read(CLIP)
    own, decimal = Vocoder.load(), Vocoder.load(mel_config="vocos:log10")
    mel = decimal.mel(wave, rate)
    np.testing.assert_allclose(mel * np.log(10.0), own.mel(wave, rate), atol=1e-4)
    spoken, expected = decimal(mel), own(own.mel(wave, rate))
    difference = np.abs(spoken - expected)  # in 8 bits a rounding error falls to either side of a step
    assert np.median(difference) < 1e-4
    assert difference.max() < 0.1 * np.abs(expected).max()
    with pytest.raises(MelError, match=r"looks like log10 of magnitudes \(mel convention vocos:log10\)"):
        own(mel)
