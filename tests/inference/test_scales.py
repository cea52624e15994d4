"""What seems to be a mel of another scale is refused with what would make it one; what may be one is spoken."""

from pathlib import Path

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.config import Convention
from basis_melgan.errors import MelError
from basis_melgan.frames import Frames
from basis_melgan.inference.mels import require, require_scale

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
LOGARITHMS: list[Convention] = ["vocos", "hifigan", "bigvgan"]


def judge(mel: np.ndarray, convention: Convention) -> None:
    require(mel, convention)
    require_scale(mel, convention)


def mels(convention: Convention) -> list[np.ndarray]:
    return [mel_spectrogram(files.read(clip)[0], convention, Frames()) for clip in CLIPS]


@pytest.mark.parametrize("convention", ["paper", *LOGARITHMS])
def test_every_recording_is_taken_at_any_level(convention: Convention) -> None:
    for clip in CLIPS:
        wave = files.read(clip)[0]
        for gain in (1.0, 0.1, 0.01):
            judge(mel_spectrogram(wave * np.float32(gain), convention, Frames()), convention)


@pytest.mark.parametrize("convention", LOGARITHMS)
def test_neither_silence_nor_noise_nor_a_short_mel_is_refused(convention: Convention) -> None:
    silence = mel_spectrogram(np.zeros(48_000, np.float32), convention, Frames())
    noise = 0.1 * np.random.default_rng(0).standard_normal(48_000).astype(np.float32)
    for mel in (silence, mel_spectrogram(noise, convention, Frames()), mels(convention)[0][:, :20]):
        judge(mel, convention)


@pytest.mark.parametrize("convention", LOGARITHMS)
@pytest.mark.parametrize("ratio", [30, 20, 10, 5, 0])
def test_noisy_recordings_are_taken(convention: Convention, ratio: float) -> None:
    rng = np.random.default_rng(0)
    for clip in CLIPS:
        wave = files.read(clip)[0]
        noise = rng.standard_normal(wave.size) * wave.std() * 10 ** (-ratio / 20)
        judge(mel_spectrogram((wave + noise).astype(np.float32), convention, Frames()), convention)


@pytest.mark.parametrize("convention", LOGARITHMS)
def test_most_decimal_logarithms_are_recognised(convention: Convention) -> None:
    said = []
    for mel in mels(convention):
        try:
            judge(mel / np.float32(np.log(10)), convention)
        except MelError as error:
            said.append("looks like log10, so multiply it by 2.30259" in str(error))
    assert all(said)
    assert len(said) > 0.6 * len(CLIPS)


@pytest.mark.parametrize("convention", LOGARITHMS)
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda mel: 20 * mel / np.log(10), r"looks like decibels, so multiply it by 0\.11513"),
        (lambda mel: (mel - mel.min()) / np.ptp(mel), "looks normalised, or not logarithmic"),
        (lambda mel: 8 * (mel - mel.min()) / np.ptp(mel) - 4, "looks normalised to a symmetric range"),
        (np.exp, "looks normalised, or not logarithmic"),
        (np.transpose, r"looks like \(frames, bands\); .* so transpose it"),
    ],
)
def test_another_scale_is_recognised(convention: Convention, wrong, message: str) -> None:
    for mel in mels(convention):
        with pytest.raises(MelError, match=message):
            judge(wrong(mel), convention)


def test_logarithms_are_no_levels() -> None:
    for mel in mels("hifigan"):
        with pytest.raises(MelError, match=r"convention paper has 0 to 1; this one looks like logarithms"):
            require(mel, "paper")
