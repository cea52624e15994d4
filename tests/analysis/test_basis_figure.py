"""The figure of a study: the content of its panels, and the units of all axes."""

import numpy as np
import pytest

from basis_melgan.analysis.basis_figure import WAVEFORMS, basis_study_figure
from basis_melgan.analysis.basis_properties import basis_properties
from basis_melgan.analysis.basis_study import BasisStudy, Fit
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.models.bases.gabor import gabor

FRAMES = FrameGeometry()
COUNTS = (1, 2, 4, 8, 16)


@pytest.fixture(scope="module")
def study() -> BasisStudy:
    rng = np.random.default_rng(0)
    basis = rng.standard_normal((16, FRAMES.basis_length)).astype(np.float32)
    basis[3] = 0.0
    fractions = {name: np.linspace(0.2, 1.0, 5) for name in ("separator", "learned", "gabor")}
    kinds = [("learned", 30), ("Gabor", 14), ("Gabor", 30), ("Gabor", 60), ("Gabor", 120)]
    fits = tuple(Fit(*kind, signed, rng.uniform(-20, 100, (5, 2))) for signed in (True, False) for kind in kinds)
    learned, reference = (basis_properties(atoms, FRAMES) for atoms in (basis, gabor(16, FRAMES.basis_length)))
    return BasisStudy(FRAMES, learned, reference, COUNTS, fractions, fits, np.array([40.0, 50.0]))


@pytest.fixture(scope="module")
def panels(study: BasisStudy) -> dict:
    return {axes.get_title(): axes for axes in basis_study_figure(study).axes}


def lines(axes) -> dict:
    """Points of each labeled line."""
    return {line.get_label(): line.get_xydata() for line in axes.lines if not line.get_label().startswith("_")}


def test_all_axes_have_labels_with_units(panels: dict) -> None:
    expected = {
        "learned: spectra": ("atom, by peak frequency", "frequency (Hz)"),
        "Gabor: spectra": ("atom, by peak frequency", "frequency (Hz)"),
        "learned: waveforms": ("sample", "peak frequency of the atom (Hz)"),
        "Gabor: waveforms": ("sample", "peak frequency of the atom (Hz)"),
        "bandwidth": ("peak frequency (Hz)", "−3 dB bandwidth (Hz)"),
        "time shape": ("center (samples)", "RMS duration (samples)"),
        "coverage at unit norm (dotted: frame bounds)": ("frequency (Hz)", "dB of atoms / stride"),
        "energy in the largest weights": ("largest weights of each frame", "fraction of the energy (%)"),
        "resynthesis, signed weights (least squares)": ("atoms", "SI-SNR (dB, at most 100)"),
        "resynthesis, non-negative weights": ("atoms", "SI-SNR (dB, at most 100)"),
        "": ("", "magnitude, relative to the atom's peak"),  # color bar
    }
    assert {title: (axes.get_xlabel(), axes.get_ylabel()) for title, axes in panels.items()} == expected


def test_heat_maps_are_relative_to_the_peak_of_each_atom(panels: dict) -> None:
    for name in ("learned", "Gabor"):
        (image,) = panels[f"{name}: spectra"].images
        assert tuple(image.get_extent()) == (0, 16, 0, 12_000)
        levels = image.get_array()
        assert (levels.min(), levels.max()) == pytest.approx((0.0, 1.0), abs=1e-3)


def test_points_are_the_properties(panels: dict, study: BasisStudy) -> None:
    bandwidths, time_shapes = lines(panels["bandwidth"]), lines(panels["time shape"])
    for name, properties in (("learned", study.learned), ("Gabor", study.gabor)):
        points = bandwidths[f"{name}, median {np.nanmedian(properties.bandwidths):.0f} Hz"]
        np.testing.assert_array_equal(points, np.stack([properties.peaks, properties.bandwidths], axis=1))
        np.testing.assert_array_equal(time_shapes[name], np.stack([properties.centers, properties.durations], axis=1))


def test_waveforms_are_from_the_lowest_to_the_highest_audible_atom(panels: dict, study: BasisStudy) -> None:
    for name, properties in (("learned", study.learned), ("Gabor", study.gabor)):
        axes = panels[f"{name}: waveforms"]
        labels = [float(label.get_text()) for label in axes.get_yticklabels()]
        assert len(labels) == WAVEFORMS
        assert labels == sorted(labels)
        ends = np.nanmin(properties.peaks), np.nanmax(properties.peaks)
        assert (labels[0], labels[-1]) == pytest.approx(ends, abs=0.5)
        assert tuple(axes.get_xlim()) == (0, 29)


def test_curves_are_those_of_the_study(panels: dict, study: BasisStudy) -> None:
    energy = lines(panels["energy in the largest weights"])
    for points in energy.values():
        np.testing.assert_allclose(points, np.stack([COUNTS, 100 * study.energy_fractions["gabor"]], axis=1))
    for title, fits in (("signed weights (least squares)", study.fits[:5]), ("non-negative weights", study.fits[5:])):
        curves = lines(panels[f"resynthesis, {title}"])
        for fit in fits:
            np.testing.assert_allclose(
                curves[f"{fit.basis}, L = {fit.length}"], np.stack([COUNTS, fit.si_snr.mean(axis=1)], axis=1)
            )
    estimate = lines(panels["resynthesis, non-negative weights"])["separator's estimate"]
    np.testing.assert_array_equal(estimate, [[16, 45.0]])


def test_coverage_has_its_bounds_as_dotted_lines(panels: dict, study: BasisStudy) -> None:
    axes = panels["coverage at unit norm (dotted: frame bounds)"]
    dotted = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(dotted, [*study.learned.unit_bounds, *study.gabor.unit_bounds])


def test_lines_of_one_panel_differ_in_color_and_marker(panels: dict) -> None:
    for title in ("resynthesis, signed weights (least squares)", "resynthesis, non-negative weights"):
        curves = panels[title].lines
        assert len({line.get_color() for line in curves}) == len({line.get_marker() for line in curves}) == len(curves)
