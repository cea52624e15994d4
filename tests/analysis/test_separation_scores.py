"""Tables of what a separator makes of clips: means by corpus and over all."""

from basis_melgan.analysis.separation_scores import COLUMNS, SOURCES, Report, Scores, Utterance


def utterance(corpus: str, noisy: float | None) -> Utterance:
    scores: Scores = {wave: dict.fromkeys(COLUMNS, 1.0) for wave in SOURCES}
    scores["est_wav"]["SI-SNR (dB)"] = noisy
    return Utterance(corpus, "clip", "test", 1.0, scores, {})


def report(*utterances: Utterance) -> Report:
    return Report("x.safetensors", 7, "abc", 1, -4.0, utterances, ())


def test_the_summary_has_a_row_per_corpus_and_one_over_all_clips():
    lines = report(utterance("b", 1.0), utterance("a", 4.0), utterance("a", 8.0), utterance("a", None)).summary()
    head, _, *rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines.splitlines()]
    assert head[:2] == ["corpus", "clips"]
    noisy = head.index("est_wav, SI-SNR (dB)")
    assert [(row[0], row[1], row[noisy]) for row in rows] == [("a", "3", "6.0"), ("b", "1", "1.0"), ("all", "4", "4.3")]


def test_one_corpus_needs_no_row_over_all():
    assert report(utterance("a", 2.0)).summary().count("\n") == 3


def test_a_mean_that_nobody_has_is_a_dash():
    assert "| – |" in report(utterance("a", None)).summary()
