"""Figure of a study of a basis: nine panels that compare the learned basis with a Gabor basis."""

from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from basis_melgan.analysis.basis_properties import BasisProperties
from basis_melgan.analysis.basis_study import MAX_SI_SNR, BasisStudy, Fit
from basis_melgan.audio.arrays import Float64Array
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.plotting import basis_spectra

# Okabe and Ito's colors, distinguishable with any color vision; markers and dashes repeat the distinction.
LEARNED, GABOR, SEPARATOR = "#D55E00", "#0072B2", "#000000"
OTHER_LENGTHS = ("#56B4E9", "#009E73", "#CC79A7")
MARKERS = "s^vD"
WAVEFORMS = 9  # atoms of which the waveform is shown


class BasisStyle(NamedTuple):
    """A basis and its style in the figure."""

    name: str
    color: str
    marker: str
    line: str
    properties: BasisProperties


def basis_study_figure(study: BasisStudy) -> Figure:
    """Spectra, waveforms, bandwidths, coverage, energy of the largest weights and resynthesis, with units."""
    figure = Figure(figsize=(16, 12.5), layout="constrained")
    spectra_row, properties_row, weights_row = figure.subfigures(3, 1, squeeze=False)[:, 0]
    _plot_spectra(spectra_row, study)
    bandwidth, time_shape, coverage = properties_row.subplots(1, 3)
    _plot_bandwidths(bandwidth, study)
    _plot_time_shapes(time_shape, study)
    _plot_coverage(coverage, study)
    energy, signed, non_negative = weights_row.subplots(1, 3)
    _plot_energy(energy, study)
    _plot_resynthesis(signed, study, [fit for fit in study.fits if fit.signed])
    signed.set_title("resynthesis, signed weights (least squares)")
    _plot_resynthesis(non_negative, study, [fit for fit in study.fits if not fit.signed])
    non_negative.set_title("resynthesis, non-negative weights")
    count, mean = len(study.learned.atoms), study.separator.mean()
    non_negative.plot(count, mean, "*", color=SEPARATOR, markersize=13, label="separator's estimate")
    non_negative.legend(fontsize="small")
    return figure


def _styles(study: BasisStudy) -> tuple[BasisStyle, BasisStyle]:
    return (
        BasisStyle("learned", LEARNED, "o", "-", study.learned),
        BasisStyle("Gabor", GABOR, "+", "--", study.gabor),
    )


def _plot_spectra(row: SubFigure, study: BasisStudy) -> None:
    """Heat maps of both bases, and waveforms of some atoms of each."""
    panels = row.subplots(1, 4, width_ratios=(2, 2, 1, 1))
    for axes, waveform_axes, style in zip(panels[:2], panels[2:], _styles(study), strict=True):
        spectra = basis_spectra(style.properties.atoms.astype(np.float32), study.frames)
        extent = (0, len(style.properties.atoms), spectra.hertz[0], spectra.hertz[-1])
        image = axes.imshow(spectra.magnitudes.T, origin="lower", aspect="auto", extent=extent, cmap="magma")
        axes.set(title=f"{style.name}: spectra", xlabel="atom, by peak frequency", ylabel="frequency (Hz)")
        _plot_waveforms(waveform_axes, style.properties, study.frames, style.color)
        waveform_axes.set_title(f"{style.name}: waveforms")
    row.colorbar(image, ax=panels[1], label="magnitude, relative to the atom's peak")


def _plot_waveforms(axes: Axes, properties: BasisProperties, frames: FrameGeometry, color: str) -> None:
    """Some atoms that are not silent, evenly spaced from the lowest to the highest peak frequency, stacked."""
    audible = np.flatnonzero(np.isfinite(properties.peaks))
    rows = audible[np.unique(np.linspace(0, len(audible) - 1, WAVEFORMS).round().astype(int))]
    for offset, row in enumerate(rows):
        axes.axhline(offset, color="0.85", linewidth=0.8)
        atom = properties.atoms[row]
        axes.plot(offset + 0.45 * atom / np.abs(atom).max(), color=color, linewidth=1.3)
    axes.set_yticks(range(len(rows)), [f"{properties.peaks[row]:.0f}" for row in rows])
    axes.set(xlabel="sample", ylabel="peak frequency of the atom (Hz)", xlim=(0, frames.basis_length - 1))


