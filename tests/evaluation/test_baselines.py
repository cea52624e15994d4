"""Griffin-Lim and WORLD: lengths, what iterations do, and how well they speak."""

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
    """Relative distance of mel magnitudes without the edges, where the mel saw reflected samples."""
    found, wanted = (
        mel_to_magnitude(each[:, : mel.shape[1]], name)[:, 3:-4] for each in (mel_spectrogram(wave, name, FRAMES), mel)
    )
    return float(np.linalg.norm(found - wanted) / np.linalg.norm(wanted))


@pytest.mark.parametrize("name", MEL_CONFIGS)
def test_griffin_lim_speaks_every_convention_in_step_with_the_recording(name, speech):
    mel = mel_spectrogram(speech, name, FRAMES)
    spoken = baselines.griffin_lim(mel, name, FRAMES, iterations=30)
    assert spoken.shape == (mel.shape[1] * FRAMES.hop,)
    assert spoken.dtype == np.float32
    assert mel_distance(spoken, mel, name) < 0.15
    reference, estimate = signal.trim_to_common_length(speech, spoken, FRAMES.hop)
    here = signal.estoi(reference, estimate, RATE)
    assert here > 0.85
    for shift in (-480, 480):
        assert signal.estoi(reference, np.roll(estimate, shift), RATE) < here


def test_iterations_bring_griffin_lim_nearer_to_its_mel(speech):
    mel = mel_spectrogram(speech, "paper", FRAMES)
    distances = [mel_distance(baselines.griffin_lim(mel, "paper", FRAMES, n), mel, "paper") for n in (0, 1, 4, 16, 60)]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < distances[0] / 3


def test_griffin_lim_is_as_good_as_librosas(speech):
    mel = mel_spectrogram(speech, "paper", FRAMES)
    magnitude = np.linalg.pinv(mel_filterbank("paper", RATE)) @ mel_to_magnitude(mel, "paper")
    theirs = librosa.griffinlim(
        np.maximum(magnitude, 1e-10),
        n_iter=60,
        hop_length=FRAMES.hop,
        win_length=mel_config("paper").window,
        n_fft=mel_config("paper").n_fft,
        momentum=0.0,
        random_state=0,
    )
    undone = librosa.effects.deemphasis(theirs, coef=mel_config("paper").preemphasis, zi=0.0)
    scores = [
        signal.pesq_wb(*signal.trim_to_common_length(speech, wave.astype(np.float32), FRAMES.hop), RATE)
        for wave in (baselines.griffin_lim(mel, "paper", FRAMES), undone)
    ]
    assert scores[0] == pytest.approx(scores[1], abs=0.15)


def test_griffin_lim_depends_on_its_seed_alone(speech):
    mel = mel_spectrogram(speech[:12_000], "paper", FRAMES)
    once, again, other = (baselines.griffin_lim(mel, "paper", FRAMES, 4, seed) for seed in (7, 7, 8))
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 0.01


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_griffin_lim_speaks_the_shortest_mels(frames):
    spoken = baselines.griffin_lim(np.full((80, frames), 0.5, dtype=np.float32), "paper", FRAMES, 4)
    assert spoken.shape == (frames * 240,)
    assert np.isfinite(spoken).all()


def test_griffin_lim_keeps_the_pitch_of_a_tone():
    tone = 0.3 * np.sin(2 * np.pi * 1_000 * np.arange(RATE) / RATE).astype(np.float32)
    spoken = baselines.griffin_lim(mel_spectrogram(tone, "paper", FRAMES), "paper", FRAMES, 30)[:RATE]
    spectrum = np.abs(np.fft.rfft(spoken * np.hanning(RATE)))
    # The mel leaves a tone's place open within its band, here 8 Hz to either side of the band's middle bin.
    assert spectrum.argmax() == pytest.approx(1_000, abs=25)
    assert np.sqrt(np.mean(spoken**2)) == pytest.approx(0.3 / np.sqrt(2), rel=0.35)


def test_griffin_lim_refuses_mels_that_are_none():
    for mel, message in (
        (np.zeros((80, 0), np.float32), "at least one frame"),
        (np.zeros((1, 80, 5), np.float32), r"expected \(80, F\)"),
        (np.zeros((81, 5), np.float32), "paper mels are"),
    ):
        with pytest.raises(MelError, match=message):
            baselines.griffin_lim(mel, "paper", FRAMES)
    with pytest.raises(MelError, match="hop 600 is more than half of hifigan's window, 1024"):
        baselines.griffin_lim(np.zeros((80, 5), np.float32), "hifigan", FrameGeometry(hop=600))


def test_the_inverse_stft_undoes_the_stft(speech):
    kind = MEL_CONFIGS["paper"]
    wave = speech[: 1200 + 40 * 240]
    spectrum = baselines._stft(wave, kind, 240)
    assert spectrum.shape == (41, 1025)
    # The very ends lie under no more than the foot of a window.
    np.testing.assert_allclose(baselines._istft(spectrum, kind, 240)[240:-240], wave[240:-240], atol=1e-6)


def test_deemphasis_is_the_recursion(speech):
    expected, last = np.empty(2_000), 0.0
    for index, sample in enumerate(speech[:2_000].astype(np.float64)):
        expected[index] = last = sample + 0.97 * last
    np.testing.assert_allclose(baselines._deemphasis(speech[:2_000], 0.97), expected, atol=1e-6)


@pytest.mark.parametrize("samples", [240, 12_000, 12_001])
def test_world_gives_as_many_samples_as_it_gets(samples, speech):
    spoken = baselines.world(speech[:samples], RATE)
    assert (spoken.shape, spoken.dtype) == ((samples,), np.float32)
    assert np.isfinite(spoken).all()


def test_world_keeps_silence_silent_and_refuses_what_is_no_wave(speech):
    assert np.abs(baselines.world(np.zeros(6_000, np.float32), RATE)).max() < 1e-4
    for broken in (speech[:0], np.full(6_000, np.nan, np.float32)):
        with pytest.raises(AudioError, match="WORLD needs a finite wave"):
            baselines.world(broken, RATE)


def test_the_pitch_of_a_pulse_train_is_its_rate():
    pulses = np.zeros(RATE)
    pulses[::200] = 0.5
    f0, times = baselines.harvest_pitch(pulses, RATE)
    np.testing.assert_allclose(np.diff(times), 0.005, atol=1e-12)
    np.testing.assert_allclose(f0[20:-20], 120.0, rtol=0.01)
