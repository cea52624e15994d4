"""The study of a basis: its excerpts, its numbers, and the output of `analyze --basis`."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from basis_melgan.analysis.basis_properties import basis_properties
from basis_melgan.analysis.basis_study import MAX_SI_SNR, BasisStudy, energy_fractions, study_basis
from basis_melgan.analysis.clip_selection import ClipSelection
from basis_melgan.analysis.resynthesis import least_squares, non_negative_least_squares
from basis_melgan.analysis.separator import analyze_separator
from basis_melgan.audio import files
from basis_melgan.cli.main import main
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import SeparatorConfig
from basis_melgan.errors import ModelFileError
from basis_melgan.metrics.signal import si_snr
from basis_melgan.models import model_file
from basis_melgan.models.bases.gabor import gabor
from basis_melgan.models.tasnet import SPEECH, Separator

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
SIZES = SeparatorConfig(atoms=24, channels=8, hidden=8, blocks=2, repeats=1)
COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24)


@pytest.fixture(scope="module")
def model() -> Separator:
    torch.manual_seed(0)
    return Separator(SIZES, FrameGeometry()).eval()


@pytest.fixture(scope="module")
def waves() -> list[np.ndarray]:
    """Two clips with a loud tenth of a second each, from sample 9 600 and from 4 815."""
    waves = [files.read(path, 24_000, 14_400)[0] for path in CLIPS[:2]]
    for wave, start in zip(waves, (9_600, 4_815), strict=True):
        wave *= 0.5 / np.abs(wave).max()
        wave[start : start + 2_400] = np.sign(wave[start : start + 2_400] + 1e-9) * 0.9
    return waves


@pytest.fixture(scope="module")
def study(model: Separator, waves: list[np.ndarray]) -> BasisStudy:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("basis_melgan.analysis.basis_study.EXCERPT_SECONDS", 0.1)
        return study_basis(model, waves)


@pytest.fixture(scope="module")
def excerpts(waves: list[np.ndarray]) -> list[np.ndarray]:
    return [waves[0][9_600:12_000], waves[1][4_815:7_215]]


@pytest.fixture(scope="module")
def separator_weights(model: Separator, waves: list[np.ndarray], study: BasisStudy) -> list[np.ndarray]:
    """The separator's speech weights in the loudest parts; the first frame begins before sample 0."""
    with torch.no_grad():
        weights = [model(torch.from_numpy(wave)[None]).weights[0, SPEECH].numpy() for wave in waves]
    rows = study.learned.order
    return [weights[0][rows, 641:801], weights[1][rows, 322:482]]


def expected_fraction(weights: list[np.ndarray], atoms: np.ndarray, count: int) -> float:
    """Fraction of the energy in the largest weights, computed frame by frame."""
    columns = np.concatenate(weights, axis=1).T.astype(np.float64)
    energies = np.square(columns) * np.square(atoms).sum(axis=1)
    return sum(np.sort(frame)[-count:].sum() for frame in energies) / energies.sum()


def test_energy_fractions_of_small_matrices() -> None:
    first, second = np.array([[3.0, 0.0], [1.0, 0.0], [0.0, 2.0]]), np.array([[1.0], [1.0], [2.0]])
    np.testing.assert_allclose(energy_fractions([first, second]), [7 / 10, 9 / 10, 1.0])
    np.testing.assert_array_equal(energy_fractions([np.zeros((2, 5))]), [0.0, 0.0])


def test_energy_fractions_are_of_the_weights_in_the_loudest_part(
    study: BasisStudy, separator_weights, excerpts
) -> None:
    assert study.counts == COUNTS
    bases = {"learned": study.learned.atoms, "gabor": study.gabor.atoms}
    weights = {name: [least_squares(atoms, 15, wave).weights for wave in excerpts] for name, atoms in bases.items()}
    for index, count in enumerate(COUNTS):
        expected = expected_fraction(separator_weights, study.learned.atoms, count)
        assert study.energy_fractions["separator"][index] == pytest.approx(expected, rel=1e-5)
        for name, atoms in bases.items():
            assert study.energy_fractions[name][index] == pytest.approx(
                expected_fraction(weights[name], atoms, count), rel=1e-6
            )
    assert all(fractions[-1] == pytest.approx(1.0) for fractions in study.energy_fractions.values())


