"""The command `vocode`: synthesis from a file, from many files in parallel, or from a pipe."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rich import progress as rich_progress
from rich.console import Console

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.errors import BasisMelGANError, ConfigurationError, MelError, OutputError
from basis_melgan.inference.source_selection import (
    FilePair,
    SourceSelection,
    is_collection,
    require_writable_output,
    select_sources,
)
from basis_melgan.inference.sources import STANDARD_STREAM, read_frames, synthesize_source
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.progress import Progress


def vocode(source: str, out: str, vocoder: Vocoder, jobs: int = 1, stream: bool = False, force: bool = False) -> None:
    """Synthesize one or many mels or recordings into sound files at the vocoder's sample rate.

    A mel of F frames becomes exactly F·hop samples. A recording is mixed down and resampled to the vocoder's rate, and
    keeps its number of samples there. Beyond a few copies of a mel, memory is bounded, however long a recording.

    Args:
        source: a mel (M, F) of floats in the vocoder's mel config (.npy, .npz, .pt) or a sound file; a folder of them;
            a pattern such as ``mels/*.npy``; or ``-``, standard input.
        out: sound file to write, a folder for several, or ``-``, standard output: 16-bit samples without a header.
        vocoder: the vocoder.
        jobs: files that are synthesized in parallel.
        stream: read frames from standard input as they arrive, M float32 each, and synthesize each without delay.
        force: replace existing files.

    Raises:
        ConfigurationError: `stream` without standard input, no job, or a folder or a pattern to standard output.
        OutputError: an output exists and `force` is not given, or it cannot be written.
        AudioError: a source is neither kind of file, cannot be decoded, is empty, or holds NaN or infinite samples.
        MelError: a mel does not fit the vocoder, or is empty or damaged.
        BasisMelGANError: some of several files could not be read or synthesized; the others are written.
    """
    if jobs < 1:
        raise ConfigurationError(f"jobs: {jobs}; use 1 or more")
    require_streamable(source, stream)
    if source != STANDARD_STREAM and is_collection(source):
        if out == STANDARD_STREAM:
            raise ConfigurationError(f"out: several waves of {source} cannot go to standard output; name a folder")
        _vocode_files(select_sources(source, Path(out), force), vocoder, jobs)
        return
    if out != STANDARD_STREAM:
        require_writable_output(FilePair(Path(source), Path(out)), force)
    elif sys.stdout is None:
        raise OutputError("standard output: is closed; name a file")
    _write(synthesize_with_progress(source, vocoder, stream), out, vocoder)


def synthesize_with_progress(source: str, vocoder: Vocoder, stream: bool) -> Iterator[Wave]:
    """Synthesize a file or standard input in consecutive chunks (T,), with a progress bar on a terminal.

    Args:
        source: a mel or a sound file, or ``-``.
        vocoder: the vocoder.
        stream: read frames from standard input as they arrive; the source passes `require_streamable`.

    Raises:
        AudioError: the source is neither kind of file, cannot be decoded, is empty, or holds NaN or infinite samples.
        MelError: the mel does not fit the vocoder, or is empty or damaged.
    """
    if stream:
        return _synthesize_frames(vocoder)
    return _track_progress(*synthesize_source(Path(source), vocoder))


def require_streamable(source: str, stream: bool) -> None:
    """Refuse to stream from anything but standard input.

    Raises:
        ConfigurationError: `stream` without standard input.
    """
    if stream and source != STANDARD_STREAM:
        raise ConfigurationError(f"stream: frames come from standard input, not from {source}; give - as the source")


def _vocode_files(selection: SourceSelection, vocoder: Vocoder, jobs: int) -> None:
    """Synthesize files in parallel; a file that fails does not stop the others."""
    pairs, failures = selection.pairs, len(selection.unreadable)
    pool = ThreadPoolExecutor(jobs)
    try:
        with Progress("vocode", len(pairs)) as progress:
            for text in _remarks(selection):
                progress.print(" ".join(text.split()))
            futures = {pool.submit(_vocode_file, pair, vocoder): pair for pair in pairs}
            for future in as_completed(futures):
                progress.advance()
                try:
                    future.result()
                except (BasisMelGANError, OSError, MemoryError) as error:
                    failures += 1
                    source = futures[future].source
                    text = (str(error) or "out of memory").removeprefix(f"{source}: ")
                    progress.print(" ".join(f"{source}: {text}".split()))
    finally:
        pool.shutdown(cancel_futures=True)
    if failures:
        count = len(pairs) + len(selection.unreadable)
        raise BasisMelGANError(f"{failures} of {count} files could not be synthesized; see above")


def _remarks(selection: SourceSelection) -> Iterator[str]:
    """One line for every file that is skipped or gets an unexpected name."""
    for path, reason in selection.unreadable.items():
        yield f"{path}: {reason}"
    for pair in selection.renamed_pairs:
        yield f"{pair.source}: shares its name with another source, so it becomes {pair.output}"
    if selection.other_files:
        counts = Counter(path.suffix or "without a suffix" for path in selection.other_files)
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))
        yield f"skipped, neither mels nor sound: {kinds}"


def _vocode_file(pair: FilePair, vocoder: Vocoder) -> None:
    _write(synthesize_source(pair.source, vocoder).chunks, str(pair.output), vocoder)


def _synthesize_frames(vocoder: Vocoder) -> Iterator[Wave]:
    stream, is_empty = vocoder.stream(), True
    for frames in read_frames(vocoder.info.bands):
        is_empty = False
        yield stream.push(frames)
    if is_empty:
        raise MelError("standard input: holds no frame; expected at least one")
    yield stream.flush()


def _track_progress(chunks: Iterable[Wave], sample_count: int) -> Iterator[Wave]:
    """The same chunks, with a progress bar on a terminal."""
    console = Console(stderr=True)
    with rich_progress.Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("synthesizing", total=sample_count)
        for chunk in chunks:
            yield chunk
            bar.advance(task, chunk.size)


def _write(chunks: Iterable[Wave], out: str, vocoder: Vocoder) -> None:
    """Write chunks (T,) to a sound file, or as samples without a header to standard output."""
    if out != STANDARD_STREAM:
        with files.open_writer(Path(out), vocoder.info.sample_rate) as write_chunk:
            for chunk in chunks:
                write_chunk(chunk)
        return
    try:
        for chunk in chunks:
            sys.stdout.buffer.write(files.to_pcm16(chunk).tobytes())
            sys.stdout.buffer.flush()
    except OSError as error:  # such as a pipe whose reader has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter's last flush fails again
        raise OutputError(f"standard output: cannot be written ({error})") from error
