"""From recordings to a prepared corpus: each is read, checked, resampled and stored as 16-bit FLAC; no PyTorch.

`OUT/sources.jsonl` logs the result of every recording. An interrupted run resumes from it, and a run over unchanged
recordings changes nothing.
"""

import random
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from basis_melgan.audio import files
from basis_melgan.config.schema import Config, CorpusConfig
from basis_melgan.corpus import recipes, report
from basis_melgan.corpus.convert import (
    MAX_CLIPPED_FRACTION,
    SILENCE_DBFS,
    Result,
    Task,
    convert,
    file_stamp,
    result_from_dict,
)
from basis_melgan.corpus.ids import assign_ids
from basis_melgan.corpus.listing import Entry
from basis_melgan.corpus.manifest import Clip, Corpus, save
from basis_melgan.corpus.splits import assign_splits
from basis_melgan.errors import CorpusError
from basis_melgan.progress import track
from basis_melgan.storage.parallel import map_unordered, process_count
from basis_melgan.storage.paths import require_output_folder
from basis_melgan.storage.progress_log import ProgressLog, stored_lines

LOG_NAME = "sources.jsonl"
WORKDIR_NAME = "source"  # where recipes unpack downloads
SAMPLE_SEED = 1  # of corpus.max_clips; fixed, so that everyone gets the same clips


def prepare(recipe_name: str, out: Path, source: Path | None, config: Config, jobs: int | None = None) -> Corpus:
    """Prepare a corpus, resuming an earlier run into the same folder.

    Splits follow the sorted file names: the last `corpus.test_clips` are test, the `corpus.validation_clips` before
    them validation, the others train. In a small corpus, test and validation get at most a third (see
    `assign_splits`).

    Args:
        recipe_name: a name in `recipes.RECIPES`.
        out: folder of the prepared corpus; new, empty, or prepared earlier from the same recordings.
        source: folder of the recordings; None if the recipe downloads them.
        config: `frames.sample_rate` and `corpus` are used.
        jobs: number of worker processes; None for one per core.

    Returns:
        The corpus as `manifest.load` reads it.

    Raises:
        CorpusError: unknown recipe, missing or wrong source, too many unusable recordings, or `out` was prepared
            otherwise.
        OutputError: `out` holds other files, or cannot be written.
    """
    recipe = recipes.find_recipe(recipe_name)
    source = source and source.resolve()
    log = _progress_log(out, recipe_name, source, config)
    entries = assign_ids(recipe.list_entries(source, out.resolve() / WORKDIR_NAME))
    entries = _sample(entries, config.corpus.max_clips or recipe.max_clips)
    if not entries:
        raise CorpusError(f"{source or recipe_name}: recipe {recipe_name} finds no recordings there; check the source")
    results, converted = _convert_entries(entries, out, config, log, process_count(jobs))
    ignored = (
        files.count_other_files(source, files.SOUND_SUFFIXES | files.UNSUPPORTED_SUFFIXES)
        if source and recipe_name == "folder"
        else {}
    )
    report.write(out, results, ignored, config.corpus.max_unusable_fraction)
    clips = _clips(entries, results, config.corpus)
    corpus = Corpus(out, out.resolve().name, recipe_name, config.frames.sample_rate, clips)
    _remove_stale_files(out / "flac", {clip.file for clip in clips})
    save(corpus)
    Console(stderr=True).print(
        report.summary(corpus, results, converted), markup=False, highlight=False, soft_wrap=True
    )
    return corpus


def _progress_log(out: Path, recipe: str, source: Path | None, config: Config) -> ProgressLog:
    """Return the log of this run, after checking that `out` is new, empty, or prepared from the same recordings."""
    if source is not None and out.resolve().is_relative_to(source):
        raise CorpusError(f"{out}: lies inside the recordings {source}; choose a folder elsewhere")
    rules = {
        "minimum_seconds": config.corpus.minimum_seconds,
        "silence_dbfs": SILENCE_DBFS,
        "max_clipped_fraction": MAX_CLIPPED_FRACTION,
    }
    origin = {"recipe": recipe, "source": source and str(source), "sample_rate": config.frames.sample_rate}
    log = ProgressLog(out / LOG_NAME, origin | {"rules": rules})
    if log.path.is_file():
        _require_origin(log.path, origin)
    elif not (out.is_dir() and [path.name for path in out.iterdir()] == [WORKDIR_NAME]):  # an interrupted download
        require_output_folder(out)
    return log


