"""Scores of a separator's estimates on clips, as tables."""

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

# The reference of each scored wave; None where the ideal estimate is silence.
REFERENCES = {
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
COLUMNS = {"SI-SNR (dB)": 1, "PESQ-WB": 2, LEVEL: 1}  # with their decimals

Scores = dict[str, dict[str, float | None]]  # by wave and column; None for a missing score


@dataclass(frozen=True)
class SeparationScores:
    """Scores of one clip.

    Attributes:
        corpus: name of the corpus.
        clip: id of the clip.
        split: split of the clip.
        scale: factor of all written waves, below 1 where one would clip.
        scores: by wave and column.
        failures: reason for each missing score, by `WAVE, COLUMN`.
    """

    corpus: str
    clip: str
    split: Split
    scale: float
    scores: Scores
    failures: dict[str, str]


@dataclass(frozen=True)
class SeparationReport:
    """Scores of a separator on clips with white noise.

    Attributes:
        separator: name of the separator's file.
        step: training step of the separator.
        data_hash: hash of the corpora.
        seed: of the clip selection and the noise.
        snr: ratio of speech to noise in dB.
        clips: scores per clip.
        notes: remarks below the table.
    """

    separator: str
    step: int
    data_hash: str
    seed: int
    snr: float
    clips: tuple[SeparationScores, ...]
    notes: tuple[str, ...]

    def means(self, corpus: str | None = None) -> Scores:
        """Mean of each column by wave, over the clips of one corpus or of all; None where no clip has a score."""
        clips = [clip for clip in self.clips if corpus in (None, clip.corpus)]

        def mean(wave: str, column: str) -> float | None:
            values = [score for clip in clips if (score := clip.scores[wave][column]) is not None]
            return sum(values) / len(values) if values else None

        return {wave: {column: mean(wave, column) for column in COLUMNS} for wave in REFERENCES}

    def summary(self) -> str:
        """Markdown table of mean scores of speech estimates, a row per corpus and one over all."""
        waves = [wave for wave, reference in REFERENCES.items() if reference == "original"]
        columns = [(wave, column) for wave in waves for column in METRICS]
        counts = Counter(clip.corpus for clip in self.clips)
        rows = []
        for name in [*sorted(counts), *([None] if len(counts) > 1 else [])]:
            means = self.means(name)
            cells = [_cell(means[wave][column], column) for wave, column in columns]
            rows.append([name or "all", counts[name] if name else len(self.clips), *cells])
        header = ["corpus", "clips", *(f"{wave}, {column}" for wave, column in columns)]
        return "\n".join(markdown.table(header, rows)) + "\n"

    def table(self) -> str:
        """Markdown table of the scores of each wave of each clip, their means, and the notes."""
        labels = [f"{index}: {clip.corpus}/{clip.clip} ({clip.split})" for index, clip in enumerate(self.clips)]
        scores = [*zip(labels, (clip.scores for clip in self.clips), strict=True)]
        scores.append((f"mean of {len(self.clips)}", self.means()))
        rows = (
            [label, wave, reference or "silence", *(_cell(by_wave[wave][column], column) for column in COLUMNS)]
            for label, by_wave in scores
            for wave, reference in REFERENCES.items()
        )
        title = f"`{self.separator}` at step {self.step}; white noise at an SNR of {self.snr:g} dB (seed {self.seed})."
        table = markdown.table(["clip", "wave", "reference", *COLUMNS], rows, labels=3)
        return "\n".join([title, "", *table, "", *(f"- {note}" for note in self.notes)]) + "\n"

    def to_json(self) -> str:
        """The scores and their means as JSON text."""
        content = {"basis_melgan": __version__, **asdict(self), "means": self.means()}
        return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def score_waves(waves: dict[str, Wave], rate: int, scale: float) -> tuple[Scores, dict[str, str]]:
    """Score the estimates among waves (T,), and give the reasons for missing scores; levels are those after scaling."""
    scores: Scores = {}
    failures = {}
    for name, reference in REFERENCES.items():
        power = float(np.mean(np.square(waves[name], dtype=np.float64))) * scale**2
        scores[name] = dict.fromkeys(METRICS) | {LEVEL: 10.0 * math.log10(power) if power > 0.0 else None}
        if reference is None:
            continue
        for column, metric in METRICS.items():
            try:
                score = metric(waves[reference], waves[name], rate)
            except AudioError as error:
                failures[f"{name}, {column}"] = str(error)
                continue
            if math.isfinite(score):
                scores[name][column] = score
            else:
                failures[f"{name}, {column}"] = f"is {score}"
    return scores, failures


def _cell(score: float | None, column: str) -> str:
    return "–" if score is None else f"{score:.{COLUMNS[column]}f}"
