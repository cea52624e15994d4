"""Pitch, voicing and periodicity errors on tones of known pitch."""

import sys

import numpy as np
import pytest

from basis_melgan.errors import AudioError, MissingPackageError
from basis_melgan.installation import install_command
from basis_melgan.metrics import packages, pitch

RATE = 24_000
TIME = np.arange(RATE) / RATE


def voice(f0: float) -> np.ndarray:
    """A second of ten harmonics, the higher the fainter."""
    phases = 2 * np.pi * f0 * TIME
    return sum(0.2 / n * np.sin(n * phases) for n in range(1, 11)).astype(np.float32)


@pytest.fixture(scope="module")
def crepe():
    try:
        return packages.load("torchcrepe")
    except MissingPackageError as error:
        pytest.skip(str(error))


@pytest.mark.usefixtures("crepe")
def test_a_wave_has_no_errors_against_itself():
    wave = voice(200.0)
    assert pitch.pitch_errors(wave, wave.copy(), RATE) == (0.0, 1.0, 0.0)


@pytest.mark.usefixtures("crepe")
def test_the_pitch_and_the_frames_are_those_of_the_wave():
    track = pitch.pitch_track(voice(200.0), RATE)
    # 16 000 samples mirrored by 419 at both ends hold 86 windows of 1 024, 185 apart.
    assert len(track.pitch) == len(track.periodicity) == len(track.voiced) == 86
    inner = slice(3, -3)
    np.testing.assert_allclose(1200 * np.log2(track.pitch[inner] / 200.0), 0.0, atol=20.0)
    assert track.voiced[inner].all()
    assert track.periodicity[inner].min() > 0.7


def test_the_fast_network_equals_crepe(crepe):
    import torch

    frames = torch.randn(5, 1024, generator=torch.Generator().manual_seed(0))
    frames[1] = torch.from_numpy(voice(200.0)[:1024])
    with torch.inference_mode():
        torch.testing.assert_close(pitch.crepe_activations(frames), crepe.infer(frames, "full"), atol=1e-5, rtol=0.0)


@pytest.mark.usefixtures("crepe")
def test_two_semitones_up_are_200_cents_of_error_and_half_a_wave_of_silence_half_the_recall():
    low, high = voice(200.0), voice(200.0 * 2 ** (2 / 12))
    higher = pitch.pitch_errors(low, high, RATE)
    assert higher.f0_rmse == pytest.approx(200.0, abs=20.0)
    assert higher.vuv_f1 == pytest.approx(1.0, abs=0.02)
    halved = pitch.pitch_errors(low, np.where(TIME < 0.5, low, 0.0).astype(np.float32), RATE)
    assert halved.f0_rmse < 20.0
    assert halved.vuv_f1 == pytest.approx(2 / 3, abs=0.05)
    certain = pitch.pitch_track(low, RATE).periodicity
    assert halved.periodicity_rmse == pytest.approx(np.sqrt(np.mean(certain**2) / 2), abs=0.05)
    assert pitch.pitch_errors(low, np.where(TIME < 0.5, low, 0.0).astype(np.float32), RATE) == halved


@pytest.mark.usefixtures("crepe")
def test_an_estimate_without_voice_has_no_pitch_error():
    quiet = np.random.default_rng(0).normal(scale=1e-5, size=RATE).astype(np.float32)
    errors = pitch.pitch_errors(voice(200.0), quiet, RATE)
    assert np.isnan(errors.f0_rmse)
    assert errors.vuv_f1 == 0.0
    with pytest.raises(AudioError, match="no voiced frame in the recording"):
        pitch.pitch_errors(quiet, voice(200.0), RATE)


@pytest.mark.usefixtures("crepe")
def test_a_wave_shorter_than_a_frame_raises_one_line():
    wave = voice(200.0)[:600]
    with pytest.raises(AudioError, match="400 samples at 16000 Hz; more than 419 are needed"):
        pitch.pitch_errors(wave, wave, RATE)


def test_invalid_waves_raise_one_line():
    wave = voice(200.0)
    for broken, message in (
        (wave[:-1], "shapes"),
        (0 * wave, "estimate: silent"),
        (np.full_like(wave, np.inf), "NaN or Inf"),
    ):
        with pytest.raises(AudioError, match=message):
            pitch.pitch_errors(wave, broken, RATE)


def test_a_missing_package_names_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "torchcrepe", None)
    with pytest.raises(MissingPackageError) as caught:
        pitch.pitch_errors(voice(200.0), voice(220.0), RATE)
    assert str(caught.value) == (
        f"torchcrepe is not installed; run {install_command('metrics')} && "
        "pip install --no-deps torchcrepe==0.0.24 distillmos==0.9.1 xls-r-sqa==0.1.0 resemblyzer==0.1.4 "
        "webrtcvad-wheels==2.0.14.post1"
    )
