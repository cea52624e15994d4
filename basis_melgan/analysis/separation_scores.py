"""Scores of what a separator makes of clips, and the tables of them."""

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from basis_melgan import __version__
from basis_melgan.audio.files import Wave
from basis_melgan.config.schema import Split
from basis_melgan.errors import AudioError
from basis_melgan.metrics.signal import pesq_wb, si_snr
from basis_melgan.storage import markdown

# Each wave that is scored, and the wave it should be: none where there is no noise to estimate.
SOURCES = {
    "mix": "original",
    "est_wav": "original",
    "est_noi": "noi",
    "est_wav_non_noi": "original",
    "est_noi_non_noi": None,
}
METRICS: dict[str, Callable[[Wave, Wave, int], float]] = {
    "SI-SNR (dB)": lambda reference, estimate, _: si_snr(reference, estimate),
    "PESQ-WB": pesq_wb,
}
LEVEL = "level (dBFS)"
COLUMNS = {"SI-SNR (dB)": 1, "PESQ-WB": 2, LEVEL: 1}  # and their decimals

Scores = dict[str, dict[str, float | None]]  # by wave and column; None for what cannot be had


@dataclass(frozen=True)
class Utterance:
    """What came of one clip; `failures` says why a score cannot be had, `scale` was applied to all waves written."""

    corpus: str
    clip: str
    split: Split
    scale: float
    scores: Scores
    failures: dict[str, str]


@dataclass(frozen=True)
class Report:
    """The table: which separator, under which noise (speech over white noise in dB), on which clips."""

    separator: str
    step: int
    data_hash: str
    seed: int
    snr: float
    utterances: tuple[Utterance, ...]
    notes: tuple[str, ...]

    def means(self, corpus: str | None = None) -> Scores:
        """Mean of each column by wave, over the clips of a corpus, or of all, that have it."""
        clips = [each for each in self.utterances if corpus in (None, each.corpus)]

        def mean(wave: str, column: str) -> float | None:
            found = [score for each in clips if (score := each.scores[wave][column]) is not None]
            return sum(found) / len(found) if found else None

        return {wave: {column: mean(wave, column) for column in COLUMNS} for wave in SOURCES}

    def summary(self) -> str:
        """Markdown: the means of the speech estimates, a row per corpus and one over all."""
        waves = [wave for wave, source in SOURCES.items() if source == "original"]
        columns = [(wave, column) for wave in waves for column in METRICS]
        counts = Counter(each.corpus for each in self.utterances)
        rows = []
        for name in [*sorted(counts), *([None] if len(counts) > 1 else [])]:
            means = self.means(name)
            cells = [_cell(means[wave][column], column) for wave, column in columns]
            rows.append([name or "all", counts[name] if name else len(self.utterances), *cells])
        header = ["corpus", "clips", *(f"{wave}, {column}" for wave, column in columns)]
        return "\n".join(markdown.table(header, rows)) + "\n"

    def table(self) -> str:
        """Markdown: scores of each wave of each clip, then their means, then what has to be said about them."""
        rows = [
            (f"{i}: {each.corpus}/{each.clip} ({each.split})", each.scores) for i, each in enumerate(self.utterances)
        ]
        title = (
            f"`{self.separator}` at step {self.step}; white noise, speech at {self.snr:g} dB of it (seed {self.seed})."
        )
        scored = (
            [label, wave, source or "silence", *(_cell(scores[wave][column], column) for column in COLUMNS)]
            for label, scores in [*rows, (f"mean of {len(rows)}", self.means())]
            for wave, source in SOURCES.items()
        )
        table = markdown.table(["utterance", "wave", "against", *COLUMNS], scored, labels=3)
        return "\n".join([title, "", *table, "", *(f"- {note}" for note in self.notes)]) + "\n"

    def as_json(self) -> str:
        """The same as JSON text."""
        content = {"basis_melgan": __version__, **asdict(self), "means": self.means()}
        return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def scored(waves: dict[str, Wave], rate: int, scale: float) -> tuple[Scores, dict[str, str]]:
    """Scores of the waves, and the reasons for those that cannot be had."""
    scores: Scores = {}
    failures = {}
    for name, source in SOURCES.items():
        power = float(np.mean(np.square(waves[name], dtype=np.float64))) * scale**2
        scores[name] = dict.fromkeys(METRICS) | {LEVEL: 10.0 * math.log10(power) if power > 0.0 else None}
        if source is None:
            continue
        for column, metric in METRICS.items():
            try:
                score = metric(waves[source], waves[name], rate)
            except AudioError as error:
                failures[f"{name}, {column}"] = str(error)
                continue
            if math.isfinite(score):
                scores[name][column] = score
            else:
                failures[f"{name}, {column}"] = f"came out as {score}"
    return scores, failures


def _cell(score: float | None, column: str) -> str:
    return "–" if score is None else f"{score:.{COLUMNS[column]}f}"
