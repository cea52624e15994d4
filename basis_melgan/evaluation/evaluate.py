"""Measure systems on a split of prepared corpora: one by itself, or several on the same clips."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basis_melgan import __version__
from basis_melgan.config.schema import Split
from basis_melgan.corpus import manifest
from basis_melgan.errors import ConfigurationError, CorpusError, OutputError
from basis_melgan.evaluation.results import RESULTS, Described, Results
from basis_melgan.evaluation.scoring import Job, score
from basis_melgan.evaluation.systems import RECORDING, SUFFIXES, Candidate, System, Vocoder, candidates, system_named
from basis_melgan.metrics.table import available_metrics
from basis_melgan.storage import hashing
from basis_melgan.storage.atomic import write_text
from basis_melgan.storage.journal import Journal
from basis_melgan.storage.parallel import processes
from basis_melgan.storage.paths import require_file, require_folder

SCORES = "scores.jsonl"  # the file in the folder of a comparison that says what is done already
MARK = ".basis-melgan"  # the file in a folder of waves that says whose they are


@dataclass(frozen=True)
class EvalConfig:
    """What systems are measured on, and how.

    Attributes:
        corpus: a prepared corpus, or a folder of several.
        split: the split to measure.
        quick: leave out the slow metrics: torchcrepe's pitch, DNSMOS, the speaker and the phonemes.
        jobs: processes of one thread each; None for one per core.
    """

    corpus: Path
    split: Split = "test"
    quick: bool = False
    jobs: int | None = None


def evaluate(
    system: str, scope: EvalConfig, out_json: Path | None = None, out_csv: Path | None = None, waves: Path | None = None
) -> Results:
    """Measure one system on every clip of a split and print a table: mean and 95 % interval of each metric.

    A clip that cannot be scored is listed with the reason under the table and in the files. Files of an earlier run are
    replaced; a run that was interrupted goes on where it stopped if it writes JSON.

    Args:
        system: what `system_named` takes.
        scope: the clips, and how to measure them.
        out_json: file for the summary and the scores of every clip.
        out_csv: file for the scores of every clip.
        waves: folder for what the system made, as `CORPUS/CLIP.wav`: a new or empty one, or one of an earlier run.

    Raises:
        ConfigurationError: no such system, or one file for JSON and CSV.
        ModelFileError: the vocoder's file cannot be used.
        CorpusError: no corpus, no clip in the split, another sample rate than the vocoder's, or no clip to score.
        OutputError: a file cannot be written, or it or `waves` holds something else.
    """
    if out_json and out_json == out_csv:
        raise ConfigurationError(f"json and csv: both {out_json}; name two files")
    _require_results(out_json, b'{\n "basis_melgan"')
    _require_results(out_csv, b"system,corpus,clip,")
    if waves:
        require_folder(waves, MARK)
    journal = out_json and out_json.with_name(f".{out_json.name}.done")  # until the results are written
    results = _run(candidates([system]), scope, [waves], journal)
    _keep(results, out_json, out_csv)
    _require_scores(results, scope)
    print(results.table())
    if journal:
        journal.unlink(missing_ok=True)
    return results


def compare(systems: Sequence[str], scope: EvalConfig, out: Path, force: bool = False) -> Results:
    """Measure several systems on the same clips, and what the others have over the first, clip by clip.

    The recordings themselves come last, whether they are named or not: theirs is every metric's ceiling. Leaves in the
    folder `out`: `results.json`, `results.csv`, `table.md` (printed too), and what every system made as
    `waves/SYSTEM/CORPUS/CLIP.wav`, and `scores.jsonl`, a line for each wave. A run that was interrupted goes on where
    it stopped, and a later comparison in `out` takes from there what the same systems scored on the same clips.

    Args:
        systems: what `system_named` takes, at least one besides the recording.
        scope: the clips, and how to measure them.
        out: folder to make, or one that is empty or holds an earlier comparison.
        force: replace the results of an earlier comparison in `out`; systems as they were then are not measured anew.

    Raises:
        ConfigurationError: no system besides the recording, two of the same name, or no such system.
        ModelFileError: a vocoder's file cannot be used.
        CorpusError: no corpus, no clip in the split, another sample rate than a vocoder's, or no clip to score.
        OutputError: `out` holds a comparison already, or something else, or cannot be written.
    """
    systems = [*(system for system in systems if system != RECORDING), RECORDING]
    if len(systems) < 2:
        raise ConfigurationError(f"systems: only {RECORDING}; name at least one to compare with it")
    require_folder(out, SCORES)
    if (out / RESULTS).exists() and not force:
        raise OutputError(f"{out}: holds a comparison; choose another folder, or --force to replace it")
    measured = candidates(systems)
    _tell_choices(measured)
    results = _run(measured, scope, [out / "waves" / system.label for system in measured], out / SCORES)
    _require_scores(results, scope)
    write_text(out / "table.md", results.table() + "\n")
    _keep(results, out / RESULTS, out / "results.csv")
    if mixed := results.mixed_precision():
        print(mixed, file=sys.stderr)
    print(results.table(), "", out, sep="\n")
    return results


def _tell_choices(systems: Sequence[Candidate]) -> None:
    """Say which files released vocoders are measured from."""
    for system in systems:
        if system.source != system.name:
            print(f"{system.label}: measured from {system.source}", file=sys.stderr)


def _run(systems: list[Candidate], scope: EvalConfig, waves: Sequence[Path | None], journal: Path | None) -> Results:
    corpora = manifest.load(scope.corpus)
    described, contents = [], []
    for candidate in systems:
        system = system_named(candidate.source)
        if system.rate is not None:
            manifest.require_rate(corpora, system.rate)
        described.append(_described(candidate, system))
        contents.append(_digest(system.source))
    manifest.load_clips(corpora, scope.split)  # raises where there are none
    measures, left_out = available_metrics(scope.quick)
    columns = tuple(column for measure in measures for column in measure.columns)
    names = frozenset(column.name for column in columns)
    jobs = [
        Job(
            *(candidate.source, candidate.label, corpus.name, clip.id, corpus.path(clip), names),
            folder and folder / corpus.name / f"{clip.id}.wav",
            digest,
        )
        for corpus in corpora
        for clip in corpus.split(scope.split)  # in turn, so that what is found in its recording is found once
        for candidate, digest, folder in zip(systems, contents, waves, strict=True)
    ]
    data_hash = manifest.data_hash(corpora)
    identity: dict[str, Any] = {
        "basis_melgan": __version__,
        "split": scope.split,
        "data": data_hash,
        "columns": sorted(names),
        "waves": any(waves),
    }
    for folder in filter(None, waves):
        write_text(folder / MARK, "basis-melgan made these waves, and may replace them.\n")
    kept = Journal(journal, identity) if journal else None
    measured = score(jobs, processes(scope.jobs), kept)
    return Results(tuple(described), scope.split, data_hash, columns, left_out, measured)


def _described(candidate: Candidate, system: System) -> Described:
    if not isinstance(system, Vocoder):
        return Described(candidate.label, candidate.name)
    info, giga = system.info, round(system.info.macs_per_second / 1e9, 3)
    return Described(candidate.label, candidate.name, info.parameters, giga, info.precision)


def _digest(source: Path | None) -> str:
    """Of a vocoder's file, or of the sound files in a folder with their names; a baseline has none."""
    if source is None:
        return ""
    if source.is_file():
        return hashing.of_file(source)
    sound = (path for path in source.rglob("*") if path.suffix in SUFFIXES)
    return hashing.of_parts(f"{path.relative_to(source)} {hashing.of_file(path)}" for path in sound)


def _keep(results: Results, out_json: Path | None, out_csv: Path | None) -> None:
    if out_csv:
        write_text(out_csv, results.as_csv())
    if out_json:
        write_text(out_json, results.as_json())


def _require_results(path: Path | None, beginning: bytes) -> None:
    """Refuse, before any work, a file that cannot be written, or replaced since it is no earlier run's."""
    if path is None:
        return
    require_file(path)
    if not path.exists():
        return
    with path.open("rb") as file:
        if file.read(len(beginning)) not in (beginning, b""):
            raise OutputError(f"{path}: exists already and holds no results; choose another file")


def _require_scores(results: Results, scope: EvalConfig) -> None:
    if not any(clip.scores for clip in results.clips):
        print(results.table())
        clips = f"{len(results.clips)} {scope.split} clips"
        raise CorpusError(f"{scope.corpus}: none of its {clips} could be scored; see the reasons above")
