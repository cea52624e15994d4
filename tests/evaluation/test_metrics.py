"""Metrics against closed forms and independent oracles."""

from pathlib import Path

import auraloss
import numpy as np
import pytest
import torch

from basis_melgan.audio import files
from basis_melgan.errors import AudioError
from basis_melgan.evaluation import metrics

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
RATE = 24_000


@pytest.fixture(scope="module")
def speech() -> files.Wave:
    return files.read(CLIPS[0], 12_000, 48_000)[0]


@pytest.fixture(scope="module")
def noise() -> files.Wave:
    return np.random.default_rng(0).normal(scale=0.05, size=48_000).astype(np.float32)


@pytest.mark.parametrize("gain", [0.1, 1.0, -3.0])
def test_si_snr_is_the_energy_of_the_scaled_reference_over_that_of_orthogonal_noise(gain):
    time = np.arange(4_800) / 4_800
    clean, other = np.sin(2 * np.pi * 50 * time), 0.25 * np.sin(2 * np.pi * 70 * time)
    estimate = gain * (clean + other) + 0.3
    assert metrics.si_snr(clean + 0.7, estimate) == pytest.approx(20 * np.log10(4.0), abs=1e-9)


def test_si_snr_of_a_perfect_estimate_is_infinite():
    clean = np.array([1, -1, 1, -1], dtype=np.float32)
    assert metrics.si_snr(clean, 0.5 * clean) == np.inf


def test_a_wave_scores_best_against_itself(speech):
    scores = {metric.name: metric.score(speech, speech, RATE) for metric in metrics.METRICS}
    assert scores == pytest.approx({"PESQ-WB": 4.644, "ESTOI": 1.0, "MCD": 0.0, "MR-STFT": 0.0}, abs=1e-3)


@pytest.mark.parametrize("metric", metrics.METRICS, ids=lambda metric: metric.name)
def test_more_noise_scores_worse_and_the_same_every_time(metric, speech, noise):
    little, much = speech + 0.1 * noise, speech + noise
    better = metric.score(speech, little, RATE) - metric.score(speech, much, RATE)
    assert (better > 0) == metric.higher_is_better
    assert metric.score(speech, much, RATE) == pytest.approx(metric.score(speech, much, RATE), abs=1e-9)


@pytest.mark.parametrize("metric", metrics.METRICS, ids=lambda metric: metric.name)
def test_waves_that_cannot_be_scored_raise_one_line(metric, speech):
    for broken, message in (
        (speech[:-1], r"shapes: \(47999,\) against \(48000,\)"),
        (np.zeros_like(speech), "estimate: silent"),
        (np.where(np.arange(speech.size) == 9, np.nan, speech), "estimate: holds NaN or Inf"),
    ):
        with pytest.raises(AudioError, match=message) as caught:
            metric.score(speech, broken.astype(np.float32), RATE)
        assert "\n" not in str(caught.value)
    with pytest.raises(AudioError, match="recording: silent"):
        metric.score(np.zeros_like(speech), speech, RATE)


def test_pesq_and_estoi_and_stft_need_some_speech(speech):
    short = speech[12_000:16_000]
    with pytest.raises(AudioError, match=r"PESQ-WB: .*quarter of a second of speech"):
        metrics.pesq_wb(short, short, RATE)
    with pytest.raises(AudioError, match=r"ESTOI: less than 0\.4 s"):
        metrics.estoi(short, short, RATE)
    with pytest.raises(AudioError, match="1024 samples; more than 1024"):
        metrics.stft_distance(short[:1024], short[:1024], RATE)


@pytest.mark.parametrize(("samples", "message"), [(1_200, "No utterances detected"), (1, "NaN")])
def test_pesq_of_what_it_takes_for_no_speech_is_an_error_of_ours(samples, message, noise):
    burst = np.zeros(7_500, dtype=np.float32)
    burst[-samples:] = noise[:samples]
    with pytest.raises(AudioError, match=f"PESQ-WB: .*{message}.*; use a clip"):
        metrics.pesq_wb(burst, burst, 16_000)


def test_the_stft_distance_is_auraloss_s(speech, noise):
    sizes = zip(*metrics.RESOLUTIONS, strict=True)
    oracle = auraloss.freq.MultiResolutionSTFTLoss(*[list(size) for size in sizes])
    estimate = 0.7 * speech + 0.2 * noise
    expected = oracle(*(torch.from_numpy(wave).double()[None, None] for wave in (estimate, speech)))
    assert metrics.stft_distance(speech, estimate, RATE) == pytest.approx(float(expected), rel=1e-6)


