"""The study of a basis: which speech, how its numbers come about, and what `analyze --basis` leaves."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from basis_melgan.analysis import basis_study
from basis_melgan.analysis.basis_measures import measure
from basis_melgan.analysis.basis_study import Study, share_of_largest, study
from basis_melgan.analysis.clip_selection import ClipSelection
from basis_melgan.analysis.resynthesis import least_squares, non_negative
from basis_melgan.analysis.separator import analyze
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
    loud = [files.read(path, 24_000, 14_400)[0] for path in CLIPS[:2]]
    for wave, start in zip(loud, (9_600, 4_815), strict=True):
        wave *= 0.5 / np.abs(wave).max()
        wave[start : start + 2_400] = np.sign(wave[start : start + 2_400] + 1e-9) * 0.9
    return loud


@pytest.fixture(scope="module")
def found(model: Separator, waves: list[np.ndarray]) -> Study:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(basis_study, "SECONDS", 0.1)
        return study(model, waves)


@pytest.fixture(scope="module")
def excerpts(waves: list[np.ndarray]) -> list[np.ndarray]:
    return [waves[0][9_600:12_000], waves[1][4_815:7_215]]


@pytest.fixture(scope="module")
def own_weights(model: Separator, waves: list[np.ndarray], found: Study) -> list[np.ndarray]:
    """The separator's speech weights in the loudest parts; frames begin one before sample 0."""
    with torch.no_grad():
        whole = [model(torch.from_numpy(wave)[None]).weights[0, SPEECH].numpy() for wave in waves]
    rows = found.learned.order
    return [whole[0][rows, 641:801], whole[1][rows, 322:482]]


def pooled_share(weights: list[np.ndarray], signals: np.ndarray, count: int) -> float:
    """Energy in the largest weights of each frame, frame by frame."""
    columns = np.concatenate(weights, axis=1).T.astype(np.float64)
    energies = np.square(columns) * np.square(signals).sum(axis=1)
    return sum(np.sort(frame)[-count:].sum() for frame in energies) / energies.sum()


def test_shares_by_hand() -> None:
    first, second = np.array([[3.0, 0.0], [1.0, 0.0], [0.0, 2.0]]), np.array([[1.0], [1.0], [2.0]])
    np.testing.assert_allclose(share_of_largest([first, second]), [7 / 10, 9 / 10, 1.0])
    np.testing.assert_array_equal(share_of_largest([np.zeros((2, 5))]), [0.0, 0.0])


def test_shares_are_of_the_weights_in_the_loudest_part(found: Study, own_weights, excerpts) -> None:
    assert found.counts == COUNTS
    pairs = {"learned": found.learned.signals, "gabor": found.gabor.signals}
    weights = {name: [least_squares(each, 15, wave).weights for wave in excerpts] for name, each in pairs.items()}
    for place, count in enumerate(COUNTS):
        expected = pooled_share(own_weights, found.learned.signals, count)
        assert found.shares["separator"][place] == pytest.approx(expected, rel=1e-5)
        for name, signals in pairs.items():
            assert found.shares[name][place] == pytest.approx(pooled_share(weights[name], signals, count), rel=1e-6)
    assert all(share[-1] == pytest.approx(1.0) for share in found.shares.values())


