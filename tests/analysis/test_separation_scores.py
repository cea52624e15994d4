"""Tables of separation scores: means by corpus and over all."""

from basis_melgan.analysis.separation_scores import COLUMNS, REFERENCES, Scores, SeparationReport, SeparationScores


def make_scores(corpus: str, si_snr: float | None) -> SeparationScores:
    scores: Scores = {wave: dict.fromkeys(COLUMNS, 1.0) for wave in REFERENCES}
    scores["est_wav"]["SI-SNR (dB)"] = si_snr
    return SeparationScores(corpus, "clip", "test", 1.0, scores, {})


def make_report(*clips: SeparationScores) -> SeparationReport:
    return SeparationReport("x.safetensors", 7, "abc", 1, -4.0, clips, ())


def test_the_summary_has_a_row_per_corpus_and_one_over_all_clips():
    lines = make_report(
        make_scores("b", 1.0), make_scores("a", 4.0), make_scores("a", 8.0), make_scores("a", None)
    ).summary()
    head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines.splitlines()]
    assert head[:2] == ["corpus", "clips"]
    column = head.index("est_wav, SI-SNR (dB)")
    assert [(row[0], row[1], row[column]) for row in rows] == [
        ("a", "3", "6.0"),
        ("b", "1", "1.0"),
        ("all", "4", "4.3"),
    ]


def test_the_summary_of_one_corpus_has_one_row():
    assert make_report(make_scores("a", 2.0)).summary().count("\n") == 3


def test_a_missing_mean_is_a_dash():
    assert "| – |" in make_report(make_scores("a", None)).summary()
