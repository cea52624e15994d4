"""Griffin-Lim and WORLD: lengths, convergence and quality."""

import librosa
import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.audio.mel import MEL_CONFIGS, mel_config, mel_filterbank, mel_spectrogram, mel_to_magnitude
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.errors import AudioError, MelError
from basis_melgan.evaluation import baselines
from basis_melgan.metrics import signal

RATE = 24_000
FRAMES = FrameGeometry()


def mel_distance(wave: files.Wave, mel: np.ndarray, name: str) -> float:
    """Relative distance of mel magnitudes without the edges, where the mel depends on reflected samples."""
    estimate, reference = (
        mel_to_magnitude(frames[:, : mel.shape[1]], name)[:, 3:-4]
        for frames in (mel_spectrogram(wave, name, FRAMES), mel)
    )
    return float(np.linalg.norm(estimate - reference) / np.linalg.norm(reference))


@pytest.mark.parametrize("name", MEL_CONFIGS)
def test_griffin_lim_is_aligned_with_the_recording_in_every_mel_configuration(name, speech):
    mel = mel_spectrogram(speech, name, FRAMES)
    wave = baselines.griffin_lim(mel, name, FRAMES, iterations=30)
    assert wave.shape == (mel.shape[1] * FRAMES.hop,)
    assert wave.dtype == np.float32
    assert mel_distance(wave, mel, name) < 0.15
    reference, estimate = signal.trim_to_common_length(speech, wave, FRAMES.hop)
    aligned = signal.estoi(reference, estimate, RATE)
    assert aligned > 0.85
    for shift in (-480, 480):
        assert signal.estoi(reference, np.roll(estimate, shift), RATE) < aligned


def test_iterations_bring_griffin_lim_closer_to_its_mel(speech):
    mel = mel_spectrogram(speech, "paper", FRAMES)
    distances = [mel_distance(baselines.griffin_lim(mel, "paper", FRAMES, n), mel, "paper") for n in (0, 1, 4, 16, 60)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < distances[0] / 3


def test_griffin_lim_has_the_quality_of_librosas(speech):
    mel = mel_spectrogram(speech, "paper", FRAMES)
    magnitude = np.linalg.pinv(mel_filterbank("paper", RATE)) @ mel_to_magnitude(mel, "paper")
    reference = librosa.griffinlim(
        np.maximum(magnitude, 1e-10),
        n_iter=60,
        hop_length=FRAMES.hop,
        win_length=mel_config("paper").window,
        n_fft=mel_config("paper").n_fft,
        momentum=0.0,
        random_state=0,
    )
    reference = librosa.effects.deemphasis(reference, coef=mel_config("paper").preemphasis, zi=0.0)
    scores = [
        signal.pesq_wb(*signal.trim_to_common_length(speech, wave.astype(np.float32), FRAMES.hop), RATE)
        for wave in (baselines.griffin_lim(mel, "paper", FRAMES), reference)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.15)


def test_griffin_lim_is_reproducible_by_its_seed(speech):
    mel = mel_spectrogram(speech[:12_000], "paper", FRAMES)
    first, repeated, different = (baselines.griffin_lim(mel, "paper", FRAMES, 4, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, repeated)
    assert np.abs(first - different).max() > 0.01


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_griffin_lim_synthesizes_the_shortest_mels(frames):
    wave = baselines.griffin_lim(np.full((80, frames), 0.5, dtype=np.float32), "paper", FRAMES, 4)
    assert wave.shape == (frames * 240,)
    assert np.isfinite(wave).all()


def test_griffin_lim_keeps_the_pitch_of_a_tone():
    tone = 0.3 * np.sin(2 * np.pi * 1_000 * np.arange(RATE) / RATE).astype(np.float32)
    wave = baselines.griffin_lim(mel_spectrogram(tone, "paper", FRAMES), "paper", FRAMES, 30)[:RATE]
    spectrum = np.abs(np.fft.rfft(wave * np.hanning(RATE)))
    # The mel does not resolve a tone's frequency within its band: 8 Hz to either side of the band's middle bin.
    assert spectrum.argmax() == pytest.approx(1_000, abs=25)
    assert np.sqrt(np.mean(wave**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.35)


def test_griffin_lim_raises_for_invalid_mels():
    for mel, message in (
        (np.zeros((80, 0), np.float32), "at least one frame"),
        (np.zeros((1, 80, 5), np.float32), r"expected \(80, F\)"),
        (np.zeros((81, 5), np.float32), "paper mels are"),
    ):
        with pytest.raises(MelError, match=message):
            baselines.griffin_lim(mel, "paper", FRAMES)
    with pytest.raises(MelError, match="hop 600 exceeds half of hifigan's window, 1024"):
        baselines.griffin_lim(np.zeros((80, 5), np.float32), "hifigan", FrameGeometry(hop=600))


def test_the_inverse_stft_inverts_the_stft(speech):
    config = MEL_CONFIGS["paper"]
    wave = speech[: 1200 + 40 * 240]
    spectrum = baselines._stft(wave, config, 240)
    assert spectrum.shape == (41, 1025)
    # The ends of the wave are only under the tails of a window.
    np.testing.assert_allclose(baselines._istft(spectrum, config, 240)[240:-240], wave[240:-240], atol=1e-6)


def test_deemphasis_is_the_recursion(speech):
    expected, previous = np.empty(2_000), 0.0
    for index, sample in enumerate(speech[:2_000].astype(np.float64)):
        expected[index] = previous = sample + 0.97 * previous
    np.testing.assert_allclose(baselines._deemphasis(speech[:2_000], 0.97), expected, atol=1e-6)


@pytest.mark.parametrize("samples", [240, 12_000, 12_001])
def test_world_keeps_the_length(samples, speech):
    wave = baselines.world(speech[:samples], RATE)
    assert (wave.shape, wave.dtype) == ((samples,), np.float32)
    assert np.isfinite(wave).all()


def test_world_keeps_silence_and_raises_for_invalid_waves(speech):
    assert np.abs(baselines.world(np.zeros(6_000, np.float32), RATE)).max() < 1e-4
    for invalid in (speech[:0], np.full(6_000, np.nan, np.float32)):
        with pytest.raises(AudioError, match="WORLD needs a finite wave"):
            baselines.world(invalid, RATE)


def test_the_pitch_of_a_pulse_train_is_its_rate():
    pulses = np.zeros(RATE)
    pulses[::200] = 0.5
    f0, times = baselines.harvest_pitch(pulses, RATE)
    np.testing.assert_allclose(np.diff(times), 0.005, atol=1e-12)
    np.testing.assert_allclose(f0[20:-20], 120.0, rtol=0.01)
