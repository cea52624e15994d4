"""From recordings to a prepared corpus: each read, judged, resampled once and stored as 16-bit FLAC; no PyTorch.

`OUT/sources.jsonl` remembers what was read and what came of it. A run that was interrupted goes on from there, and a
run over unchanged recordings changes nothing.
"""

import hashlib
import json
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from basis_melgan.audio import files
from basis_melgan.config.schema import Config, CorpusConfig, Split
from basis_melgan.corpus import recipes
from basis_melgan.corpus.convert import MAX_CLIPPED_FRACTION, SILENCE_DBFS, Job, Outcome, convert, stamp
from basis_melgan.corpus.listing import Item
from basis_melgan.corpus.manifest import SPLITS, Clip, Corpus, save
from basis_melgan.errors import CorpusError
from basis_melgan.storage.atomic import write_text
from basis_melgan.storage.parallel import outcomes, processes

SAMPLE_SEED = 1  # of corpus.max_clips, so that everybody gets the same clips
LONGEST_NAME = 150  # bytes of an id; file systems hold 255


def prepare(recipe: str, out: Path, source: Path | None, config: Config, jobs: int | None = None) -> Corpus:
    """Prepare a corpus, resuming where an earlier run into the same folder stopped.

    Splits go by sorted file name: the last `corpus.test_clips` are test, the `corpus.validation_clips` before them
    validation, the rest train. Those two never take more than a third of a small corpus together (see `assign`).

    Args:
        recipe: a name in `recipes.RECIPES`.
        out: the prepared corpus; a new folder, or one this function made of the same recordings.
        source: the recordings; None where the recipe fetches them.
        config: `frames.sample_rate` and `corpus` are used.
        jobs: processes; None for one per core.

    Returns:
        The corpus as `manifest.load` reads it.

    Raises:
        CorpusError: unknown recipe, missing or wrong source, `out` holds something else, too many unusable recordings.
    """
    chosen = recipes.named(recipe)
    rate = config.frames.sample_rate
    source = source and source.resolve()
    _claim(out, recipe, source, rate)
    draw = config.corpus.max_clips or chosen.draw
    items = _drawn(identified(chosen.items(source, out.resolve() / "source")), draw)
    if not items:
        raise CorpusError(f"{source or recipe}: recipe {recipe} finds no recordings there; check the source")
    ledger = _Ledger(out, config.corpus)
    pending = [job for job in _jobs(items, out, rate, config.corpus) if not ledger.knows(job)]
    if pending:  # until they are done, the folder is no whole corpus
        (out / "corpus.json").unlink(missing_ok=True)
    fresh = _convert_all(pending, ledger, processes(jobs))
    outcomes = [_fault(item) if item.fault else ledger.outcomes[item.id] for item in items]
    ledger.settle([outcome for item, outcome in zip(items, outcomes, strict=True) if not item.fault])
    passed_over = files.passed_over(source, files.SOUND | files.FOREIGN) if source and recipe == "folder" else {}
    _report(out, outcomes, passed_over, config.corpus.max_unusable_fraction)
    corpus = Corpus(out, out.resolve().name, recipe, rate, _clips(items, outcomes, config.corpus))
    _prune(out / "flac", {clip.file for clip in corpus.clips})
    save(corpus)
    _conclude(corpus, fresh, outcomes)
    return corpus


