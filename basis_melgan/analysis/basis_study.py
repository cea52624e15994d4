"""Comparison of a learned basis with a Gabor basis: their properties, and how well each resynthesizes speech."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from basis_melgan.analysis.basis_properties import BasisProperties, basis_properties
from basis_melgan.analysis.resynthesis import MAX_STEPS, least_squares, non_negative_least_squares
from basis_melgan.audio.arrays import Float64Array
from basis_melgan.audio.files import Wave
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.errors import ModelFileError
from basis_melgan.metrics.signal import si_snr
from basis_melgan.models.bases.gabor import gabor
from basis_melgan.models.tasnet import SPEECH, Separator
from basis_melgan.progress import track
from basis_melgan.storage.markdown import table

EXCERPT_SECONDS = 1.0  # the loudest part of each clip; suffices for the curves at a fraction of the time
LABELS = {"separator": "separator's weights", "learned": "learned, least squares", "gabor": "Gabor, least squares"}
STRIDE_FACTORS = (0.5, 1.0, 2.0, 4.0)  # strides of the Gabor bases relative to the separator's
MAX_SI_SNR = 100.0  # dB; a better resynthesis counts as this, because it is exact at 16 bits


class Excerpt(NamedTuple):
    """Part of a clip, and the separator's output there when it processes the complete clip without noise.

    Attributes:
        wave: (T,).
        estimate: (T,), the separator's speech estimate.
        weights: (N, K), its speech weights, with rows sorted as in `BasisProperties`.
    """

    wave: Wave
    estimate: Wave
    weights: Float64Array


class Fit(NamedTuple):
    """Quality of resynthesis with optimal weights over bases of one kind.

    Attributes:
        basis: ``learned`` for the atoms of the separator with the most energy in its own weights of the excerpts,
            ``Gabor`` for a Gabor basis per number of atoms, with four phases for non-negative weights.
        length: L, in samples.
        signed: whether weights may be negative.
        si_snr: (counts, clips), in dB, at most 100; NaN if all weights of an excerpt are 0.
    """

    basis: str
    length: int
    signed: bool
    si_snr: Float64Array

    @property
    def label(self) -> str:
        """Description for tables."""
        return f"{self.basis}, L = {self.length}, {'signed' if self.signed else 'non-negative'}"


@dataclass(frozen=True)
class BasisStudy:
    """Results of the comparison.

    Attributes:
        frames: frame geometry of the separator.
        learned: properties of its basis.
        gabor: properties of the Gabor basis of the same size, in quadrature pairs.
        counts: numbers of atoms: half octaves below N, and N.
        energy_fractions: for each count k, the fraction (counts,) of the energy in the k largest weights of each frame
            over all excerpts, where energy is the squared weight times the atom's squared norm. ``separator``: its own
            weights; ``learned`` and ``gabor``: least-squares weights of least norm over either basis.
        fits: resynthesis for each count.
        separator: (clips,), SI-SNR in dB of the separator's own estimate.
    """

    frames: FrameGeometry
    learned: BasisProperties
    gabor: BasisProperties
    counts: tuple[int, ...]
    energy_fractions: dict[str, Float64Array]
    fits: tuple[Fit, ...]
    separator: Float64Array

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """All results as named arrays."""
        arrays: dict[str, npt.NDArray[np.generic]] = {}
        for name, properties in (("learned", self.learned), ("gabor", self.gabor)):
            arrays |= {f"{name}_{field}": values for field, values in properties._asdict().items()}
        arrays |= {f"energy_fraction_{name}": fractions for name, fractions in self.energy_fractions.items()}
        for fit in self.fits:
            sign = "signed" if fit.signed else "non_negative"
            arrays[f"si_snr_{fit.basis.lower()}_{fit.length}_{sign}"] = fit.si_snr
        return arrays | {"counts": np.array(self.counts), "si_snr_separator": self.separator}

    def table(self) -> str:
        """Markdown tables of properties, energy in the largest weights, and resynthesis, learned next to Gabor."""
        atoms, length = self.learned.atoms.shape
        fractions = [[f"{100 * fraction:.1f}" for fraction in values] for values in self.energy_fractions.values()]
        means = [[f"{mean:.1f}" for mean in fit.si_snr.mean(axis=1)] for fit in self.fits]
        lines = [
            f"Basis of {atoms} atoms of {length} samples with a stride of {self.frames.stride}, compared with a Gabor "
            "basis (Hann window, quadrature pairs, linear in frequency). Speech: the loudest "
            f"{EXCERPT_SECONDS:g} s of each of {len(self.separator)} clips.",
            "",
            *table(["property", "learned", "Gabor"], self._property_rows()),
            "",
            "Energy in the k largest weights of a frame (%)",
            "",
            *table(["k", *(LABELS[name] for name in self.energy_fractions)], zip(self.counts, *fractions, strict=True)),
            "",
            f"Resynthesis from n atoms, SI-SNR (dB, at most {MAX_SI_SNR:.0f}); the separator's own estimate: "
            f"{self.separator.mean():.1f} dB",
            "",
            *table(["n", *(fit.label for fit in self.fits)], zip(self.counts, *means, strict=True)),
            "",
            *(f"- {note}" for note in NOTES),
        ]
        return "\n".join(lines) + "\n"

    def _property_rows(self) -> Iterator[tuple[str, str, str]]:
        """Rows of the first table."""

        def quartiles(values: Float64Array, digits: int) -> str:
            low, median, high = np.nanquantile(values, (0.25, 0.5, 0.75))
            return f"{median:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"

        bases = (self.learned, self.gabor)
        for name, field, digits in QUARTILE_ROWS:
            learned, gabor_cell = (quartiles(getattr(basis, field), digits) for basis in bases)
            yield f"{name}: median (quartiles)", learned, gabor_cell
        learned, gabor_cell = (f"{basis.unit_bounds[0]:.1f}, {basis.unit_bounds[1]:.1f}" for basis in bases)
        yield "frame bounds A, B at unit norm (dB of N / stride)", learned, gabor_cell
        learned, gabor_cell = (f"{basis.bounds[0]:.3g}, {basis.bounds[1]:.3g}" for basis in bases)
        yield "frame bounds A, B without normalization", learned, gabor_cell
        learned, gabor_cell = (f"{basis.coverage.min():.1f} to {basis.coverage.max():.1f}" for basis in bases)
        yield "coverage from 0 Hz to Nyquist (dB of its mean)", learned, gabor_cell


QUARTILE_ROWS = (  # name, field of `BasisProperties` and decimals
    ("−3 dB bandwidth (Hz)", "bandwidths", 0),
    ("RMS bandwidth (Hz)", "rms_bandwidths", 0),
    ("center (samples)", "centers", 1),
    ("RMS duration (samples)", "durations", 2),
)
NOTES = (
    "learned: the n atoms with the most energy in the separator's own weights",
    "Gabor: a basis of n atoms, in quadrature pairs for signed weights and with four phases for non-negative ones; its "
    "uniform spacing leaves a small basis few atoms where speech has most of its energy",
    f"non-negative weights are the result of up to {MAX_STEPS} iterations; more may improve them",
)


def study_basis(model: Separator, waves: Sequence[Wave]) -> BasisStudy:
    """Compare a separator's basis with Gabor bases on clean clips (T,), showing progress.

    Raises:
        ModelFileError: the basis is silent.
    """
    basis, frames = model.basis.atoms.numpy(force=True), model.frames
    if not basis.any():
        raise ModelFileError("basis: all atoms are silent; train the separator first")
    learned = basis_properties(basis, frames)
    gabor_properties = basis_properties(gabor(*basis.shape), frames)
    excerpts = [_excerpt(model, wave, learned.order) for wave in waves]
    energies = {"separator": [_weight_energy(excerpt.weights, learned.atoms) for excerpt in excerpts]}
    for name, atoms in (("learned", learned.atoms), ("gabor", gabor_properties.atoms)):
        resyntheses = (least_squares(atoms, frames.stride, excerpt.wave) for excerpt in excerpts)
        energies[name] = [_weight_energy(resynthesis.weights, atoms) for resynthesis in resyntheses]
    counts = _atom_counts(len(basis))
    total_energy = np.sum([energy.sum(axis=1) for energy in energies["separator"]], axis=0)
    descending = np.argsort(-total_energy, kind="stable")
    return BasisStudy(
        frames=frames,
        learned=learned,
        gabor=gabor_properties,
        counts=counts,
        energy_fractions={name: energy_fractions(values)[np.array(counts) - 1] for name, values in energies.items()},
        fits=_fits(learned.atoms[descending], frames, counts, excerpts),
        separator=np.array([_limited_si_snr(excerpt.wave, excerpt.estimate) for excerpt in excerpts]),
    )


def energy_fractions(energies: Sequence[Float64Array]) -> Float64Array:
    """Fraction (N,) of the energy (N, K) of several excerpts in the 1, 2, …, N largest weights of each frame."""
    descending = [np.sort(energy, axis=0)[::-1].sum(axis=1) for energy in energies]
    cumulative = np.sum(descending, axis=0).cumsum()
    return np.asarray(cumulative / max(cumulative[-1], 1e-30))


def _weight_energy(weights: Float64Array, atoms: Float64Array) -> Float64Array:
    """Energy (N, K) of weights (N, K), each with its atom alone."""
    return np.asarray(np.square(weights, dtype=np.float64) * np.square(atoms).sum(axis=1, keepdims=True))


def _atom_counts(atoms: int) -> tuple[int, ...]:
    """Half octaves, approximately, below a number of atoms, and that number."""
    steps = (size for power in range(atoms.bit_length()) for size in (2**power, 3 * 2**power // 2))
    return tuple(sorted({*(size for size in steps if size < atoms), atoms}))


def _excerpt(model: Separator, wave: Wave, order: npt.NDArray[np.int64]) -> Excerpt:
    """The loudest part of a clip (T,), beginning at a frame, with the separator's output of the complete clip."""
    frames = model.frames
    samples = min(len(wave), round(EXCERPT_SECONDS * frames.sample_rate))
    energy = np.concatenate([[0.0], np.cumsum(np.square(wave, dtype=np.float64))])
    first = int((energy[samples:] - energy[: len(energy) - samples]).argmax()) // frames.stride
    part = slice(first * frames.stride, first * frames.stride + samples)
    with torch.no_grad():
        output = model(torch.from_numpy(wave)[None].to(model.basis.atoms.device))
    weights = output.weights[0, SPEECH].numpy(force=True)[order]
    part_weights = weights[:, first + frames.leading_frames :][:, : samples // frames.stride]
    return Excerpt(wave[part], output.waves[0, SPEECH].numpy(force=True)[part], part_weights)


def _fits(
    atoms_by_energy: Float64Array, frames: FrameGeometry, counts: tuple[int, ...], excerpts: Sequence[Excerpt]
) -> tuple[Fit, ...]:
    """Resynthesize with every kind of basis, signed and non-negative weights, and every count of atoms."""
    overlap = frames.basis_length // frames.stride
    strides = dict.fromkeys(int(frames.stride * factor) for factor in STRIDE_FACTORS)
    bases = [("learned", frames.stride), *(("Gabor", stride) for stride in strides if overlap * stride >= 2)]
    kinds = [(signed, basis, stride) for signed in (True, False) for basis, stride in bases]

    def score(kind: tuple[bool, str, int], count: int, wave: Wave) -> float:
        signed, basis, stride = kind
        if basis == "learned":
            atoms = atoms_by_energy[:count]
        else:
            atoms = gabor(count, overlap * stride, 2 if signed else 4).astype(np.float64)
        solve = least_squares if signed else non_negative_least_squares
        return _limited_si_snr(wave, solve(atoms, stride, wave).wave)

    cases = track([(kind, count) for kind in kinds for count in counts], "resynthesize")
    scores = [[score(kind, count, excerpt.wave) for excerpt in excerpts] for kind, count in cases]
    by_kind = np.array(scores).reshape(len(kinds), len(counts), len(excerpts))
    return tuple(
        Fit(basis, overlap * stride, signed, si_snrs)
        for (signed, basis, stride), si_snrs in zip(kinds, by_kind, strict=True)
    )


def _limited_si_snr(wave: Wave, estimate: Wave | Float64Array) -> float:
    """SI-SNR in dB, at most 100; NaN for a constant estimate."""
    if np.ptp(estimate) == 0.0:
        return math.nan
    return min(si_snr(wave, estimate.astype(np.float32)), MAX_SI_SNR)