def _plot_bandwidths(axes: Axes, study: BasisStudy) -> None:
    for name, color, marker, _, properties in _styles(study):
        label = f"{name}, median {np.nanmedian(properties.bandwidths):.0f} Hz"
        axes.plot(properties.peaks, properties.bandwidths, marker, color=color, markersize=4, alpha=0.7, label=label)
    axes.set(title="bandwidth", xlabel="peak frequency (Hz)", ylabel="−3 dB bandwidth (Hz)", ylim=(0, None))
    axes.legend(fontsize="small")


def _plot_time_shapes(axes: Axes, study: BasisStudy) -> None:
    for name, color, marker, _, properties in _styles(study):
        axes.plot(properties.centers, properties.durations, marker, color=color, markersize=4, alpha=0.7, label=name)
    length = study.frames.basis_length
    axes.axhline(length / np.sqrt(12), color="0.5", linestyle=":", label="constant over all samples")
    axes.set(title="time shape", xlabel="center (samples)", ylabel="RMS duration (samples)")
    axes.set(xlim=(0, length - 1), ylim=(0, None))
    axes.legend(fontsize="small")


def _plot_coverage(axes: Axes, study: BasisStudy) -> None:
    for name, color, _, line, properties in _styles(study):
        lower, upper = properties.unit_bounds
        label = f"{name}, bounds {lower:.1f} and {upper:.1f} dB"
        axes.plot(properties.frequencies, properties.coverage, line, color=color, label=label)
        for bound in (lower, upper):
            axes.axhline(bound, color=color, linestyle=":", linewidth=1)
    axes.set(title="coverage at unit norm (dotted: frame bounds)")
    axes.set(xlabel="frequency (Hz)", ylabel="dB of atoms / stride")
    axes.legend(fontsize="small")


def _plot_energy(axes: Axes, study: BasisStudy) -> None:
    styles = {
        "separator": ("separator's weights", SEPARATOR, "*-"),
        "learned": ("learned, least squares", LEARNED, "o-"),
        "gabor": ("Gabor, least squares", GABOR, "s--"),
    }
    for name, fractions in study.energy_fractions.items():
        label, color, line = styles[name]
        axes.plot(study.counts, 100 * fractions, line, color=color, markersize=5, label=label)
    axes.set(title="energy in the largest weights", xlabel="largest weights of each frame")
    axes.set(ylabel="fraction of the energy (%)", ylim=(0, 102))
    _set_octave_ticks(axes, study.counts)
    axes.legend(fontsize="small", loc="lower right")


def _plot_resynthesis(axes: Axes, study: BasisStudy, fits: list[Fit]) -> None:
    lengths = [fit.length for fit in fits if fit.basis == "Gabor" and fit.length != study.frames.basis_length]
    colors = dict(zip(lengths, OTHER_LENGTHS, strict=False)) | {study.frames.basis_length: GABOR}
    markers = dict(zip([study.frames.basis_length, *lengths], MARKERS, strict=False))
    for fit in fits:
        means: Float64Array = fit.si_snr.mean(axis=1)
        label = f"{fit.basis}, L = {fit.length}"
        if fit.basis == "learned":
            axes.plot(study.counts, means, "o-", color=LEARNED, markersize=5, label=label)
        else:
            color, marker = colors[fit.length], markers[fit.length]
            axes.plot(study.counts, means, marker, linestyle="--", color=color, markersize=4, label=label)
    axes.set(xlabel="atoms", ylabel=f"SI-SNR (dB, at most {MAX_SI_SNR:.0f})", ylim=(-30, MAX_SI_SNR + 4))
    _set_octave_ticks(axes, study.counts)
    axes.legend(fontsize="small")


def _set_octave_ticks(axes: Axes, counts: tuple[int, ...]) -> None:
    """Set a logarithmic axis of counts with a tick per octave."""
    powers = [2**exponent for exponent in range(max(counts).bit_length())]
    axes.set_xscale("log", base=2)
    axes.set_xticks(powers, [str(power) for power in powers])
    axes.grid(color="0.9")
