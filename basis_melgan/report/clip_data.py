"""The page's data of a clip: sound, spectrogram and pitch of every system."""

import base64
from typing import Any

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.evaluation.systems import RECORDING
from basis_melgan.metrics.world import harvest_pitch
from basis_melgan.report.comparison import Comparison, ScoresBySystem
from basis_melgan.report.images import spectrogram_image, spectrogram_levels

PITCH_STRIDE = 2  # of Harvest's 5 ms frames
MAX_SECONDS = 30  # of a clip; the page shows the beginning of a longer one


def clip_data(comparison: Comparison, clip: ScoresBySystem) -> dict[str, Any]:
    """One clip as a JSON object with the recording first, then the other systems in the order of the comparison.

    Waves are resampled to the recording's sample rate. The spectrograms of all systems share one scale, which ends at
    the recording's loudest bin.

    Raises:
        AudioError: a wave is missing, damaged, empty, or of a sample rate that MP3 lacks.
    """
    recording = clip[RECORDING]
    systems = (RECORDING, *(system for system in clip if system != RECORDING))
    paths = {system: comparison.wave_path(clip[system]) for system in systems}
    waves = {system: files.read(path) for system, path in paths.items() if path is not None}
    rate = waves[RECORDING][1]
    excerpts = {
        system: files.resample(wave, wave_rate, rate)[: round(MAX_SECONDS * rate)]
        for system, (wave, wave_rate) in waves.items()
    }
    peak = float(spectrogram_levels(excerpts[RECORDING], rate).max())
    return {
        "corpus": recording.corpus,
        "clip": recording.clip,
        "seconds": len(excerpts[RECORDING]) / rate,
        "hertz": rate / 2,
        "scores": {system: scores.scores for system, scores in clip.items()},
        "failures": {system: scores.failures for system, scores in clip.items() if scores.failures},
        "outputs": {system: _output(wave, rate, peak) for system, wave in excerpts.items()},
    }


def _output(wave: Wave, rate: int, peak: float) -> dict[str, Any]:
    return {
        "sound": base64.b64encode(files.encode_mp3(wave, rate)).decode(),
        "spectrogram": spectrogram_image(spectrogram_levels(wave, rate), peak),
        "pitch": _pitch_track(wave, rate),
    }


def _pitch_track(wave: Wave, rate: int) -> list[int]:
    """Pitch in Hz every 10 ms; 0 where unvoiced."""
    f0, _ = harvest_pitch(wave.astype(np.float64), rate)
    return [round(hertz) for hertz in f0[::PITCH_STRIDE].tolist()]
