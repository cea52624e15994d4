"""Mel scale check on random excerpts: true mels are accepted, and most other scales are reported.

Excerpts are of the example clips and of the prepared corpora in the folder FUZZ_CORPUS; level, noise and blur vary.
"""

import os
from collections import Counter
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pytest
from fuzzing import CaseResult, case_count, run_case

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram, mel_to_magnitude
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import MelConfigName
from basis_melgan.corpus import manifest
from basis_melgan.corpus.augmentation import Augmentation
from basis_melgan.inference.mel_adapter import MelAdapter
from basis_melgan.inference.mel_checks import Mel
from basis_melgan.inference.vocoder import Vocoder

CASES = case_count(10)  # of each scale
MEL_CONFIGS: list[MelConfigName] = ["vocos", "hifigan", "bigvgan", "paper"]
FRAMES = FrameGeometry(hop=256, stride=256, basis_length=1024)
SHORTEST, LONGEST = (
    60 * FRAMES.hop,
    12 * FRAMES.sample_rate,
)  # samples of an excerpt; shorter ones have unreliable statistics
SILENT_FRACTION = 0.05  # of whole clean mels of a scale in `REPORTED` that may be accepted without a warning


def normalize(mel: Mel, axis: int | None) -> Mel:
    return (mel - mel.mean(axis, keepdims=True)) / np.maximum(mel.std(axis, keepdims=True), 1e-3)


def scale_to_unit_range(mel: Mel) -> Mel:
    return (mel - mel.min()) / np.maximum(np.ptp(mel), 1e-3)


SCALES: dict[str, Callable[[Mel], Mel]] = {  # of natural logarithms of magnitudes
    "log10": lambda mel: mel / np.log(10.0),
    "log2": lambda mel: mel / np.log(2.0),
    "decibels": lambda mel: mel * 20 / np.log(10.0),
    "ln of powers": lambda mel: 2 * mel,
    "log10 of powers": lambda mel: 2 * mel / np.log(10.0),
    "mean and deviation": partial(normalize, axis=None),
    "band by band": partial(normalize, axis=1),
    "a tenth": lambda mel: mel / 10,
    "16-bit integers": lambda mel: mel + np.log(32_768),
    "0 to 1": scale_to_unit_range,
    "-1 to 1": lambda mel: 2 * scale_to_unit_range(mel) - 1,
    "-4 to 4": lambda mel: 8 * scale_to_unit_range(mel) - 4,
    "magnitudes": np.exp,
    "ln(1 + magnitude)": lambda mel: np.log1p(np.exp(mel)),
}
REPORTED = {"log10", "decibels", "ln of powers", "mean and deviation", "band by band", "16-bit integers"}


@lru_cache(maxsize=1)
def clips() -> list[Path]:
    """Every clip that is long enough, the example clips first."""
    paths = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
    if "FUZZ_CORPUS" in os.environ:
        corpora = manifest.load(Path(os.environ["FUZZ_CORPUS"]))
        paths += [corpus.path(clip) for corpus in corpora for clip in corpus.clips if clip.samples >= SHORTEST]
    return paths


@lru_cache(maxsize=64)
def wave(clip: Path) -> files.Wave:
    return files.read(clip, 0, LONGEST)[0]


def clean_mel(config: MelConfigName, rng: np.random.Generator) -> Mel:
    """The mel of a whole clip."""
    return mel_spectrogram(wave(clips()[int(rng.integers(len(clips())))]), config, FRAMES)


def altered_mel(config: MelConfigName, rng: np.random.Generator) -> Mel:
    """The mel of part of a clip with another level, noise at 0 to 30 dB or none, and smoothed or not."""
    clip_wave = wave(clips()[int(rng.integers(len(clips())))])
    size = int(rng.integers(SHORTEST, clip_wave.size + 1))
    start = int(rng.integers(0, clip_wave.size - size + 1))
    excerpt = clip_wave[start : start + size].astype(np.float64)
    if rng.random() < 0.5:
        ratio = rng.uniform(0, 30)  # dB
        excerpt += rng.standard_normal(size) * clip_wave.std() * 10 ** (-ratio / 20)
    excerpt *= 10 ** (rng.uniform(-45, 0) / 20) / max(float(np.abs(excerpt).max()), 1e-9)
    mel = mel_spectrogram(excerpt.astype(np.float32), config, FRAMES)
    return Augmentation(blur=float(rng.uniform(0.3, 1.0))).blur_mel(mel) if rng.random() < 0.5 else mel


def cast_precision(mel: Mel, rng: np.random.Generator) -> Mel:
    """A mel in single or half precision."""
    with np.errstate(over="ignore"):
        return mel.astype(np.float16 if rng.random() < 0.25 else np.float32)


def stream_outcome(vocoder: Vocoder, mel: Mel, rng: np.random.Generator) -> CaseResult:
    """The outcome of streaming a mel in chunks of random size."""
    stream, waves = vocoder.stream(), []

    def push_chunks() -> None:
        position = 0
        while position < mel.shape[1]:
            end = position + int(rng.integers(1, 400))
            waves.append(stream.push(mel[:, position:end]))
            position = end
        waves.append(stream.flush())

    result = run_case(push_chunks)
    if not result.refusal:
        output = np.concatenate(waves)
        assert output.shape == (FRAMES.hop * mel.shape[1],)
        assert np.isfinite(output).all()
    return result


def outcomes(mel: Mel, config: MelConfigName, vocoder: Vocoder, rng: np.random.Generator) -> list[CaseResult]:
    """Outcomes of a whole mel, and of the same mel as a stream where the vocoder has that mel config."""
    whole_mel_outcome = run_case(partial(MelAdapter(config, None).validate, mel))
    if config != vocoder.info.mel_config:
        return [whole_mel_outcome]
    return [whole_mel_outcome, stream_outcome(vocoder, mel, rng)]


@pytest.fixture(scope="module")
def vocoder() -> Vocoder:
    return Vocoder.load("speech-24k-live")


@pytest.mark.parametrize("config", MEL_CONFIGS)
def test_no_true_mel_is_refused(config: MelConfigName, vocoder: Vocoder) -> None:
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        mel = cast_precision(clean_mel(config, rng) if seed % 4 == 0 else altered_mel(config, rng), rng)
        for result in outcomes(mel, config, vocoder, rng):
            assert not result.refusal, (seed, result)


@pytest.mark.parametrize("scale", SCALES)
def test_mel_of_another_scale_is_synthesized_or_refused(scale: str, vocoder: Vocoder) -> None:
    clean: Counter[bool] = Counter()  # by whether an error or a warning was reported
    for seed in range(CASES):
        rng = np.random.default_rng(seed)
        config = MEL_CONFIGS[int(rng.integers(len(MEL_CONFIGS)))]
        mel = clean_mel(config, rng) if seed % 2 == 0 else altered_mel(config, rng)
        logarithm = np.log(mel_to_magnitude(mel, config).astype(np.float64))
        results = outcomes(cast_precision(SCALES[scale](logarithm), rng), config, vocoder, rng)
        if seed % 2 == 0:
            clean.update(bool(result.refusal or result.warnings) for result in results)
    if scale in REPORTED:
        assert clean[False] <= SILENT_FRACTION * clean.total(), clean