def test_properties_are_those_of_the_separators_and_the_gabor_basis(study: BasisStudy, model: Separator) -> None:
    for properties, basis in ((study.learned, model.basis.atoms.detach().numpy()), (study.gabor, gabor(24, 30))):
        for values, expected in zip(properties, basis_properties(basis, FrameGeometry()), strict=True):
            np.testing.assert_array_equal(values, expected)


def test_every_kind_of_basis_is_fitted(study: BasisStudy) -> None:
    kinds = [("learned", 30), ("Gabor", 14), ("Gabor", 30), ("Gabor", 60), ("Gabor", 120)]
    assert [(fit.basis, fit.length) for fit in study.fits] == kinds * 2
    assert [fit.signed for fit in study.fits] == [True] * 5 + [False] * 5
    assert {fit.si_snr.shape for fit in study.fits} == {(len(COUNTS), 2)}


def test_learned_atoms_are_selected_by_energy(study: BasisStudy, separator_weights, excerpts) -> None:
    squares = np.square(np.concatenate(separator_weights, axis=1), dtype=np.float64).sum(axis=1)
    energies = squares * np.square(study.learned.atoms).sum(axis=1)
    loudest = study.learned.atoms[np.argsort(energies)[::-1][:6]]
    for fit, solve in ((study.fits[0], least_squares), (study.fits[5], non_negative_least_squares)):
        expected = [si_snr(wave, solve(loudest, 15, wave).wave.astype(np.float32)) for wave in excerpts]
        np.testing.assert_allclose(fit.si_snr[COUNTS.index(6)], expected, atol=0.01)


def test_each_count_has_its_own_gabor_basis(study: BasisStudy, excerpts) -> None:
    pairs, quarters = gabor(8, 60).astype(np.float64), gabor(8, 60, phases=4).astype(np.float64)
    for fit, solve, basis in (
        (study.fits[3], least_squares, pairs),
        (study.fits[8], non_negative_least_squares, quarters),
    ):
        expected = [si_snr(wave, solve(basis, 30, wave).wave.astype(np.float32)) for wave in excerpts]
        np.testing.assert_allclose(fit.si_snr[COUNTS.index(8)], expected, atol=0.01)


def test_more_atoms_with_signed_weights_are_no_worse_and_enough_are_exact(study: BasisStudy) -> None:
    learned = study.fits[0].si_snr
    assert (np.diff(learned, axis=0) >= -1e-6).all()
    assert (learned[COUNTS.index(16) :] == MAX_SI_SNR).all()
    assert (learned[: COUNTS.index(16)] < 60).all()
    for fit in study.fits[5:]:
        assert (fit.si_snr <= MAX_SI_SNR).all()


def test_the_si_snr_of_the_separators_estimate(study: BasisStudy, model: Separator, waves, excerpts) -> None:
    for index, (wave, start) in enumerate(zip(waves, (9_600, 4_815), strict=True)):
        with torch.no_grad():
            estimate = model(torch.from_numpy(wave)[None]).waves[0, SPEECH].numpy()[start : start + 2_400]
        assert study.separator[index] == pytest.approx(si_snr(excerpts[index], estimate), abs=1e-3)


def test_gabor_atoms_have_at_least_two_samples() -> None:
    small = Separator(SeparatorConfig(atoms=3, channels=2, hidden=2, blocks=1, repeats=1), FrameGeometry(24, 4, 2, 2))
    wave = np.random.default_rng(0).uniform(-1, 1, 200).astype(np.float32)
    assert [fit.length for fit in study_basis(small, [wave]).fits] == [2, 2, 4, 8] * 2


