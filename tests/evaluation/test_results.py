"""Results: means over corpora, paired differences, files and tables."""

import csv
import io

import pytest

from basis_melgan.evaluation.clip_scores import ClipScores
from basis_melgan.evaluation.estimates import Estimate
from basis_melgan.evaluation.results import Results, SystemInfo
from basis_melgan.evaluation.tables import csv_table, markdown_table, mixed_precision_note
from basis_melgan.metrics.table import Column

COLUMNS = (Column("MCD", "dB", False), Column("PESQ-WB", "", True))


def make_results(*clips: ClipScores, unavailable: dict[str, str] | None = None) -> Results:
    systems = tuple(SystemInfo(name, name) for name in dict.fromkeys(clip.system for clip in clips))
    return Results.from_scores(systems, "test", "abc", COLUMNS, unavailable or {}, clips)


def clip(system: str, corpus: str, name: str, mcd: float | None, compute_seconds: float | None = None) -> ClipScores:
    scores = {} if mcd is None else {"MCD": mcd}
    return ClipScores(
        system=system,
        corpus=corpus,
        clip=name,
        source_hash="",
        seconds=2.0,
        compute_seconds=compute_seconds,
        scores=scores,
        failures={} if scores else {"MCD": "too short"},
    )


def test_load_returns_what_to_json_wrote(tmp_path):
    results = make_results(
        clip("x", "a", "1", 1.25, compute_seconds=0.5),
        clip("x", "b", "2", None, compute_seconds=0.25),
        clip("y", "a", "1", 1.0),
        clip("y", "b", "2", 3.0),
        unavailable={"DNSMOS": "needs speechmos"},
    )
    (tmp_path / "results.json").write_text(results.to_json(), encoding="utf-8")
    assert Results.load(tmp_path / "results.json") == results
    assert [ClipScores.load(scores.to_dict()) for scores in results.clips] == list(results.clips)


def test_a_record_without_a_field_raises():
    record = clip("x", "a", "1", 1.0).to_dict()
    del record["seconds"]
    with pytest.raises(ValueError, match=r"^seconds is missing$"):
        ClipScores.load(record)


def test_the_mean_over_all_corpora_weights_all_clips_equally():
    results = make_results(clip("x", "a", "1", 1.0), clip("x", "a", "2", 2.0), clip("x", "b", "1", 6.0))
    assert {corpus: (means["MCD"].mean, means["MCD"].clips) for corpus, means in results.summary["x"].items()} == {
        "a": (1.5, 2),
        "b": (6.0, 1),
        "all": (3.0, 3),
    }
    assert list(results.summary["x"]["a"]) == ["MCD"]


def test_differences_are_over_the_clips_that_both_systems_have():
    results = make_results(
        *(clip("x", "a", name, mcd) for name, mcd in (("1", 1.0), ("2", 2.0), ("3", None))),
        *(clip("y", "a", name, mcd) for name, mcd in (("1", 1.5), ("2", 3.0), ("3", 9.0))),
    )
    assert results.differences["y"]["a"]["MCD"].mean == pytest.approx(0.75)
    assert results.differences["y"]["a"]["MCD"].clips == 2
    table = markdown_table(results).splitlines()
    assert table[2] == "| MCD (dB) ↓ | 1.500 [1.000, 2.000] (2 clips) | 4.500 [1.500, 9.000] |"
    assert "Difference from x, clip by clip:" in table
    assert "| MCD (dB) ↓ | +0.750 [+0.500, +1.000] (2 clips) |" in table
    assert table[-1] == "- x, a/3, MCD: too short"


def test_the_real_time_factor_is_compute_time_over_duration():
    results = make_results(clip("x", "a", "1", 1.0, compute_seconds=0.5), clip("y", "a", "1", 1.0))
    assert results.timing == {"x": Estimate(0.25, None, 1)}
    assert "Real-time factor, one thread: x 0.2500" in markdown_table(results)


def test_the_table_has_the_precision_of_vocoders():
    clips = (clip("x", "a", "1", 1.0), clip("y", "a", "1", 2.0), clip("recording", "a", "1", 0.0))
    for precisions, line in (
        (("int8", "int8", None), "Precision: x int8, y int8"),
        (
            ("float32", "int8", None),
            "Precision: x float32, y int8: differences include the cost of 8 bits; compare files of one precision to "
            "exclude it.",
        ),
    ):
        systems = zip(("x", "y", "recording"), precisions, strict=True)
        infos = tuple(SystemInfo(name, name, precision=precision) for name, precision in systems)
        results = Results.from_scores(infos, "test", "abc", COLUMNS, {}, clips)
        assert line in markdown_table(results).splitlines()
        assert mixed_precision_note(results) == (line if "float32" in precisions else "")
    assert "Precision" not in markdown_table(make_results(*clips))


def test_the_table_lists_unavailable_columns():
    results = make_results(clip("x", "a", "1", 1.0), unavailable={"DNSMOS": "needs speechmos"})
    assert markdown_table(results).endswith("Not available:\n\n- DNSMOS: needs speechmos")


def test_csv_has_a_row_per_clip_and_system_with_the_reasons():
    results = make_results(clip("x", "a", "1", 1.25, compute_seconds=1.0), clip("x", "a", "2", None))
    rows = list(csv.DictReader(io.StringIO(csv_table(results))))
    assert [(row["clip"], row["MCD"], row["PESQ-WB"], row["real-time factor"]) for row in rows] == [
        ("1", "1.25", "", "0.5"),
        ("2", "", "", ""),
    ]
    assert rows[1]["not scored"] == "MCD: too short"