@pytest.mark.parametrize(("rate", "alpha"), [(8_000, 0.312), (16_000, 0.41), (24_000, 0.466), (48_000, 0.554)])
def test_the_warping_is_the_one_pysptk_tabulates(rate, alpha):
    assert metrics.warping(rate) == pytest.approx(alpha, abs=1e-9)


def test_the_mel_cepstrum_of_a_warped_cosine_is_one_coefficient():
    alpha, omega = metrics.warping(RATE), np.linspace(0, np.pi, 1025)
    # The phase of the all-pass filter, as such.
    z = np.exp(-1j * omega)
    warped = -np.unwrap(np.angle((z - alpha) / (1 - alpha * z)))
    expected = np.zeros((1, 25))
    expected[0, [0, 3, 24]] = 0.5, 1.0, -0.25
    logarithm = 0.5 + np.cos(3 * warped) - 0.25 * np.cos(24 * warped)
    np.testing.assert_allclose(metrics.mel_cepstrum(np.exp(2 * logarithm)[None], RATE), expected, atol=1e-9)


def frequency_transform(cepstrum: list[float], order: int, alpha: float) -> np.ndarray:
    """Oppenheim and Johnson's recursion: cepstrum on the linear scale to cepstrum on the warped one."""
    warped = np.zeros(order + 1)
    for coefficient in reversed(cepstrum):
        before = warped.copy()
        warped[0] = coefficient + alpha * before[0]
        warped[1] = (1 - alpha**2) * before[0] + alpha * before[1]
        for m in range(2, order + 1):
            warped[m] = before[m - 1] + alpha * (before[m] - warped[m - 1])
    return warped


def test_the_mcd_of_a_filtered_wave_is_that_of_the_filter(noise):
    # ln(1 + 0.5 z⁻¹) has the cepstrum −(−0.5)^n / n.
    cepstrum = [0.0, *(-((-0.5) ** n) / n for n in range(1, 60))]
    differences = frequency_transform(cepstrum, 24, metrics.warping(RATE))[1:]
    expected = 10 / np.log(10) * np.sqrt(2 * np.sum(differences**2))
    filtered = noise.copy()
    filtered[1:] += 0.5 * noise[:-1]
    assert metrics.mel_cepstral_distortion(noise, filtered, RATE) == pytest.approx(expected, rel=0.05)


def test_the_mcd_leaves_level_out(speech):
    assert metrics.mel_cepstral_distortion(speech, 0.25 * speech, RATE) == pytest.approx(0.0, abs=1e-3)


def test_an_empty_band_does_not_decide_the_mcd(speech):
    rounded = np.round(speech * 2**15 + 0.3).astype(np.float32) / 2**15
    assert metrics.mel_cepstral_distortion(speech, rounded, RATE) < 0.1


def test_waves_are_cut_to_their_common_length_within_the_slack(speech):
    reference, estimate = metrics.common(speech, np.pad(speech, (0, 240)), 240)
    np.testing.assert_array_equal(reference, speech)
    np.testing.assert_array_equal(estimate, speech)
    assert [len(wave) for wave in metrics.common(speech, speech[:-240], 240)] == [47_760, 47_760]
    with pytest.raises(AudioError, match="47759 samples against 48000 recorded, more than 240 apart"):
        metrics.common(speech, speech[:-241], 240)


def test_the_interval_of_many_scores_is_the_normal_one():
    scores = np.random.default_rng(1).normal(3.0, 0.5, size=400)
    mean, interval, clips = metrics.estimated(list(scores))
    half = 1.96 * scores.std() / 20
    assert (mean, clips) == (pytest.approx(scores.mean()), 400)
    assert interval == pytest.approx((mean - half, mean + half), abs=0.1 * half)
    assert metrics.estimated(list(scores)) == (mean, interval, clips)


def test_one_score_has_no_interval_and_equal_scores_an_empty_one():
    assert metrics.estimated([2.5]) == (2.5, None, 1)
    assert metrics.estimated([2.5, 2.5, 2.5]) == (2.5, (2.5, 2.5), 3)
