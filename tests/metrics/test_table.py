"""The table of metrics: properties of all of them."""

import numpy as np
import pytest

from basis_melgan.audio import files
from basis_melgan.errors import AudioError
from basis_melgan.metrics import table
from basis_melgan.metrics.artifacts import high_band_artifacts

RATE = 24_000
# Metrics of other packages have tests of their own, and refuse further waves.
CHEAP = [metric for metric in table.METRICS if not metric.packages and metric.score is not high_band_artifacts]
PERFECT = {"PESQ-WB": 4.644, "STOI": 1.0, "ESTOI": 1.0}  # and 0 for the others


def scores(metric: table.Metric, reference: files.Wave, estimate: files.Wave) -> dict[str, float]:
    result = metric.score(reference, estimate, RATE)
    values = result if isinstance(result, tuple) else (result,)
    return dict(zip((column.name for column in metric.columns), values, strict=True))


@pytest.mark.parametrize("metric", CHEAP, ids=lambda metric: metric.columns[0].name)
def test_a_wave_scores_best_against_itself(metric, speech):
    expected = {column.name: PERFECT.get(column.name, 0.0) for column in metric.columns}
    assert scores(metric, speech, speech) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("metric", CHEAP, ids=lambda metric: metric.columns[0].name)
def test_more_noise_scores_worse_and_reproducibly(metric, speech, noise):
    little, much = scores(metric, speech, speech + 0.1 * noise), scores(metric, speech, speech + noise)
    for column in metric.columns:
        assert (little[column.name] > much[column.name]) == column.higher_is_better
    assert scores(metric, speech, speech + noise) == much


@pytest.mark.parametrize("metric", CHEAP, ids=lambda metric: metric.columns[0].name)
def test_invalid_waves_raise_one_line(metric, speech):
    for broken, message in (
        (speech[:-1], r"shapes: \(47999,\) against \(48000,\)"),
        (np.zeros_like(speech), "estimate: silent"),
        (np.where(np.arange(speech.size) == 9, np.nan, speech), "estimate: holds NaN or Inf"),
    ):
        with pytest.raises(AudioError, match=message) as caught:
            metric.score(speech, broken.astype(np.float32), RATE)
        assert "\n" not in str(caught.value)
    with pytest.raises(AudioError, match="recording: silent"):
        metric.score(np.zeros_like(speech), speech, RATE)


def test_names_of_columns_are_not_used_twice():
    names = [column.name for metric in table.METRICS for column in metric.columns]
    assert len(names) == len(set(names))


def test_quick_omits_slow_metrics_and_an_absent_package_is_named(monkeypatch):
    slow = table.Metric((table.Column("slow", "", True),), lambda *_: 1.0, slow=True)
    absent = table.Metric((table.Column("absent", "", True),), lambda *_: 1.0, packages=("no_such_package",))
    monkeypatch.setattr(table, "METRICS", (CHEAP[0], slow, absent))
    assert table.available_metrics(quick=True)[0] == (CHEAP[0],)
    available, unavailable = table.available_metrics(quick=False)
    assert available == (CHEAP[0], slow)
    assert list(unavailable) == ["absent"]
    assert "no_such_package" in unavailable["absent"]
