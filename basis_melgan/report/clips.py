"""What the page needs of a clip: every system's sound, spectrogram and pitch."""

import base64
from typing import Any

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.evaluation.systems import RECORDING
from basis_melgan.metrics.world import harvest_pitch
from basis_melgan.report import pictures
from basis_melgan.report.comparison import ComparedClip, Comparison

PITCH_STRIDE = 2  # of Harvest's 5 ms frames are drawn
SHOWN = 30  # seconds of a clip


def gather(comparison: Comparison, clip: ComparedClip) -> dict[str, Any]:
    """One clip as a JSON object: the recording first, then the other systems, in the order of the comparison.

    A wave of another sample rate than the recording's is resampled to it. The spectrograms of all systems share one
    scale, whose top is the loudest spot of the recording. Of a longer clip the first half minute is shown.

    Raises:
        AudioError: a wave is missing, damaged, empty, or of a sample rate that MP3 does not know.
    """
    order = (RECORDING, *(name for name in comparison.systems if name != RECORDING))
    paths = {system: comparison.wave(system, clip) for system in order}
    waves = {system: files.read(path) for system, path in paths.items() if path is not None}
    rate = waves[RECORDING][1]
    shown = {system: files.resample(wave, own, rate)[: round(SHOWN * rate)] for system, (wave, own) in waves.items()}
    recording = shown[RECORDING]
    peak = float(pictures.levels(recording, rate).max())
    return {
        "corpus": clip.corpus,
        "clip": clip.clip,
        "seconds": len(recording) / rate,
        "hertz": rate / 2,
        "scores": clip.scores,
        "failures": clip.failures,
        "voices": {system: _voice(wave, rate, peak) for system, wave in shown.items()},
    }


def _voice(wave: Wave, rate: int, peak: float) -> dict[str, Any]:
    return {
        "sound": base64.b64encode(files.encode_mp3(wave, rate)).decode(),
        "spectrogram": pictures.spectrogram(pictures.levels(wave, rate), peak),
        "pitch": _track(wave, rate),
    }


def _track(wave: Wave, rate: int) -> list[int]:
    """Pitch in Hz every 10 ms, 0 where unvoiced."""
    f0, _ = harvest_pitch(wave.astype(np.float64), rate)
    return [round(hertz) for hertz in f0[::PITCH_STRIDE].tolist()]