def assign(clips: int, test: int, validation: int) -> list[Split]:
    """The split of each of `clips` clips in the order of their names.

    Where test and validation would take more than a third of the corpus, both shrink in proportion until they take a
    third, but not below one clip each; fewer than three clips are all for training.
    """
    wanted = test + validation
    if clips < 3:
        test = validation = 0
    elif wanted * 3 > clips:
        test, validation = (min(part, max(1, clips * part // (3 * wanted))) for part in (test, validation))
    train = clips - test - validation
    return [SPLITS[0]] * train + [SPLITS[1]] * validation + [SPLITS[2]] * test


def identified(items: Iterable[Item]) -> list[Item]:
    """Give every item an id that is a safe and unique file name, and sort by the name of the file it will have.

    Sub-folders are joined with `__`; characters other than letters, digits, `.`, `-` and `_` become `_`. A name that
    would collide with an earlier one, even on a file system that ignores case, gets a piece of its own hash.
    """
    taken: set[str] = set()
    named = []
    for item in sorted(items, key=lambda item: (item.id, item.path.as_posix())):
        flat = re.sub(r"[^\w.-]", "_", unicodedata.normalize("NFC", item.id).replace("/", "__")).lstrip(".") or "_"
        name = flat.encode()[:LONGEST_NAME].decode(errors="ignore")
        if name.casefold() in taken or name != flat:
            own = hashlib.sha256(f"{item.id}\n{item.path.suffix}".encode("utf-8", "backslashreplace"))
            name = f"{name}-{own.hexdigest()[:8]}"
        taken.add(name.casefold())
        named.append(replace(item, id=name))
    return sorted(named, key=lambda item: f"{item.id}.flac")


class _Ledger:
    """`sources.jsonl`: a header saying what the folder is for, then one outcome a line, appended as they come."""

    def __init__(self, out: Path, rules: CorpusConfig) -> None:
        self.path = out / "sources.jsonl"
        self.outcomes: dict[str, Outcome] = {}
        header, *lines = self.path.read_text(encoding="utf-8").split("\n")
        self.header: dict[str, Any] = json.loads(header)
        judged = {"minimum_seconds": rules.minimum_seconds, "silence_dbfs": SILENCE_DBFS}
        judged["clipped_share"] = MAX_CLIPPED_FRACTION
        if self.header.get("rules") == judged:
            self.outcomes = {outcome.id: outcome for outcome in _whole_lines(lines)}
        self.header["rules"] = judged
        self._write(self.outcomes.values())

    def knows(self, job: Job) -> bool:
        """Whether this very source was dealt with before and its clip, if it became one, still stands."""
        outcome = self.outcomes.get(job.id)
        if outcome is None or outcome.source != job.source or outcome.stamp != stamp(Path(job.source)):
            return False
        target = Path(job.target)
        return bool(outcome.reason) or (target.is_file() and target.stat().st_size == outcome.bytes)

    def add(self, outcome: Outcome) -> None:
        """Remember an outcome at once, so that an interrupted run need not repeat it."""
        self.outcomes[outcome.id] = outcome
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(outcome)) + "\n")

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Rewrite the file with these outcomes alone, in their order."""
        self._write(outcomes)

    def _write(self, outcomes: Iterable[Outcome]) -> None:
        lines = [json.dumps(self.header), *(json.dumps(asdict(outcome)) for outcome in outcomes)]
        write_text(self.path, "\n".join(lines) + "\n")


def _whole_lines(lines: Sequence[str]) -> Iterator[Outcome]:
    for line in lines:
        try:
            entry = json.loads(line)
            outcome = Outcome(**{**entry, "stamp": tuple(entry["stamp"])})
        except (ValueError, TypeError, KeyError):  # cut off by an interruption, or another version's: then done anew
            continue
        yield outcome


def _claim(out: Path, recipe: str, source: Path | None, rate: int) -> None:
    """Make `out` ours, or see that it was made for the same purpose; a claim of which nothing came yet binds nobody."""
    if source is not None and out.resolve().is_relative_to(source):
        raise CorpusError(f"{out}: lies inside the recordings {source}; choose a folder elsewhere")
    purpose = {"recipe": recipe, "source": source and str(source), "sample_rate": rate}
    ledger = out / "sources.jsonl"
    if not ledger.is_file():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise CorpusError(f"{out}: exists and is no prepared corpus; choose a new or empty folder")
        try:
            (out / "flac").mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CorpusError(f"{out}: cannot be made ({error}); choose a writable place") from error
        write_text(ledger, json.dumps(purpose) + "\n")
    try:
        first, *lines = ledger.read_text(encoding="utf-8").split("\n")
        header = json.loads(first)
    except ValueError as error:
        raise CorpusError(f"{ledger}: damaged ({error}); delete {out} and prepare it again") from error
    if not any(lines):
        write_text(ledger, json.dumps(purpose) + "\n")
        return
    for key, value in purpose.items():
        if header.get(key) != value:
            raise CorpusError(
                f"{out}: was prepared with {key} {header.get(key)}, not {value}; "
                "choose another folder or delete this one"
            )


def _drawn(items: list[Item], draw: int | None) -> list[Item]:
    if draw is None or draw >= len(items):
        return items
    return [items[index] for index in sorted(random.Random(SAMPLE_SEED).sample(range(len(items)), draw))]


def _jobs(items: Iterable[Item], out: Path, rate: int, rules: CorpusConfig) -> list[Job]:
    return [
        Job(item.id, str(item.path), str(out / "flac" / f"{item.id}.flac"), rate, rules)
        for item in items
        if not item.fault
    ]


def _fault(item: Item) -> Outcome:
    """What comes of an item that is no recording."""
    return Outcome(item.id, str(item.path), stamp(item.path), reason=item.fault, detail=item.detail)


def _convert_all(pending: Sequence[Job], ledger: _Ledger, jobs: int) -> list[Outcome]:
    if not pending:
        return []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    fresh = []
    progress = Progress(*columns, console=Console(stderr=True))
    with progress, closing(_outcomes(pending, jobs)) as converted:
        for outcome in progress.track(converted, total=len(pending), description="prepare"):
            ledger.add(outcome)
            fresh.append(outcome)
    return fresh


def _outcomes(pending: Sequence[Job], jobs: int) -> Generator[Outcome, None, None]:
    return outcomes(convert, pending, jobs, "run again with fewer jobs: what is done is kept")


def _clips(items: Sequence[Item], outcomes: Sequence[Outcome], rules: CorpusConfig) -> tuple[Clip, ...]:
    kept = [(item, outcome) for item, outcome in zip(items, outcomes, strict=True) if not outcome.reason]
    splits = assign(len(kept), rules.test_clips, rules.validation_clips)
    return tuple(
        Clip(item.id, f"flac/{item.id}.flac", outcome.samples, split, item.speaker, item.text, outcome.sha256)
        for (item, outcome), split in zip(kept, splits, strict=True)
    )


def _report(out: Path, outcomes: Sequence[Outcome], passed_over: dict[str, int], maximum_bad: float) -> None:
    bad = [outcome for outcome in outcomes if outcome.reason]
    reasons = Counter(outcome.reason for outcome in bad)
    path = out / "report.json"
    report = {
        "recordings": len(outcomes),
        "reasons": dict(sorted(reasons.items())),
        "skipped": [{"file": outcome.source, "reason": outcome.reason, "detail": outcome.detail} for outcome in bad],
        "mends": _mends(outcomes),
        "mended": [{"file": outcome.source, **outcome.mends} for outcome in outcomes if outcome.mends],
        "passed over": passed_over,
    }
    write_text(path, json.dumps(report, ensure_ascii=False, indent=2) + "\n")
    if len(bad) > maximum_bad * len(outcomes) or len(bad) == len(outcomes):
        worst, count = max(reasons.items(), key=lambda entry: (entry[1], entry[0]))
        raise CorpusError(
            f"{len(bad)} of {len(outcomes)} recordings are unusable, most often: {worst} ({count}); at most "
            f"{maximum_bad:.0%} may be; see {path}, then mend or remove them, or raise corpus.max_unusable_fraction"
        )


def _mends(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many clips are mended, by kind."""
    return dict(sorted(Counter(kind for outcome in outcomes for kind in outcome.mends).items()))


def _prune(folder: Path, keep: set[str]) -> None:
    """Remove clips of recordings that are gone and what an interrupted write left behind."""
    for path in folder.iterdir():
        if f"flac/{path.name}" not in keep and path.suffix in (".flac", ".part"):
            path.unlink()


def _conclude(corpus: Corpus, fresh: Sequence[Outcome], outcomes: Sequence[Outcome]) -> None:
    counts = ", ".join(f"{len(corpus.split(split))} {split}" for split in SPLITS)
    seconds = sum(outcome.samples for outcome in fresh) / corpus.sample_rate
    spent = sum(outcome.cpu for outcome in fresh)
    speed = f"{seconds / spent:.0f}× real time per core" if seconds else "nothing was left to do"
    skipped = len(outcomes) - len(corpus.clips)
    mends = "".join(f"; {count} {kind}" for kind, count in _mends(outcomes).items())
    told = f" (see {corpus.folder / 'report.json'})" if skipped or mends else ""
    print(f"{corpus.folder}: {corpus.seconds() / 3600:.2f} h; {counts} clips; {skipped} skipped{mends}{told}; {speed}")
