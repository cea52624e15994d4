"""A learned basis beside a Gabor basis: what each is like, and how well real speech is made of it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import track

from basis_melgan.analysis.basis_measures import Array, Measures, measure
from basis_melgan.analysis.resynthesis import STEPS, least_squares, non_negative
from basis_melgan.audio.files import Wave
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.errors import ModelFileError
from basis_melgan.metrics.signal import si_snr
from basis_melgan.models.bases.gabor import gabor
from basis_melgan.models.tasnet import SPEECH, Separator
from basis_melgan.storage.markdown import table

SECONDS = 1.0  # of each clip, where it is loudest: enough for the curves, and minutes of work stay seconds
LABELS = {"separator": "the separator's own", "learned": "learned, least squares", "gabor": "Gabor, least squares"}
STRIDES = (0.5, 1.0, 2.0, 4.0)  # of the Gabor bases, relative to the separator's
CEILING = 100.0  # dB; a finer re-synthesis counts as this, since nothing of 16 bits is left to make


class Excerpt(NamedTuple):
    """Part of a clip, and what the separator makes of it within the whole clip, clean.

    Attributes:
        wave: (T,).
        estimate: (T,), the separator's speech.
        weights: (N, K), its speech weights, rows as in `Measures`.
    """

    wave: Wave
    estimate: Wave
    weights: Array


class Fit(NamedTuple):
    """How well bases of one kind re-synthesize speech with the best weights.

    Attributes:
        basis: ``learned``: the signals of the separator's basis that carry the most energy in its own weights of the
            excerpts; ``Gabor``: a basis made for each number of signals, with four phases where weights are
            non-negative.
        length: L, in samples.
        signed: whether weights may be negative.
        si_snr: (counts, clips), in dB, 100 at most; NaN where no weight of the excerpt is above 0.
    """

    basis: str
    length: int
    signed: bool
    si_snr: Array


@dataclass(frozen=True)
class Study:
    """All numbers of the study.

    Attributes:
        frames: of the separator.
        learned: its basis.
        gabor: the Gabor basis of as many signals of that length, in quadrature pairs.
        counts: numbers n of signals, half octaves up to N, and N.
        shares: for each count k, the share (counts,) of all energy that the k largest weights of each frame carry:
            weights squared times squared norms of the signals, over the excerpts. ``separator``: its own weights;
            ``learned`` and ``gabor``: least-squares weights of least norm over either basis.
        fits: re-synthesis for each count n.
        separator: (clips,), SI-SNR in dB of the separator's own re-synthesis.
    """

    frames: FrameGeometry
    learned: Measures
    gabor: Measures
    counts: tuple[int, ...]
    shares: dict[str, Array]
    fits: tuple[Fit, ...]
    separator: Array

    def arrays(self) -> dict[str, Array]:
        """Everything as named arrays."""
        measures = {"learned": self.learned, "gabor": self.gabor}
        named = {f"{name}_{field}": each for name, found in measures.items() for field, each in found._asdict().items()}
        named |= {f"share_{name}": share for name, share in self.shares.items()}
        for fit in self.fits:
            named[f"si_snr_{fit.basis.lower()}_{fit.length}_{'signed' if fit.signed else 'non_negative'}"] = fit.si_snr
        return named | {"counts": np.array(self.counts), "si_snr_separator": self.separator}

    def table(self) -> str:
        """Markdown: measures, energy of the largest weights, and re-synthesis, learned and Gabor beside one another."""
        signals, length = self.learned.signals.shape
        shares = [[f"{100 * share:.1f}" for share in each] for each in self.shares.values()]
        means = [[f"{mean:.1f}" for mean in fit.si_snr.mean(axis=1)] for fit in self.fits]
        names = [f"{fit.basis}, L = {fit.length}, {'signed' if fit.signed else 'non-negative'}" for fit in self.fits]
        lines = [
            f"Basis of {signals} signals of {length} samples every {self.frames.stride}, beside a Gabor basis (Hann "
            f"window, quadrature pairs, linear in frequency); speech: the loudest {SECONDS:g} s of each of "
            f"{len(self.separator)} clips.",
            "",
            *table(["measure", "learned", "Gabor"], self._compared()),
            "",
            "Energy in the k largest weights of a frame (%)",
            "",
            *table(["k", *(LABELS[name] for name in self.shares)], zip(self.counts, *shares, strict=True)),
            "",
            f"Re-synthesis from n signals, SI-SNR (dB, {CEILING:.0f} at most); the separator's own: "
            f"{self.separator.mean():.1f} dB",
            "",
            *table(["n", *names], zip(self.counts, *means, strict=True)),
            "",
            *(f"- {note}" for note in NOTES),
        ]
        return "\n".join(lines) + "\n"

    def _compared(self) -> Iterator[tuple[str, str, str]]:
        """Rows of the first table."""

        def quartiles(values: Array, digits: int) -> str:
            low, middle, high = np.nanquantile(values, (0.25, 0.5, 0.75))
            return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"

        pair = (self.learned, self.gabor)
        for name, field, digits in QUARTILES:
            learned, other = (quartiles(getattr(each, field), digits) for each in pair)
            yield f"{name}: median (quartiles)", learned, other
        learned, other = (f"{each.unit_bounds[0]:.1f}, {each.unit_bounds[1]:.1f}" for each in pair)
        yield "frame bounds A, B at unit norm (dB of N / stride)", learned, other
        learned, other = (f"{each.bounds[0]:.3g}, {each.bounds[1]:.3g}" for each in pair)
        yield "frame bounds A, B as it stands", learned, other
        learned, other = (f"{each.coverage.min():.1f} to {each.coverage.max():.1f}" for each in pair)
        yield "coverage over 0 Hz to Nyquist (dB of its mean)", learned, other


QUARTILES = (
    ("−3 dB bandwidth (Hz)", "bandwidths", 0),
    ("RMS bandwidth (Hz)", "rms_bandwidths", 0),
    ("center (samples)", "centers", 1),
    ("RMS duration (samples)", "durations", 2),
)
NOTES = (
    "learned: those n signals that carry the most energy in the separator's own weights",
    "Gabor: a basis of n signals, in quadrature pairs for signed weights, with four phases for non-negative ones; "
    "evenly spread, few of them hold little of where speech is strongest",
    f"non-negative weights are searched for in {STEPS} steps at most, and may do better with more",
)


def study(model: Separator, waves: Sequence[Wave]) -> Study:
    """Study a separator's basis on clean clips (T,) beside Gabor bases; shows its progress.

    Raises:
        ModelFileError: the basis is silent.
    """
    basis, frames = model.basis.atoms.numpy(force=True), model.frames
    if not basis.any():
        raise ModelFileError("basis: all its signals are silent, nothing to study; train the separator first")
    learned, other = measure(basis, frames), measure(gabor(*basis.shape), frames)
    excerpts = [_excerpt(model, wave, learned.order) for wave in waves]
    own = [_energy(excerpt.weights, learned.signals) for excerpt in excerpts]
    energies = {"separator": own}
    for name, signals in (("learned", learned.signals), ("gabor", other.signals)):
        fits = (least_squares(signals, frames.stride, excerpt.wave) for excerpt in excerpts)
        energies[name] = [_energy(fit.weights, signals) for fit in fits]
    counts = _counts(len(basis))
    loudest_first = np.argsort(-sum(each.sum(axis=1) for each in own), kind="stable")
    return Study(
        frames,
        learned,
        other,
        counts,
        {name: share_of_largest(each)[np.array(counts) - 1] for name, each in energies.items()},
        _fits(learned.signals[loudest_first], frames, counts, excerpts),
        np.array([_score(excerpt.wave, excerpt.estimate) for excerpt in excerpts]),
    )


def share_of_largest(energies: Sequence[Array]) -> Array:
    """Share (N,) of all energy (N, K) of several excerpts that lies in the 1, 2, … N largest of each frame."""
    total = np.sum([np.sort(each, axis=0)[::-1].sum(axis=1) for each in energies], axis=0).cumsum()
    return np.asarray(total / max(total[-1], 1e-30))


def _energy(weights: Array, signals: Array) -> Array:
    """Energy (N, K) of weights (N, K): of the signals that each weight adds, taken alone."""
    return np.asarray(np.square(weights, dtype=np.float64) * np.square(signals).sum(axis=1, keepdims=True))


def _counts(signals: int) -> tuple[int, ...]:
    """Half octaves, roughly, up to a number of signals, and that number."""
    steps = (size for power in range(signals.bit_length()) for size in (2**power, 3 * 2**power // 2))
    return tuple(sorted({*(size for size in steps if size < signals), signals}))


def _excerpt(model: Separator, wave: Wave, order: npt.NDArray[np.int64]) -> Excerpt:
    """The loudest part of a clip (T,), beginning with a frame, as the separator makes it of the whole clip."""
    frames = model.frames
    samples = min(len(wave), round(SECONDS * frames.sample_rate))
    energy = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    first = int((energy[samples:] - energy[: len(energy) - samples]).argmax()) // frames.stride
    part = slice(first * frames.stride, first * frames.stride + samples)
    with torch.no_grad():
        separated = model(torch.from_numpy(wave)[None].to(model.basis.atoms.device))
    weights = separated.weights[0, SPEECH].numpy(force=True)[order]
    heard = weights[:, first + frames.lead :][:, : samples // frames.stride]
    return Excerpt(wave[part], separated.waves[0, SPEECH].numpy(force=True)[part], heard)


def _fits(
    loudest_first: Array, frames: FrameGeometry, counts: tuple[int, ...], excerpts: Sequence[Excerpt]
) -> tuple[Fit, ...]:
    """Every kind of basis, with signed and with non-negative weights, at every count."""
    reach = frames.basis_length // frames.stride
    strides = dict.fromkeys(int(frames.stride * factor) for factor in STRIDES)
    bases = [("learned", frames.stride), *(("Gabor", stride) for stride in strides if reach * stride >= 2)]
    kinds = [(signed, basis, stride) for signed in (True, False) for basis, stride in bases]

    def score(kind: tuple[bool, str, int], count: int, wave: Wave) -> float:
        signed, basis, stride = kind
        if basis == "learned":
            signals = loudest_first[:count]
        else:
            signals = gabor(count, reach * stride, 2 if signed else 4).astype(np.float64)
        return _score(wave, (least_squares if signed else non_negative)(signals, stride, wave).wave)

    jobs = [(kind, count) for kind in kinds for count in counts]
    counted = track(jobs, "re-synthesizing", console=Console(stderr=True))
    scores = [[score(kind, count, excerpt.wave) for excerpt in excerpts] for kind, count in counted]
    by_kind = np.array(scores).reshape(len(kinds), len(counts), len(excerpts))
    return tuple(
        Fit(basis, reach * stride, signed, found) for (signed, basis, stride), found in zip(kinds, by_kind, strict=True)
    )


def _score(wave: Wave, made: Wave | Array) -> float:
    """SI-SNR in dB, 100 at most; NaN where nothing at all was made."""
    if np.ptp(made) == 0.0:
        return math.nan
    return min(si_snr(wave, made.astype(np.float32)), CEILING)
