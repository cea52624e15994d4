"""What trained listeners say of a wave: DistillMOS, DNSMOS, likeness of the speaker, and phonemes heard wrongly.

Each is somebody's network with its weights in its package. It is loaded once per process, at first use, runs on the CPU
and gives the same number every time. All of them hear 16 kHz.
"""

import contextlib
import functools
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.files import Wave, resample
from basis_melgan.errors import AudioError
from basis_melgan.metrics import packages
from basis_melgan.metrics.waves import cache_recent, validate_pair, validate_wave

RATE = 16_000  # Hz


def distill_mos(wave: Wave, rate: int) -> float:
    """DistillMOS, about 1 to 5, of a wave (T,) alone (Stahl and Gamper 2025, arXiv 2502.05356; package distillmos).

    Level does not count. Waves shorter than its window of 7.68 s are followed by silence, longer ones are heard in
    overlapping windows.

    Raises:
        AudioError: the wave is constant or not finite.
        MissingPackageError: distillmos or xls-r-sqa is not installed.
    """
    validate_wave(wave)
    model = _distill_mos()
    import torch  # takes a second, which no other metric shall wait for

    with torch.inference_mode():
        return float(model(torch.from_numpy(_heard(wave, rate))[None]))


def dnsmos(wave: Wave, rate: int) -> float:
    """DNSMOS P.835, overall quality (OVRL), about 1 to 5, of a wave (T,) alone (arXiv 2110.01763; package speechmos).

    Waves shorter than its window of 9.01 s are repeated until they fill it.

    Raises:
        AudioError: the wave is constant or not finite.
        MissingPackageError: speechmos or ONNX Runtime is not installed.
    """
    validate_wave(wave)
    return float(packages.load("speechmos.dnsmos").run(_heard(wave, rate), RATE)["ovrl_mos"])


def speaker_cosine(reference: Wave, estimate: Wave, rate: int) -> float:
    """Cosine between the voices of two waves (T,), 1 for the same (GE2E, arXiv 1710.10467; package resemblyzer).

    Each voice is the mean of unit vectors over windows of 1.6 s, without the long pauses.

    Raises:
        AudioError: lengths differ, a wave is constant or not finite, or its voice detection finds no speech.
        MissingPackageError: resemblyzer or webrtcvad is not installed.
    """
    validate_pair(reference, estimate)
    recorded, found = _voice(reference, rate), _voice(estimate, rate)
    if recorded is None or found is None:
        silent = "recording" if recorded is None else "estimate"
        raise AudioError(f"speaker cosine: no speech found in the {silent}; use a clip with a second of speech")
    return float(recorded @ found / np.sqrt((recorded @ recorded) * (found @ found)))


def phoneme_error(reference: Wave, estimate: Wave, rate: int) -> float:
    """Share of the phonemes heard in one wave (T,) that another (T,) gets wrong: edit distance over their number.

    What the recognizer, hama's, hears in the recording counts as right, in whatever language: so the recording itself
    scores 0. 1 or more is possible.

    Raises:
        AudioError: lengths differ, a wave is constant or not finite, or no phoneme is heard in the recording.
        MissingPackageError: hama is not installed.
    """
    validate_pair(reference, estimate)
    said = _phonemes(reference, rate)
    if not said:
        raise AudioError("phoneme error: no phoneme heard in the recording; use a clip with speech")
    return edit_distance(said, _phonemes(estimate, rate)) / len(said)


def edit_distance(source: Sequence[str], target: Sequence[str]) -> int:
    """Least number of insertions, deletions and substitutions that turn one sequence into another (Levenshtein)."""
    row = list(range(len(target) + 1))
    for above, symbol in enumerate(source):
        diagonal, row[0] = above, above + 1
        for place, other in enumerate(target):
            changed = diagonal + (symbol != other)
            diagonal = row[place + 1]
            row[place + 1] = min(changed, diagonal + 1, row[place] + 1)
    return row[-1]


def _heard(wave: Wave, rate: int) -> Wave:
    """A wave (T,) as the networks want it: at 16 kHz, within full scale."""
    return np.clip(resample(wave, rate, RATE), -1.0, 1.0)


@cache_recent
def _voice(wave: Wave, rate: int) -> npt.NDArray[np.float64] | None:
    """Unit vector (256,) for the voice in a wave (T,); None where no speech is found."""
    resemblyzer = packages.load("resemblyzer")
    speech = resemblyzer.preprocess_wav(_heard(wave, rate))
    if not len(speech):
        return None
    return np.asarray(_speakers().embed_utterance(speech), dtype=np.float64)


@cache_recent
def _phonemes(wave: Wave, rate: int) -> list[str]:
    return list(_recognizer()(_heard(wave, rate), RATE).phonemes)


@functools.cache
def _distill_mos() -> Any:
    package = packages.load("distillmos")
    with contextlib.redirect_stdout(io.StringIO()):  # it prints where its weights are
        return package.ConvTransformerSQAModel().eval()


@functools.cache
def _speakers() -> Any:
    return packages.load("resemblyzer").VoiceEncoder("cpu", verbose=False)


@functools.cache
def _recognizer() -> Any:
    return packages.load("hama").ASRModel()