def test_arrays_hold_every_number(study: BasisStudy) -> None:
    arrays = study.arrays()
    np.testing.assert_array_equal(arrays["learned_bandwidths"], study.learned.bandwidths)
    np.testing.assert_array_equal(arrays["gabor_unit_bounds"], study.gabor.unit_bounds)
    np.testing.assert_array_equal(arrays["energy_fraction_separator"], study.energy_fractions["separator"])
    np.testing.assert_array_equal(arrays["si_snr_learned_30_signed"], study.fits[0].si_snr)
    np.testing.assert_array_equal(arrays["si_snr_gabor_120_non_negative"], study.fits[9].si_snr)
    np.testing.assert_array_equal(arrays["counts"], COUNTS)
    assert len(arrays) == 2 * len(study.learned) + 3 + 10 + 2


def test_the_table_has_the_numbers_of_the_study(study: BasisStudy) -> None:
    rows = [line.strip("| ").split(" | ") for line in study.table().splitlines() if re.match(r"\| [^-]", line)]
    by_label = {row[0]: row[1:] for row in rows[:8]}
    low, median, high = np.quantile(study.learned.bandwidths, (0.25, 0.5, 0.75))
    assert by_label["−3 dB bandwidth (Hz): median (quartiles)"][0] == f"{median:.0f} ({low:.0f} to {high:.0f})"
    lower, upper = study.gabor.unit_bounds
    assert by_label["frame bounds A, B at unit norm (dB of N / stride)"][1] == f"{lower:.1f}, {upper:.1f}"
    start = next(index for index, row in enumerate(rows) if row[0] == "k")
    assert rows[start + 1] == ["1", *(f"{100 * fractions[0]:.1f}" for fractions in study.energy_fractions.values())]
    start = next(index for index, row in enumerate(rows) if row[0] == "n")
    assert rows[start][1:3] == ["learned, L = 30, signed", "Gabor, L = 14, signed"]
    assert rows[start + 4] == ["4", *(f"{fit.si_snr[3].mean():.1f}" for fit in study.fits)]
    assert f"the separator's own estimate: {study.separator.mean():.1f} dB" in study.table()


# Through analyze


def test_analyze_writes_the_study_and_prints_it(
    separator: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("basis_melgan.analysis.basis_study.EXCERPT_SECONDS", 0.05)
    monkeypatch.setattr("basis_melgan.progress.FIRST_LINE_SECONDS", 0.0)
    argv = ["analyze", str(separator), str(corpus), "--count", "1"]
    for name in ("first", "second"):
        assert main([*argv[:3], str(tmp_path / name), *argv[3:], "--basis"]) == 0
    output, progress = capsys.readouterr()
    assert main([*argv[:3], str(tmp_path / "without"), *argv[3:]]) == 0
    first, second, without = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("first", "second", "without")
    )
    assert first == second
    assert set(first) - set(without) == {"60_basis_study.png", "60_basis_study.npz", "basis.md"}
    assert {name: first[name] for name in without} == without
    table = (tmp_path / "first" / "basis.md").read_text(encoding="utf-8")
    assert table in output
    assert "resynthesize" in progress
    assert "resynthesize" not in output
    basis, data = np.load(tmp_path / "first" / "60_basis.npz"), np.load(tmp_path / "first" / "60_basis_study.npz")
    np.testing.assert_array_equal(data["learned_order"], basis["order"])
    np.testing.assert_array_equal(data["learned_peaks"], basis["peaks"])


def test_a_silent_basis_raises(separator: Path, corpus: Path, tmp_path: Path) -> None:
    model, config = model_file.load_separator(separator)
    silent = tmp_path / "silent.safetensors"
    state = model.state_dict() | {"basis.atoms": torch.zeros_like(model.basis.atoms)}
    model_file.save(silent, "separator", state, config, model_file.Origin(7, "hash"))
    with pytest.raises(ModelFileError, match=r"^basis: all atoms are silent; train") as raised:
        analyze_separator(
            silent, corpus, tmp_path / "out", ClipSelection(None, 1, "test", 1), -4.0, with_basis_study=True
        )
    assert "\n" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["silent.safetensors"]
