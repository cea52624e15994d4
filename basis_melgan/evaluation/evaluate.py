"""Evaluation of systems on a split of prepared corpora: of one system, or of several on the same clips."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basis_melgan import __version__
from basis_melgan.config.schema import Split
from basis_melgan.corpus import manifest
from basis_melgan.errors import ConfigurationError, CorpusError, OutputError
from basis_melgan.evaluation.results import RESULTS, Results, SystemInfo
from basis_melgan.evaluation.scoring import Task, score_tasks
from basis_melgan.evaluation.systems import (
    RECORDING,
    SOUND_SUFFIXES,
    System,
    SystemSpec,
    VocoderSystem,
    load_system,
    resolve_systems,
)
from basis_melgan.evaluation.tables import csv_table, markdown_table, mixed_precision_note
from basis_melgan.metrics.table import available_metrics
from basis_melgan.storage import hashing
from basis_melgan.storage.atomic import write_text
from basis_melgan.storage.parallel import process_count
from basis_melgan.storage.paths import require_output_folder, require_writable_file
from basis_melgan.storage.progress_log import ProgressLog

PROGRESS_LOG = "scores.jsonl"  # name of the file in the folder of a comparison
MARKER = ".basis-melgan"  # name of the file that marks a folder of waves as written by this package


@dataclass(frozen=True)
class EvalConfig:
    """The clips to evaluate systems on, and how.

    Attributes:
        corpus: a prepared corpus, or a folder of several.
        split: the split to evaluate.
        quick: skip the slow metrics: torchcrepe's pitch, DNSMOS, speaker similarity and phoneme errors.
        jobs: number of processes, with one thread each; None for one per core.
    """

    corpus: Path
    split: Split = "test"
    quick: bool = False
    jobs: int | None = None


@dataclass(frozen=True)
class Output:
    """A system to evaluate and the folder for its waves; None to discard them."""

    spec: SystemSpec
    folder: Path | None


def evaluate_system(
    system: str,
    config: EvalConfig,
    json_path: Path | None = None,
    csv_path: Path | None = None,
    waves: Path | None = None,
) -> Results:
    """Score one system on every clip of a split.

    A clip without a score is listed with the reason. Files of an earlier run are replaced. With `json_path`, an
    interrupted run resumes.

    Args:
        system: what `load_system` takes.
        config: the clips and the metrics.
        json_path: file for the results.
        csv_path: file for the scores of every clip.
        waves: folder for the synthesized waves, `CORPUS/CLIP.wav`: a new or empty one, or one of an earlier run.

    Raises:
        ConfigurationError: unknown system, or one file for JSON and CSV.
        ModelFileError: the vocoder's file cannot be used.
        CorpusError: no corpus, no clip in the split, another sample rate than the vocoder's, or no clip has a score.
        OutputError: a file cannot be written, or a file or `waves` has other content.
    """
    if json_path and json_path == csv_path:
        raise ConfigurationError(f"json and csv: both {json_path}; name two files")
    _require_results_file(json_path, b'{\n "basis_melgan"')
    _require_results_file(csv_path, b"system,corpus,clip,")
    if waves:
        require_output_folder(waves, MARKER)
    log_path = json_path and json_path.with_name(f".{json_path.name}.done")  # deleted when the results are complete
    results = _evaluate([Output(spec, waves) for spec in resolve_systems([system])], config, log_path)
    _write_results(results, json_path, csv_path)
    _require_scores(results, config)
    if log_path:
        log_path.unlink(missing_ok=True)
    return results


def compare_systems(systems: Sequence[str], config: EvalConfig, out: Path, force: bool = False) -> Results:
    """Score several systems on the same clips, with their differences from the first.

    The recordings are always included, as the last system: their scores are the upper bound of each metric. Writes
    `results.json`, `results.csv`, `table.md`, the waves as `waves/SYSTEM/CORPUS/CLIP.wav`, and the progress log
    `scores.jsonl`. An interrupted run resumes, and a later comparison in `out` reuses the scores of unchanged systems.

    Args:
        systems: what `load_system` takes, at least one besides the recording.
        config: the clips and the metrics.
        out: a new or empty folder, or one of an earlier comparison.
        force: replace the results of an earlier comparison in `out`; the scores of unchanged systems are reused.

    Raises:
        ConfigurationError: no system besides the recording, two with the same label, or an unknown one.
        ModelFileError: a vocoder's file cannot be used.
        CorpusError: no corpus, no clip in the split, another sample rate than a vocoder's, or no clip has a score.
        OutputError: `out` has a comparison or other content, or cannot be written.
    """
    systems = [*(system for system in systems if system != RECORDING), RECORDING]
    if len(systems) < 2:
        raise ConfigurationError(f"systems: only {RECORDING}; name at least one to compare with it")
    require_output_folder(out, PROGRESS_LOG)
    if (out / RESULTS).exists() and not force:
        raise OutputError(f"{out}: has results of a comparison; choose another folder, or --force to replace them")
    specs = resolve_systems(systems)
    for spec in specs:
        if spec.source != spec.name:
            print(f"{spec.label}: evaluated from {spec.source}", file=sys.stderr)
    results = _evaluate([Output(spec, out / "waves" / spec.label) for spec in specs], config, out / PROGRESS_LOG)
    _require_scores(results, config)
    write_text(out / "table.md", markdown_table(results) + "\n")
    _write_results(results, out / RESULTS, out / "results.csv")
    if note := mixed_precision_note(results):
        print(note, file=sys.stderr)
    return results


def _evaluate(outputs: Sequence[Output], config: EvalConfig, log_path: Path | None) -> Results:
    """Score all systems on all clips of the split."""
    corpora = manifest.load(config.corpus)
    infos, hashes = [], []
    for output in outputs:
        system = load_system(output.spec.source)
        if system.sample_rate is not None:
            manifest.require_rate(corpora, system.sample_rate)
        infos.append(_system_info(output.spec, system))
        hashes.append(_source_hash(system.source))
    manifest.load_clips(corpora, config.split)  # raises for an empty split
    metrics, unavailable = available_metrics(config.quick)
    columns = [column for metric in metrics for column in metric.columns]
    names = frozenset(column.name for column in columns)
    tasks = [
        Task(
            system=output.spec.label,
            source=output.spec.source,
            corpus=corpus.name,
            clip=clip.id,
            recording=corpus.path(clip),
            columns=names,
            wave_path=output.folder and output.folder / corpus.name / f"{clip.id}.wav",
            source_hash=source_hash,
        )
        for corpus in corpora
        for clip in corpus.split(config.split)  # clip by clip, so that the analysis of a recording is cached
        for output, source_hash in zip(outputs, hashes, strict=True)
    ]
    data_hash = manifest.data_hash(corpora)
    run_metadata: dict[str, Any] = {
        "basis_melgan": __version__,
        "split": config.split,
        "data_hash": data_hash,
        "columns": sorted(names),
        "waves": any(output.folder for output in outputs),
    }
    for output in outputs:
        if output.folder:
            write_text(output.folder / MARKER, "Waves written by basis-melgan, which may replace them.\n")
    clips = score_tasks(tasks, process_count(config.jobs), ProgressLog(log_path, run_metadata) if log_path else None)
    return Results.from_scores(infos, config.split, data_hash, columns, unavailable, clips)


def _system_info(spec: SystemSpec, system: System) -> SystemInfo:
    if not isinstance(system, VocoderSystem):
        return SystemInfo(spec.label, spec.name)
    info = system.info
    gmac_per_second = round(info.macs_per_second / 1e9, 3)
    return SystemInfo(spec.label, spec.name, info.parameters, gmac_per_second, info.precision)


def _source_hash(source: Path | None) -> str:
    """Digest of a vocoder's file, or of a folder's sound files with their names; empty for a baseline."""
    if source is None:
        return ""
    if source.is_file():
        return hashing.sha256_of_file(source)
    paths = (path for path in source.rglob("*") if path.suffix in SOUND_SUFFIXES)
    return hashing.sha256_of_texts(f"{path.relative_to(source)} {hashing.sha256_of_file(path)}" for path in paths)


def _write_results(results: Results, json_path: Path | None, csv_path: Path | None) -> None:
    if csv_path:
        write_text(csv_path, csv_table(results))
    if json_path:
        write_text(json_path, results.to_json())


def _require_results_file(path: Path | None, prefix: bytes) -> None:
    """Check, before any work, that a file can be written and that an existing one has results."""
    if path is None:
        return
    require_writable_file(path)
    if not path.exists():
        return
    with path.open("rb") as file:
        if file.read(len(prefix)) not in (prefix, b""):
            raise OutputError(f"{path}: exists and has no results; choose another file")


def _require_scores(results: Results, config: EvalConfig) -> None:
    """Check that at least one clip has a score."""
    if not any(clip.scores for clip in results.clips):
        first = results.clips[0]
        column, reason = next(iter(first.failures.items()))
        raise CorpusError(
            f"{config.corpus}: none of {len(results.clips)} {config.split} clips has a score; "
            f"{first.system}, {first.corpus}/{first.clip}, {column}: {reason}"
        )
