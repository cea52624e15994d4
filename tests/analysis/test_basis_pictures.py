"""The picture of a study: what its panels show, and that every axis has its unit."""

import numpy as np
import pytest

from basis_melgan.analysis import basis_pictures
from basis_melgan.analysis.basis_measures import measure
from basis_melgan.analysis.basis_study import Fit, Study
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.models.bases.gabor import gabor

FRAMES = FrameGeometry()
COUNTS = (1, 2, 4, 8, 16)


@pytest.fixture(scope="module")
def found() -> Study:
    rng = np.random.default_rng(0)
    basis = rng.standard_normal((16, FRAMES.basis_length)).astype(np.float32)
    basis[3] = 0.0
    shares = {name: np.linspace(0.2, 1.0, 5) for name in ("separator", "learned", "gabor")}
    kinds = [("learned", 30), ("Gabor", 14), ("Gabor", 30), ("Gabor", 60), ("Gabor", 120)]
    fits = tuple(Fit(*kind, signed, rng.uniform(-20, 100, (5, 2))) for signed in (True, False) for kind in kinds)
    learned, other = measure(basis, FRAMES), measure(gabor(16, FRAMES.basis_length), FRAMES)
    return Study(FRAMES, learned, other, COUNTS, shares, fits, np.array([40.0, 50.0]))


@pytest.fixture(scope="module")
def panels(found: Study) -> dict:
    return {axes.get_title(): axes for axes in basis_pictures.study(found).axes}


def lines(axes) -> dict:
    """Points of each labeled line."""
    return {line.get_label(): line.get_xydata() for line in axes.lines if not line.get_label().startswith("_")}


def test_every_panel_names_its_units(panels: dict) -> None:
    expected = {
        "learned: spectra": ("basis signal, by peak frequency", "frequency (Hz)"),
        "Gabor: spectra": ("basis signal, by peak frequency", "frequency (Hz)"),
        "learned: time shapes": ("sample", "signals that peak at (Hz)"),
        "Gabor: time shapes": ("sample", "signals that peak at (Hz)"),
        "bandwidth": ("peak frequency (Hz)", "−3 dB bandwidth (Hz)"),
        "time shape": ("center (samples)", "RMS duration (samples)"),
        "coverage at unit norm (dotted: frame bounds)": ("frequency (Hz)", "dB of signals / stride"),
        "energy in the largest weights": ("largest weights of each frame", "share of all energy (%)"),
        "re-synthesis, signed weights (least squares)": ("basis signals", "SI-SNR (dB, 100 at most)"),
        "re-synthesis, non-negative weights": ("basis signals", "SI-SNR (dB, 100 at most)"),
        "": ("", "magnitude, relative to the signal's peak"),  # the color bar
    }
    assert {title: (axes.get_xlabel(), axes.get_ylabel()) for title, axes in panels.items()} == expected


def test_heat_maps_are_relative_to_each_peak(panels: dict) -> None:
    for name in ("learned", "Gabor"):
        (image,) = panels[f"{name}: spectra"].images
        assert tuple(image.get_extent()) == (0, 16, 0, 12_000)
        levels = image.get_array()
        assert (levels.min(), levels.max()) == pytest.approx((0.0, 1.0), abs=1e-3)


def test_points_are_the_measures(panels: dict, found: Study) -> None:
    bandwidths, shapes = lines(panels["bandwidth"]), lines(panels["time shape"])
    for name, measures in (("learned", found.learned), ("Gabor", found.gabor)):
        points = bandwidths[f"{name}, median {np.nanmedian(measures.bandwidths):.0f} Hz"]
        np.testing.assert_array_equal(points, np.stack([measures.peaks, measures.bandwidths], axis=1))
        np.testing.assert_array_equal(shapes[name], np.stack([measures.centers, measures.durations], axis=1))


def test_time_shapes_run_from_the_lowest_to_the_highest_sounding_signal(panels: dict, found: Study) -> None:
    for name, measures in (("learned", found.learned), ("Gabor", found.gabor)):
        axes = panels[f"{name}: time shapes"]
        labels = [float(label.get_text()) for label in axes.get_yticklabels()]
        assert len(labels) == basis_pictures.SHAPES
        assert labels == sorted(labels)
        ends = np.nanmin(measures.peaks), np.nanmax(measures.peaks)
        assert (labels[0], labels[-1]) == pytest.approx(ends, abs=0.5)
        assert tuple(axes.get_xlim()) == (0, 29)


def test_curves_are_the_studys(panels: dict, found: Study) -> None:
    energy = lines(panels["energy in the largest weights"])
    for points in energy.values():
        np.testing.assert_allclose(points, np.stack([COUNTS, 100 * found.shares["gabor"]], axis=1))
    for title, part in (("signed weights (least squares)", found.fits[:5]), ("non-negative weights", found.fits[5:])):
        drawn = lines(panels[f"re-synthesis, {title}"])
        for fit in part:
            np.testing.assert_allclose(
                drawn[f"{fit.basis}, L = {fit.length}"], np.stack([COUNTS, fit.si_snr.mean(axis=1)], axis=1)
            )
    own = lines(panels["re-synthesis, non-negative weights"])["the separator's own"]
    np.testing.assert_array_equal(own, [[16, 45.0]])


def test_coverage_lies_between_its_dotted_bounds(panels: dict, found: Study) -> None:
    axes = panels["coverage at unit norm (dotted: frame bounds)"]
    dotted = [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"]
    np.testing.assert_allclose(dotted, [*found.learned.unit_bounds, *found.gabor.unit_bounds])


def test_lines_of_one_panel_differ_in_color_and_marker(panels: dict) -> None:
    for title in ("re-synthesis, signed weights (least squares)", "re-synthesis, non-negative weights"):
        drawn = panels[title].lines
        assert len({line.get_color() for line in drawn}) == len({line.get_marker() for line in drawn}) == len(drawn)
