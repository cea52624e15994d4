"""Results as tables: Markdown for people, CSV for other programs."""

import csv
import io

from basis_melgan.evaluation.estimates import Estimate
from basis_melgan.evaluation.results import Results
from basis_melgan.metrics.table import Column
from basis_melgan.storage import markdown

SPEED = Column("real-time factor", "", False)


def csv_table(results: Results) -> str:
    """A row per clip and system with all scores; a missing score is empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [column.name for column in results.columns]
    writer.writerow(["system", "corpus", "clip", "seconds", *columns, SPEED.name, "not scored"])
    for clip in results.clips:
        speed = "" if clip.real_time_factor is None else clip.real_time_factor
        reasons = "; ".join(f"{name}: {reason}" for name, reason in clip.failures.items())
        scores = [clip.scores.get(column, "") for column in columns]
        writer.writerow([clip.system, clip.corpus, clip.clip, clip.seconds, *scores, speed, reasons])
    return text.getvalue()


def markdown_table(results: Results) -> str:
    """Means of one system by corpus, or of several over all corpora with differences from the first; then notes."""
    corpus = results.corpora()[-1]
    if len(results.systems) == 1:
        means = results.summary[results.baseline]
        counts = {name: results.clip_count(name) for name in means}
        sections = [_means_table(results, means, counts), _speeds(results), _precisions(results)]
    else:
        counts = dict.fromkeys(results.summary, results.clip_count(corpus))
        means = {system: estimates[corpus] for system, estimates in results.summary.items()}
        differences = {system: estimates[corpus] for system, estimates in results.differences.items()}
        sections = [
            _means_table(results, means, counts),
            _speeds(results),
            mixed_precision_note(results) or _precisions(results),
            f"Difference from {results.baseline}, clip by clip:",
            _means_table(results, differences, counts, signed=True),
        ]
    sections += [_unavailable_section(results), _failures_section(results)]
    return "\n\n".join(section for section in sections if section)


def mixed_precision_note(results: Results) -> str:
    """A note on the vocoders' precisions if they differ, empty otherwise."""
    if len({system.precision for system in results.systems if system.precision}) < 2:
        return ""
    return (
        f"{_precisions(results)}: differences include the cost of 8 bits; compare files of one precision to exclude it."
    )


def _means_table(
    results: Results, means: dict[str, dict[str, Estimate]], clips: dict[str, int], signed: bool = False
) -> str:
    """A row per metric and a column per key of `means`."""
    header = ["", *(f"{name} ({clips[name]})" for name in means)]
    rows = (
        [
            column.heading,
            *(_cell(estimates.get(column.name), clips[name], signed) for name, estimates in means.items()),
        ]
        for column in results.columns
    )
    return "\n".join(markdown.table(header, rows))


def _cell(estimate: Estimate | None, clips: int, signed: bool) -> str:
    """Mean and interval, with the number of clips if some have no score."""
    if estimate is None:
        return "–"
    sign = "+" if signed else ""
    interval = f" [{estimate.interval[0]:{sign}.3f}, {estimate.interval[1]:{sign}.3f}]" if estimate.interval else ""
    count = f" ({estimate.clips} clips)" if estimate.clips < clips else ""
    return f"{estimate.mean:{sign}.3f}{interval}{count}"


def _speeds(results: Results) -> str:
    if not results.timing:
        return ""
    speeds = ", ".join(f"{system} {estimate.mean:.4f}" for system, estimate in results.timing.items())
    return f"{SPEED.name.capitalize()}, one thread: {speeds}"


def _precisions(results: Results) -> str:
    precisions = [f"{system.name} {system.precision}" for system in results.systems if system.precision]
    return f"Precision: {', '.join(precisions)}" if precisions else ""


def _unavailable_section(results: Results) -> str:
    lines = [f"- {name}: {reason}" for name, reason in results.unavailable.items()]
    return "\n".join(["Not available:", "", *lines]) if lines else ""


def _failures_section(results: Results) -> str:
    """Clips without a score: one line for the systems and columns that share a reason."""
    columns: dict[tuple[str, str, str], list[str]] = {}  # by system, clip and reason
    for clip in results.clips:
        for column, reason in clip.failures.items():
            columns.setdefault((clip.system, f"{clip.corpus}/{clip.clip}", reason), []).append(column)
    systems: dict[tuple[str, str, str], list[str]] = {}  # by clip, columns and reason
    for (system, clip_name, reason), names in columns.items():
        systems.setdefault((clip_name, ", ".join(names), reason), []).append(system)
    lines = [f"- {', '.join(labels)}, {clip}, {names}: {why}" for (clip, names, why), labels in systems.items()]
    return "\n".join(["Not scored:", "", *lines]) if lines else ""