def test_measures_are_of_the_separators_basis_and_of_gabors(found: Study, model: Separator) -> None:
    for measures, basis in ((found.learned, model.basis.atoms.detach().numpy()), (found.gabor, gabor(24, 30))):
        for mine, theirs in zip(measures, measure(basis, FrameGeometry()), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_every_kind_of_basis_is_fitted(found: Study) -> None:
    kinds = [("learned", 30), ("Gabor", 14), ("Gabor", 30), ("Gabor", 60), ("Gabor", 120)]
    assert [(fit.basis, fit.length) for fit in found.fits] == kinds * 2
    assert [fit.signed for fit in found.fits] == [True] * 5 + [False] * 5
    assert {fit.si_snr.shape for fit in found.fits} == {(len(COUNTS), 2)}


def test_learned_signals_are_taken_by_the_energy_they_carry(found: Study, own_weights, excerpts) -> None:
    squares = np.square(np.concatenate(own_weights, axis=1), dtype=np.float64).sum(axis=1)
    carried = squares * np.square(found.learned.signals).sum(axis=1)
    loudest = found.learned.signals[np.argsort(carried)[::-1][:6]]
    for fit, kind in ((found.fits[0], least_squares), (found.fits[5], non_negative)):
        expected = [si_snr(wave, kind(loudest, 15, wave).wave.astype(np.float32)) for wave in excerpts]
        np.testing.assert_allclose(fit.si_snr[COUNTS.index(6)], expected, atol=0.01)


def test_gabor_bases_are_made_for_each_number_of_signals(found: Study, excerpts) -> None:
    pairs, quarters = gabor(8, 60).astype(np.float64), gabor(8, 60, phases=4).astype(np.float64)
    for fit, kind, basis in ((found.fits[3], least_squares, pairs), (found.fits[8], non_negative, quarters)):
        expected = [si_snr(wave, kind(basis, 30, wave).wave.astype(np.float32)) for wave in excerpts]
        np.testing.assert_allclose(fit.si_snr[COUNTS.index(8)], expected, atol=0.01)


def test_more_signed_signals_never_do_worse_and_enough_do_all(found: Study) -> None:
    learned = found.fits[0].si_snr
    assert (np.diff(learned, axis=0) >= -1e-6).all()
    assert (learned[COUNTS.index(16) :] == basis_study.CEILING).all()
    assert (learned[: COUNTS.index(16)] < 60).all()
    for fit in found.fits[5:]:
        assert (fit.si_snr <= basis_study.CEILING).all()


def test_the_separators_own_resynthesis(found: Study, model: Separator, waves, excerpts) -> None:
    for place, (wave, start) in enumerate(zip(waves, (9_600, 4_815), strict=True)):
        with torch.no_grad():
            made = model(torch.from_numpy(wave)[None]).waves[0, SPEECH].numpy()[start : start + 2_400]
        assert found.separator[place] == pytest.approx(si_snr(excerpts[place], made), abs=1e-3)


def test_no_gabor_signal_is_shorter_than_two_samples() -> None:
    small = Separator(SeparatorConfig(atoms=3, channels=2, hidden=2, blocks=1, repeats=1), FrameGeometry(24, 4, 2, 2))
    wave = np.random.default_rng(0).uniform(-1, 1, 200).astype(np.float32)
    assert [fit.length for fit in study(small, [wave]).fits] == [2, 2, 4, 8] * 2


def test_arrays_hold_every_number(found: Study) -> None:
    arrays = found.arrays()
    np.testing.assert_array_equal(arrays["learned_bandwidths"], found.learned.bandwidths)
    np.testing.assert_array_equal(arrays["gabor_unit_bounds"], found.gabor.unit_bounds)
    np.testing.assert_array_equal(arrays["share_separator"], found.shares["separator"])
    np.testing.assert_array_equal(arrays["si_snr_learned_30_signed"], found.fits[0].si_snr)
    np.testing.assert_array_equal(arrays["si_snr_gabor_120_non_negative"], found.fits[9].si_snr)
    np.testing.assert_array_equal(arrays["counts"], COUNTS)
    assert len(arrays) == 2 * len(found.learned) + 3 + 10 + 2


def test_the_table_says_the_same(found: Study) -> None:
    rows = [line.strip("| ").split(" | ") for line in found.table().splitlines() if re.match(r"\| [^-]", line)]
    by_label = {row[0]: row[1:] for row in rows[:8]}
    low, middle, high = np.quantile(found.learned.bandwidths, (0.25, 0.5, 0.75))
    assert by_label["−3 dB bandwidth (Hz): median (quartiles)"][0] == f"{middle:.0f} ({low:.0f} to {high:.0f})"
    lower, upper = found.gabor.unit_bounds
    assert by_label["frame bounds A, B at unit norm (dB of N / stride)"][1] == f"{lower:.1f}, {upper:.1f}"
    start = next(place for place, row in enumerate(rows) if row[0] == "k")
    assert rows[start + 1] == ["1", *(f"{100 * share[0]:.1f}" for share in found.shares.values())]
    start = next(place for place, row in enumerate(rows) if row[0] == "n")
    assert rows[start][1:3] == ["learned, L = 30, signed", "Gabor, L = 14, signed"]
    assert rows[start + 4] == ["4", *(f"{fit.si_snr[3].mean():.1f}" for fit in found.fits)]
    assert f"the separator's own: {found.separator.mean():.1f} dB" in found.table()


# Through analyze


def test_analyze_leaves_the_study_and_prints_it(
    separator: Path, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(basis_study, "SECONDS", 0.05)
    words = ["analyze", str(separator), str(corpus), "--count", "1"]
    for name in ("first", "second"):
        assert main([*words[:3], str(tmp_path / name), *words[3:], "--basis"]) == 0
    printed, progress = capsys.readouterr()
    assert main([*words[:3], str(tmp_path / "without"), *words[3:]]) == 0
    first, second, without = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("first", "second", "without")
    )
    assert first == second
    assert set(first) - set(without) == {"60_basis_study.png", "60_basis_study.npz", "basis.md"}
    assert {name: first[name] for name in without} == without
    table = (tmp_path / "first" / "basis.md").read_text(encoding="utf-8")
    assert table in printed
    assert "re-synthesizing" in progress
    assert "re-synthesizing" not in printed
    basis, data = np.load(tmp_path / "first" / "60_basis.npz"), np.load(tmp_path / "first" / "60_basis_study.npz")
    np.testing.assert_array_equal(data["learned_order"], basis["order"])
    np.testing.assert_array_equal(data["learned_peaks"], basis["peaks"])


def test_a_silent_basis_is_refused(separator: Path, corpus: Path, tmp_path: Path) -> None:
    model, config = model_file.load_separator(separator)
    silent = tmp_path / "silent.safetensors"
    state = model.state_dict() | {"basis.atoms": torch.zeros_like(model.basis.atoms)}
    model_file.save(silent, "separator", state, config, model_file.Origin(7, "hash"))
    with pytest.raises(ModelFileError, match=r"^basis: all its signals are silent, nothing to study; train") as raised:
        analyze(silent, corpus, tmp_path / "out", ClipSelection(None, 1, "test", 1, basis=True), -4.0)
    assert "\n" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["silent.safetensors"]
