"""Metrics against closed forms and independent oracles."""

import auraloss
import numpy as np
import pystoi
import pytest
import torch

from basis_melgan.errors import AudioError
from basis_melgan.metrics import signal

RATE = 24_000


@pytest.mark.parametrize("gain", [0.1, 1.0, -3.0])
def test_si_snr_is_the_energy_of_the_scaled_reference_over_that_of_orthogonal_noise(gain):
    time = np.arange(4_800) / 4_800
    clean, noise = np.sin(2 * np.pi * 50 * time), 0.25 * np.sin(2 * np.pi * 70 * time)
    estimate = gain * (clean + noise) + 0.3
    assert signal.si_snr(clean + 0.7, estimate) == pytest.approx(20 * np.log10(4.0), abs=1e-9)


def test_si_snr_of_a_perfect_estimate_is_infinite():
    clean = np.array([1, -1, 1, -1], dtype=np.float32)
    assert signal.si_snr(clean, 0.5 * clean) == np.inf


def test_pesq_and_estoi_and_stft_need_some_speech(speech):
    short = speech[12_000:16_000]
    with pytest.raises(AudioError, match=r"PESQ-WB: .*quarter of a second of speech"):
        signal.pesq_wb(short, short, RATE)
    with pytest.raises(AudioError, match=r"ESTOI: less than 0\.4 s"):
        signal.estoi(short, short, RATE)
    with pytest.raises(AudioError, match="1024 samples; more than 1024"):
        signal.stft_distance(short[:1024], short[:1024], RATE)


@pytest.mark.parametrize(("samples", "message"), [(1_200, "No utterances detected"), (1, "NaN")])
def test_pesq_errors_are_audio_errors(samples, message, noise):
    burst = np.zeros(7_500, dtype=np.float32)
    burst[-samples:] = noise[:samples]
    with pytest.raises(AudioError, match=f"PESQ-WB: .*{message}.*; use a clip"):
        signal.pesq_wb(burst, burst, 16_000)


def test_the_stft_distance_equals_auraloss(speech, noise):
    sizes = zip(*signal.RESOLUTIONS, strict=True)
    oracle = auraloss.freq.MultiResolutionSTFTLoss(*[list(size) for size in sizes])
    estimate = 0.7 * speech + 0.2 * noise
    expected = oracle(*(torch.from_numpy(wave).double()[None, None] for wave in (estimate, speech)))
    assert signal.stft_distance(speech, estimate, RATE) == pytest.approx(float(expected), rel=1e-6)


def test_waves_are_trimmed_to_their_common_length_within_the_slack(speech):
    reference, estimate = signal.trim_to_common_length(speech, np.pad(speech, (0, 240)), 240)
    np.testing.assert_array_equal(reference, speech)
    np.testing.assert_array_equal(estimate, speech)
    assert [len(wave) for wave in signal.trim_to_common_length(speech, speech[:-240], 240)] == [47_760, 47_760]
    with pytest.raises(AudioError, match="47759 samples against 48000 recorded, more than 240 apart"):
        signal.trim_to_common_length(speech, speech[:-241], 240)


def test_mel_l1_of_a_quieter_wave_is_the_logarithm_of_the_gain(noise):
    # Every band of the noise lies far over the floor of 1e-5.
    assert signal.mel_l1(noise, 0.5 * noise, RATE) == pytest.approx(np.log(2.0), abs=1e-3)


def test_stoi_and_estoi_equal_pystoi(speech, noise):
    for extended, metric in ((False, signal.stoi), (True, signal.estoi)):
        expected = pystoi.stoi(speech, speech + noise, RATE, extended=extended)
        assert metric(speech, speech + noise, RATE) == pytest.approx(expected, abs=1e-9)
