"""The table of measures: what holds for every one of them."""

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.errors import AudioError
from basis_melgan.metrics import table
from basis_melgan.metrics.artifacts import high_band_artifacts

RATE = 24_000
# Those with packages have tests of their own, and know more waves that they cannot judge.
CHEAP = [measure for measure in table.METRICS if not measure.packages and measure.score is not high_band_artifacts]
PERFECT = {"PESQ-WB": 4.644, "STOI": 1.0, "ESTOI": 1.0}  # and 0 for the others


def scores(measure: table.Metric, reference: files.Wave, estimate: files.Wave) -> dict[str, float]:
    found = measure.score(reference, estimate, RATE)
    values = found if isinstance(found, tuple) else (found,)
    return dict(zip((column.name for column in measure.columns), values, strict=True))


@pytest.mark.parametrize("measure", CHEAP, ids=lambda measure: measure.columns[0].name)
def test_a_wave_scores_best_against_itself(measure, speech):
    expected = {column.name: PERFECT.get(column.name, 0.0) for column in measure.columns}
    assert scores(measure, speech, speech) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("measure", CHEAP, ids=lambda measure: measure.columns[0].name)
def test_more_noise_scores_worse_and_reproducibly(measure, speech, noise):
    little, much = scores(measure, speech, speech + 0.1 * noise), scores(measure, speech, speech + noise)
    for column in measure.columns:
        assert (little[column.name] > much[column.name]) == column.higher_is_better
    assert scores(measure, speech, speech + noise) == much


@pytest.mark.parametrize("measure", CHEAP, ids=lambda measure: measure.columns[0].name)
def test_invalid_waves_raise_one_line(measure, speech):
    for broken, message in (
        (speech[:-1], r"shapes: \(47999,\) against \(48000,\)"),
        (np.zeros_like(speech), "estimate: silent"),
        (np.where(np.arange(speech.size) == 9, np.nan, speech), "estimate: holds NaN or Inf"),
    ):
        with pytest.raises(AudioError, match=message) as caught:
            measure.score(speech, broken.astype(np.float32), RATE)
        assert "\n" not in str(caught.value)
    with pytest.raises(AudioError, match="recording: silent"):
        measure.score(np.zeros_like(speech), speech, RATE)


def test_names_of_columns_are_not_used_twice():
    names = [column.name for measure in table.METRICS for column in measure.columns]
    assert len(names) == len(set(names))


def test_quick_omits_slow_metrics_and_an_absent_package_is_named(monkeypatch):
    slow = table.Metric((table.Column("slow", "", True),), lambda *_: 1.0, slow=True)
    absent = table.Metric((table.Column("absent", "", True),), lambda *_: 1.0, packages=("no_such_package",))
    monkeypatch.setattr(table, "METRICS", (CHEAP[0], slow, absent))
    assert table.available_metrics(quick=True)[0] == (CHEAP[0],)
    found, left_out = table.available_metrics(quick=False)
    assert found == (CHEAP[0], slow)
    assert list(left_out) == ["absent"]
    assert "no_such_package" in left_out["absent"]
