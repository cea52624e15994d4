"""Scores by pretrained networks: DistillMOS, DNSMOS, speaker similarity and phoneme error.

Each network comes with its weights in a third-party package. It is loaded once per process, at first use, runs on the
CPU and is deterministic. All of them take 16 kHz.
"""

import contextlib
import functools
import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from basis_melgan.audio.arrays import Float64Array
from basis_melgan.audio.files import Wave, resample
from basis_melgan.errors import AudioError
from basis_melgan.metrics import packages
from basis_melgan.metrics.waves import cache_recent, validate_pair, validate_wave

RATE = 16_000  # Hz


def distill_mos(wave: Wave, rate: int) -> float:
    """DistillMOS, about 1 to 5, of a wave (T,) alone (Stahl and Gamper 2025, arXiv 2502.05356; package distillmos).

    Level does not count. Waves shorter than its window of 7.68 s are padded with zeros, longer ones are scored in
    overlapping windows.

    Raises:
        AudioError: the wave is constant or not finite.
        MissingPackageError: distillmos or xls-r-sqa is not installed.
    """
    validate_wave(wave)
    model = _distill_mos()
    import torch  # importing takes a second, which other metrics need not pay

    with torch.inference_mode():
        return float(model(torch.from_numpy(_network_input(wave, rate))[None]))


def dnsmos(wave: Wave, rate: int) -> float:
    """DNSMOS P.835, overall quality (OVRL), about 1 to 5, of a wave (T,) alone (arXiv 2110.01763; package speechmos).

    Waves shorter than its window of 9.01 s are repeated to fill it.

    Raises:
        AudioError: the wave is constant or not finite.
        MissingPackageError: speechmos or ONNX Runtime is not installed.
    """
    validate_wave(wave)
    return float(packages.load("speechmos.dnsmos").run(_network_input(wave, rate), RATE)["ovrl_mos"])


def speaker_cosine(reference: Wave, estimate: Wave, rate: int) -> float:
    """Cosine of the speaker embeddings of two waves (T,), 1 if equal (GE2E, arXiv 1710.10467; package resemblyzer).

    An embedding is the mean of unit vectors over windows of 1.6 s, without long pauses.

    Raises:
        AudioError: lengths differ, a wave is constant or not finite, or voice detection finds no speech in it.
        MissingPackageError: resemblyzer or webrtcvad is not installed.
    """
    validate_pair(reference, estimate)
    target, embedding = _speaker_embedding(reference, rate), _speaker_embedding(estimate, rate)
    if target is None or embedding is None:
        silent_wave = "recording" if target is None else "estimate"
        raise AudioError(f"speaker cosine: no speech found in the {silent_wave}; use a clip with a second of speech")
    return float(target @ embedding / np.sqrt((target @ target) * (embedding @ embedding)))


def phoneme_error(reference: Wave, estimate: Wave, rate: int) -> float:
    """Phoneme error rate of an estimate (T,) against a recording (T,): edit distance over the number of phonemes.

    The phonemes that the recognizer, hama's, finds in the recording are the reference, in whatever language: so the
    recording itself scores 0. 1 or more is possible.

    Raises:
        AudioError: lengths differ, a wave is constant or not finite, or the recording has no phoneme.
        MissingPackageError: hama is not installed.
    """
    validate_pair(reference, estimate)
    target = _phonemes(reference, rate)
    if not target:
        raise AudioError("phoneme error: no phoneme recognized in the recording; use a clip with speech")
    return edit_distance(target, _phonemes(estimate, rate)) / len(target)


def edit_distance(source: Sequence[str], target: Sequence[str]) -> int:
    """Least number of insertions, deletions and substitutions that turn one sequence into another (Levenshtein)."""
    row = list(range(len(target) + 1))
    for source_index, source_symbol in enumerate(source):
        diagonal, row[0] = source_index, source_index + 1
        for index, symbol in enumerate(target):
            substitution = diagonal + (source_symbol != symbol)
            diagonal = row[index + 1]
            row[index + 1] = min(substitution, diagonal + 1, row[index] + 1)
    return row[-1]


def _network_input(wave: Wave, rate: int) -> Wave:
    """A wave (T,) at 16 kHz, clipped to full scale."""
    return np.clip(resample(wave, rate, RATE), -1.0, 1.0)


@cache_recent
def _speaker_embedding(wave: Wave, rate: int) -> Float64Array | None:
    """Unit vector (256,) of the speaker of a wave (T,); None where no speech is found."""
    resemblyzer = packages.load("resemblyzer")
    speech = resemblyzer.preprocess_wav(_network_input(wave, rate))
    if not len(speech):
        return None
    return np.asarray(_speaker_encoder().embed_utterance(speech), dtype=np.float64)


@cache_recent
def _phonemes(wave: Wave, rate: int) -> list[str]:
    return list(_recognizer()(_network_input(wave, rate), RATE).phonemes)


@functools.cache
def _distill_mos() -> Any:
    package = packages.load("distillmos")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints the path of its weights
        return package.ConvTransformerSQAModel().eval()


@functools.cache
def _speaker_encoder() -> Any:
    return packages.load("resemblyzer").VoiceEncoder("cpu", verbose=False)


@functools.cache
def _recognizer() -> Any:
    return packages.load("hama").ASRModel()