def _require_origin(path: Path, origin: dict[str, Any]) -> None:
    """Check that the results in a log come from the same recipe, source and sample rate."""
    try:
        metadata, *entries = stored_lines(path)
    except ValueError as error:
        raise CorpusError(f"{path}: damaged ({error}); delete {path.parent} and prepare it again") from error
    for key, value in origin.items():
        if entries and metadata.get(key) != value:
            raise CorpusError(
                f"{path.parent}: was prepared with {key} {metadata.get(key)}, not {value}; choose another folder or "
                "delete this one"
            )


def _sample(entries: list[Entry], count: int | None) -> list[Entry]:
    if count is None or count >= len(entries):
        return entries
    return [entries[index] for index in sorted(random.Random(SAMPLE_SEED).sample(range(len(entries)), count))]


def _convert_entries(
    entries: Sequence[Entry], out: Path, config: Config, log: ProgressLog, processes: int
) -> tuple[list[Result], list[Result]]:
    """Convert every recording that the log does not have; return the results of all entries, and the new ones."""
    results = {result.id: result for result in map(result_from_dict, log.resume()) if result}
    tasks = _tasks(entries, out / "flac", config)
    pending = [task for task in tasks if not _is_current(results.get(task.id), task)]
    if pending:  # until they are done, the corpus is incomplete
        (out / "corpus.json").unlink(missing_ok=True)
    converted = []
    with closing(convert_all(pending, processes)) as new_results:
        for result in track(new_results, "prepare", len(pending)):
            log.append(asdict(result))
            converted.append(result)
    results |= {result.id: result for result in converted}
    log.rewrite(asdict(results[task.id]) for task in tasks)
    return [_problem_result(entry) if entry.problem else results[entry.id] for entry in entries], converted


def convert_all(tasks: Sequence[Task], processes: int) -> Generator[Result, None, None]:
    """Yield the results of all tasks as they finish.

    Raises:
        CorpusError: a worker was killed.
    """
    return map_unordered(convert, tasks, processes, "run again with fewer jobs; finished recordings are kept")


def _tasks(entries: Iterable[Entry], folder: Path, config: Config) -> list[Task]:
    return [
        Task(entry.id, str(entry.path), str(folder / f"{entry.id}.flac"), config.frames.sample_rate, config.corpus)
        for entry in entries
        if not entry.problem
    ]


def _is_current(result: Result | None, task: Task) -> bool:
    """Whether a result is of the unchanged source of a task, and its clip, if any, is complete."""
    if result is None or result.source != task.source or result.source_stamp != file_stamp(Path(task.source)):
        return False
    target = Path(task.target)
    return bool(result.reason) or (target.is_file() and target.stat().st_size == result.bytes)


def _problem_result(entry: Entry) -> Result:
    """Return the result of an entry that is not a recording."""
    return Result(entry.id, str(entry.path), file_stamp(entry.path), reason=entry.problem, detail=entry.detail)


def _clips(entries: Sequence[Entry], results: Sequence[Result], rules: CorpusConfig) -> tuple[Clip, ...]:
    usable = [(entry, result) for entry, result in zip(entries, results, strict=True) if not result.reason]
    splits = assign_splits(len(usable), rules.test_clips, rules.validation_clips)
    return tuple(
        Clip(entry.id, f"flac/{entry.id}.flac", result.samples, split, entry.speaker, entry.text, result.sha256)
        for (entry, result), split in zip(usable, splits, strict=True)
    )


def _remove_stale_files(folder: Path, clip_files: set[str]) -> None:
    """Remove clips of deleted recordings and partial files of interrupted runs."""
    for path in folder.glob("*"):
        if f"flac/{path.name}" not in clip_files and path.suffix in (".flac", ".part"):
            path.unlink()
