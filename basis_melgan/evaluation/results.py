"""What was measured, as JSON, CSV and Markdown tables: means with intervals, and paired differences of systems."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from basis_melgan import __version__
from basis_melgan.evaluation.intervals import Estimate, estimated
from basis_melgan.evaluation.scoring import ClipScores
from basis_melgan.metrics.table import Column
from basis_melgan.storage import markdown

RESULTS = "results.json"  # the file in the folder of a comparison
EVERYTHING = "all"  # the row over all corpora
SPEED = Column("real-time factor", "", False)

Estimates = dict[str, dict[str, Estimate]]  # by corpus and column


@dataclass(frozen=True)
class Described:
    """A system in a report: what it is called, what was given for it, and what it costs where that is known."""

    name: str
    source: str
    parameters: int | None = None
    gmac_per_second: float | None = None
    precision: str | None = None  # of a vocoder's multiplications: float32 or int8


@dataclass(frozen=True)
class Results:
    """Everything that a run measured. The first system is the one that the others are compared with."""

    systems: tuple[Described, ...]
    split: str
    data_hash: str
    columns: tuple[Column, ...]
    left_out: dict[str, str]  # columns that could not be had at all, and why
    clips: tuple[ClipScores, ...]

    def corpora(self) -> list[str]:
        """Names of the corpora, and the row over all of them where there are several."""
        names = list(dict.fromkeys(clip.corpus for clip in self.clips))
        return [*names, EVERYTHING] if len(names) > 1 else names

    def of(self, system: str, corpus: str) -> list[ClipScores]:
        """What one system made of the clips of a corpus, or of all."""
        return [one for one in self.clips if one.system == system and corpus in (one.corpus, EVERYTHING)]

    def summary(self, system: str) -> Estimates:
        """Mean of each column of a system, per corpus and over all clips of all corpora."""
        found = {
            corpus: {c.name: _scores(self.of(system, corpus), c.name) for c in self.columns}
            for corpus in self.corpora()
        }
        return _estimates(found)

    def differences(self, system: str) -> Estimates:
        """Mean of a system's score less the first system's, clip by clip, over the clips that both have."""
        found = {}
        for corpus in self.corpora():
            pairs = list(zip(self.of(system, corpus), self.of(self.systems[0].name, corpus), strict=True))
            found[corpus] = {
                c.name: [
                    a.scores[c.name] - b.scores[c.name] for a, b in pairs if c.name in a.scores and c.name in b.scores
                ]
                for c in self.columns
            }
        return _estimates(found)

    def speed(self, system: str) -> Estimate | None:
        """Seconds of compute per second of audio on one thread; None for a system that computes nothing."""
        factors = [
            one.compute / one.seconds
            for one in self.clips
            if one.system == system and one.compute is not None and one.scores
        ]
        return estimated(factors) if factors else None

    def as_json(self) -> str:
        """All of it as JSON text. Of the same run twice, only `timing` differs."""
        names = [system.name for system in self.systems]
        speeds = {name: speed._asdict() for name in names if (speed := self.speed(name))}
        content: dict[str, Any] = {
            "basis_melgan": __version__,
            "split": self.split,
            "data": self.data_hash,
            "baseline": names[0],
            "columns": [asdict(column) for column in self.columns],
            "left_out": self.left_out,
            "systems": [asdict(system) for system in self.systems],
            "summary": {name: _plain(self.summary(name)) for name in names},
            "differences": {name: _plain(self.differences(name)) for name in names[1:]},
            "clips": [
                self._clip(corpus, clip) for corpus, clip in dict.fromkeys((c.corpus, c.clip) for c in self.clips)
            ],
            "timing": speeds,
        }
        return json.dumps(content, ensure_ascii=False, allow_nan=False, indent=1) + "\n"

    def as_csv(self) -> str:
        """A line per clip and system, a column per figure; empty where there is none."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(
            ["system", "corpus", "clip", "seconds", *(c.name for c in self.columns), SPEED.name, "not scored"]
        )
        for one in self.clips:
            speed = "" if one.compute is None or not one.seconds else one.compute / one.seconds
            reasons = "; ".join(f"{name}: {why}" for name, why in one.failures.items())
            scores = [one.scores.get(column.name, "") for column in self.columns]
            writer.writerow([one.system, one.corpus, one.clip, one.seconds, *scores, speed, reasons])
        return text.getvalue()

    def table(self) -> str:
        """Markdown: means of the one system by corpus, or of several systems over all corpora and their differences."""
        names = [system.name for system in self.systems]
        last = self.corpora()[-1]
        if len(names) == 1:
            means = self.summary(names[0])
            counts = {corpus: len(self.of(names[0], corpus)) for corpus in means}
            parts = [self._grid(means, counts), self._speeds(names), self._precisions()]
        else:
            counts = dict.fromkeys(names, len(self.of(names[0], last)))
            parts = [
                self._grid({name: self.summary(name)[last] for name in names}, counts),
                self._speeds(names),
                self.mixed_precision() or self._precisions(),
                f"Difference from {names[0]}, clip by clip:",
                self._grid({name: self.differences(name)[last] for name in names[1:]}, counts, signed=True),
            ]
        return "\n\n".join([*(part for part in parts if part), *self._notes()])

    def _grid(self, means: dict[str, dict[str, Estimate]], clips: dict[str, int], signed: bool = False) -> str:
        """A row per figure, a column per key of `means`."""
        header = ["", *(f"{name} ({clips[name]})" for name in means)]
        rows = (
            [column.heading, *(_cell(row.get(column.name), clips[name], signed) for name, row in means.items())]
            for column in self.columns
        )
        return "\n".join(markdown.table(header, rows))

    def _speeds(self, names: Sequence[str]) -> str:
        found = {name: speed for name in names if (speed := self.speed(name))}
        if not found:
            return ""
        return f"{SPEED.name.capitalize()}, one thread: " + ", ".join(f"{n} {s.mean:.4f}" for n, s in found.items())

    def mixed_precision(self) -> str:
        """What has to be said where some vocoders multiply in floating point, others in 8 bits; nothing elsewhere."""
        if len({system.precision for system in self.systems if system.precision}) < 2:
            return ""
        return (
            f"{self._precisions()}: differences between them include what 8 bits cost; compare files of one precision "
            "to leave that out."
        )

    def _precisions(self) -> str:
        precisions = [f"{system.name} {system.precision}" for system in self.systems if system.precision]
        return f"Precision: {', '.join(precisions)}" if precisions else ""

    def _notes(self) -> list[str]:
        reasons: dict[tuple[str, str, str], list[str]] = {}  # columns by system, clip and reason
        for one in self.clips:
            for name, why in one.failures.items():
                reasons.setdefault((one.system, f"{one.corpus}/{one.clip}", why), []).append(name)
        shared: dict[tuple[str, str, str], list[str]] = {}  # systems by clip, columns and reason
        for (system, clip, why), names in reasons.items():
            shared.setdefault((clip, ", ".join(names), why), []).append(system)
        lost = [f"- {', '.join(systems)}, {clip}, {names}: {why}" for (clip, names, why), systems in shared.items()]
        absent = [f"- {name}: {why}" for name, why in self.left_out.items()]
        return [
            f"{title}:\n\n" + "\n".join(lines) for title, lines in (("Left out", absent), ("Not scored", lost)) if lines
        ]

    def _clip(self, corpus: str, clip: str) -> dict[str, Any]:
        mine = [one for one in self.clips if (one.corpus, one.clip) == (corpus, clip)]
        return {
            "corpus": corpus,
            "clip": clip,
            "seconds": mine[0].seconds,
            "scores": {one.system: one.scores for one in mine},
            "failures": {one.system: one.failures for one in mine if one.failures},
        }


def _scores(clips: Iterable[ClipScores], column: str) -> list[float]:
    return [clip.scores[column] for clip in clips if column in clip.scores]


def _estimates(found: dict[str, dict[str, list[float]]]) -> Estimates:
    return {
        corpus: {name: estimated(scores) for name, scores in columns.items() if scores}
        for corpus, columns in found.items()
    }


def _plain(estimates: Estimates) -> dict[str, Any]:
    return {corpus: {name: one._asdict() for name, one in columns.items()} for corpus, columns in estimates.items()}


def _cell(estimate: Estimate | None, clips: int, signed: bool) -> str:
    if estimate is None:
        return "–"
    sign = "+" if signed else ""
    interval = f" [{estimate.interval[0]:{sign}.3f}, {estimate.interval[1]:{sign}.3f}]" if estimate.interval else ""
    few = f" ({estimate.clips} clips)" if estimate.clips < clips else ""
    return f"{estimate.mean:{sign}.3f}{interval}{few}"
