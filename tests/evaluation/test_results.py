"""Results: means over corpora, paired differences, and what the tables say."""

import csv
import io

import pytest

from basis_melgan.evaluation.results import Described, Results
from basis_melgan.evaluation.scoring import ClipScores
from basis_melgan.metrics.table import Column

COLUMNS = (Column("MCD", "dB", False), Column("PESQ-WB", "", True))


def results(*clips: ClipScores, left_out: dict[str, str] | None = None) -> Results:
    systems = tuple(Described(name, name) for name in dict.fromkeys(clip.system for clip in clips))
    return Results(systems, "test", "abc", COLUMNS, left_out or {}, clips)


def clip(system: str, corpus: str, name: str, mcd: float | None, compute: float | None = None) -> ClipScores:
    scores = {} if mcd is None else {"MCD": mcd}
    return ClipScores(system, corpus, name, "", 2.0, compute, scores, {} if scores else {"MCD": "no reason"})


def test_the_row_over_all_corpora_weighs_every_clip_alike():
    found = results(clip("x", "a", "1", 1.0), clip("x", "a", "2", 2.0), clip("x", "b", "1", 6.0)).summary("x")
    assert {row: (means["MCD"].mean, means["MCD"].clips) for row, means in found.items()} == {
        "a": (1.5, 2),
        "b": (6.0, 1),
        "all": (3.0, 3),
    }
    assert list(found["a"]) == ["MCD"]


def test_differences_are_over_the_clips_that_both_systems_have():
    found = results(
        *(clip("x", "a", name, mcd) for name, mcd in (("1", 1.0), ("2", 2.0), ("3", None))),
        *(clip("y", "a", name, mcd) for name, mcd in (("1", 1.5), ("2", 3.0), ("3", 9.0))),
    )
    assert found.differences("y")["a"]["MCD"].mean == pytest.approx(0.75)
    assert found.differences("y")["a"]["MCD"].clips == 2
    table = found.table().splitlines()
    assert table[2] == "| MCD (dB) ↓ | 1.500 [1.000, 2.000] (2 clips) | 4.500 [1.500, 9.000] |"
    assert "Difference from x, clip by clip:" in table
    assert "| MCD (dB) ↓ | +0.750 [+0.500, +1.000] (2 clips) |" in table
    assert table[-1] == "- x, a/3, MCD: no reason"


def test_speed_is_compute_over_audio_where_there_is_any():
    found = results(clip("x", "a", "1", 1.0, compute=0.5), clip("y", "a", "1", 1.0))
    assert found.speed("x") == (0.25, None, 1)
    assert found.speed("y") is None
    assert "Real-time factor, one thread: x 0.2500" in found.table()


def test_the_table_says_in_which_precision_vocoders_are():
    clips = (clip("x", "a", "1", 1.0), clip("y", "a", "1", 2.0), clip("recording", "a", "1", 0.0))
    for precisions, line in (
        (("int8", "int8", None), "Precision: x int8, y int8"),
        (
            ("float32", "int8", None),
            "Precision: x float32, y int8: differences between them include what 8 bits cost; compare files of one "
            "precision to leave that out.",
        ),
    ):
        systems = zip(("x", "y", "recording"), precisions, strict=True)
        described = tuple(Described(name, name, precision=precision) for name, precision in systems)
        found = Results(described, "test", "abc", COLUMNS, {}, clips)
        assert line in found.table().splitlines()
        assert found.mixed_precision() == (line if "float32" in precisions else "")
    assert "Precision" not in results(*clips).table()


def test_a_column_that_was_left_out_is_told():
    found = results(clip("x", "a", "1", 1.0), left_out={"DNSMOS": "needs speechmos"})
    assert found.table().endswith("Left out:\n\n- DNSMOS: needs speechmos")


def test_csv_has_a_line_per_clip_and_system_and_holds_the_reasons():
    text = results(clip("x", "a", "1", 1.25, compute=1.0), clip("x", "a", "2", None)).as_csv()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["clip"], row["MCD"], row["PESQ-WB"], row["real-time factor"]) for row in rows] == [
        ("1", "1.25", "", "0.5"),
        ("2", "", "", ""),
    ]
    assert rows[1]["not scored"] == "MCD: no reason"
