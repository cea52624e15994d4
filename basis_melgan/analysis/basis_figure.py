"""The picture of a study of a basis: nine panels, learned and Gabor beside one another."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from basis_melgan.analysis.basis_measures import Array, Measures
from basis_melgan.analysis.basis_study import CEILING, Fit, Study
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.plotting import basis_spectra

# Okabe and Ito's colors, which readers with any color vision tell apart; markers and dashes say the same again.
LEARNED, GABOR, SEPARATOR = "#D55E00", "#0072B2", "#000000"
OTHER_LENGTHS = ("#56B4E9", "#009E73", "#CC79A7")
MARKERS = "s^vD"
SHAPES = 9  # signals whose time shapes are shown


def study(found: Study) -> Figure:
    """Spectra, time shapes, bandwidths, coverage, energy of the largest weights and re-synthesis, with units."""
    figure = Figure(figsize=(16, 12.5), layout="constrained")
    rows = figure.subfigures(3, 1, squeeze=False)[:, 0]
    _spectra(rows[0], found)
    shape, place, coverage = rows[1].subplots(1, 3)
    _bandwidths(shape, found)
    _places(place, found)
    _coverage(coverage, found)
    energy, signed, non_negative = rows[2].subplots(1, 3)
    _energy(energy, found)
    _resynthesis(signed, found, [fit for fit in found.fits if fit.signed])
    signed.set_title("re-synthesis, signed weights (least squares)")
    _resynthesis(non_negative, found, [fit for fit in found.fits if not fit.signed])
    non_negative.set_title("re-synthesis, non-negative weights")
    non_negative.plot(
        len(found.learned.signals),
        found.separator.mean(),
        "*",
        color=SEPARATOR,
        markersize=13,
        label="the separator's own",
    )
    non_negative.legend(fontsize="small")
    return figure


def _pair(found: Study) -> tuple[tuple[str, str, Measures], tuple[str, str, Measures]]:
    """Name, color and measures of either basis."""
    return ("learned", LEARNED, found.learned), ("Gabor", GABOR, found.gabor)


def _spectra(row: SubFigure, found: Study) -> None:
    """Heat maps of both bases, and time shapes of some signals of each."""
    heat = row.subplots(1, 4, width_ratios=(2, 2, 1, 1))
    for axes, shapes, (name, color, measures) in zip(heat[:2], heat[2:], _pair(found), strict=True):
        spectra = basis_spectra(measures.signals.astype(np.float32), found.frames)
        extent = (0, len(measures.signals), spectra.hertz[0], spectra.hertz[-1])
        image = axes.imshow(spectra.magnitudes.T, origin="lower", aspect="auto", extent=extent, cmap="magma")
        axes.set(title=f"{name}: spectra", xlabel="basis signal, by peak frequency", ylabel="frequency (Hz)")
        _shapes(shapes, measures, found.frames, color)
        shapes.set_title(f"{name}: time shapes")
    row.colorbar(image, ax=heat[1], label="magnitude, relative to the signal's peak")


def _shapes(axes: Axes, measures: Measures, frames: FrameGeometry, color: str) -> None:
    """Some signals, evenly drawn from the lowest to the highest, one over another."""
    sounding = np.flatnonzero(np.isfinite(measures.peaks))
    rows = sounding[np.unique(np.linspace(0, len(sounding) - 1, SHAPES).round().astype(int))]
    for place, row in enumerate(rows):
        axes.axhline(place, color="0.85", linewidth=0.8)
        signal = measures.signals[row]
        axes.plot(place + 0.45 * signal / np.abs(signal).max(), color=color, linewidth=1.3)
    axes.set_yticks(range(len(rows)), [f"{measures.peaks[row]:.0f}" for row in rows])
    axes.set(xlabel="sample", ylabel="signals that peak at (Hz)", xlim=(0, frames.basis_length - 1))


def _bandwidths(axes: Axes, found: Study) -> None:
    for (name, color, measures), marker in zip(_pair(found), "o+", strict=True):
        middle = np.nanmedian(measures.bandwidths)
        label = f"{name}, median {middle:.0f} Hz"
        axes.plot(measures.peaks, measures.bandwidths, marker, color=color, markersize=4, alpha=0.7, label=label)
    axes.set(title="bandwidth", xlabel="peak frequency (Hz)", ylabel="−3 dB bandwidth (Hz)", ylim=(0, None))
    axes.legend(fontsize="small")


def _places(axes: Axes, found: Study) -> None:
    for (name, color, measures), marker in zip(_pair(found), "o+", strict=True):
        axes.plot(measures.centers, measures.durations, marker, color=color, markersize=4, alpha=0.7, label=name)
    length = found.frames.basis_length
    axes.axhline(length / np.sqrt(12), color="0.5", linestyle=":", label="equal over all samples")
    axes.set(title="time shape", xlabel="center (samples)", ylabel="RMS duration (samples)")
    axes.set(xlim=(0, length - 1), ylim=(0, None))
    axes.legend(fontsize="small")


def _coverage(axes: Axes, found: Study) -> None:
    for (name, color, measures), style in zip(_pair(found), ("-", "--"), strict=True):
        lower, upper = measures.unit_bounds
        label = f"{name}, bounds {lower:.1f} and {upper:.1f} dB"
        axes.plot(measures.hertz, measures.coverage, style, color=color, label=label)
        for bound in (lower, upper):
            axes.axhline(bound, color=color, linestyle=":", linewidth=1)
    axes.set(title="coverage at unit norm (dotted: frame bounds)")
    axes.set(xlabel="frequency (Hz)", ylabel="dB of signals / stride")
    axes.legend(fontsize="small")


def _energy(axes: Axes, found: Study) -> None:
    styles = {
        "separator": ("the separator's own weights", SEPARATOR, "*-"),
        "learned": ("learned, least squares", LEARNED, "o-"),
        "gabor": ("Gabor, least squares", GABOR, "s--"),
    }
    for name, share in found.shares.items():
        label, color, style = styles[name]
        axes.plot(found.counts, 100 * share, style, color=color, markersize=5, label=label)
    axes.set(title="energy in the largest weights", xlabel="largest weights of each frame")
    axes.set(ylabel="share of all energy (%)", ylim=(0, 102))
    _octaves(axes, found.counts)
    axes.legend(fontsize="small", loc="lower right")


def _resynthesis(axes: Axes, found: Study, fits: list[Fit]) -> None:
    lengths = [fit.length for fit in fits if fit.basis == "Gabor" and fit.length != found.frames.basis_length]
    colors = dict(zip(lengths, OTHER_LENGTHS, strict=False)) | {found.frames.basis_length: GABOR}
    markers = dict(zip([found.frames.basis_length, *lengths], MARKERS, strict=False))
    for fit in fits:
        means: Array = fit.si_snr.mean(axis=1)
        if fit.basis == "learned":
            axes.plot(found.counts, means, "o-", color=LEARNED, markersize=5, label=f"learned, L = {fit.length}")
        else:
            color, marker = colors[fit.length], markers[fit.length]
            label = f"Gabor, L = {fit.length}"
            axes.plot(found.counts, means, marker, linestyle="--", color=color, markersize=4, label=label)
    axes.set(xlabel="basis signals", ylabel=f"SI-SNR (dB, {CEILING:.0f} at most)", ylim=(-30, CEILING + 4))
    _octaves(axes, found.counts)
    axes.legend(fontsize="small")


def _octaves(axes: Axes, counts: tuple[int, ...]) -> None:
    """A logarithmic axis of numbers of signals, labeled by octaves."""
    powers = [2**power for power in range(max(counts).bit_length())]
    axes.set_xscale("log", base=2)
    axes.set_xticks(powers, [str(each) for each in powers])
    axes.grid(color="0.9")
