"""The report of a preparation: `OUT/report.json` with skipped recordings and issues, and a one-line summary."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from basis_melgan.corpus.convert import Result
from basis_melgan.corpus.manifest import SPLITS, Corpus
from basis_melgan.errors import CorpusError
from basis_melgan.storage.atomic import write_text

REPORT_NAME = "report.json"


def write(out: Path, results: Sequence[Result], ignored: dict[str, int], max_unusable_fraction: float) -> None:
    """Write `report.json`, then check the fraction of unusable recordings.

    Args:
        out: folder of the corpus.
        results: of all recordings.
        ignored: number of files that are not sound files, by suffix.
        max_unusable_fraction: largest fraction of recordings that may be unusable.

    Raises:
        CorpusError: too many recordings, or all of them, are unusable.
        OutputError: the report cannot be written.
    """
    skipped = [result for result in results if result.reason]
    reasons = Counter(result.reason for result in skipped)
    content = {
        "recordings": len(results),
        "reasons": dict(sorted(reasons.items())),
        "skipped": [{"file": result.source, "reason": result.reason, "detail": result.detail} for result in skipped],
        "issues": _issue_counts(results),
        "files_with_issues": [{"file": result.source, **result.issues} for result in results if result.issues],
        "ignored_files": ignored,
    }
    path = out / REPORT_NAME
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
    if len(skipped) > max_unusable_fraction * len(results) or len(skipped) == len(results):
        reason, count = max(reasons.items(), key=lambda entry: (entry[1], entry[0]))
        raise CorpusError(
            f"{len(skipped)} of {len(results)} recordings are unusable, most often: {reason} ({count}); the limit is "
            f"{max_unusable_fraction:.0%}; see {path}, then repair or remove them, or raise "
            "corpus.max_unusable_fraction"
        )


def summary(corpus: Corpus, results: Sequence[Result], converted: Sequence[Result]) -> str:
    """Return one line with the size of a corpus, what was skipped, and the speed of this run."""
    counts = ", ".join(f"{len(corpus.split(split))} {split}" for split in SPLITS)
    skipped = len(results) - len(corpus.clips)
    issues = "".join(f"; {count} {kind}" for kind, count in _issue_counts(results).items())
    reference = f" (see {corpus.folder / REPORT_NAME})" if skipped or issues else ""
    seconds = sum(result.samples for result in converted) / corpus.sample_rate
    cpu_seconds = sum(result.cpu_seconds for result in converted)
    speed = f"{seconds / cpu_seconds:.0f}× real time per core" if seconds else "nothing to convert"
    return (
        f"{corpus.folder}: {corpus.seconds() / 3600:.2f} h; {counts} clips; {skipped} skipped{issues}{reference}; "
        f"{speed}"
    )


def _issue_counts(results: Sequence[Result]) -> dict[str, int]:
    """Return the number of recordings with each kind of issue."""
    return dict(sorted(Counter(kind for result in results for kind in result.issues).items()))
