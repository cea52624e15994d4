"""Speak mels and recordings of any length: a file, many files side by side, or a pipe."""

import os
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.errors import BasisMelGANError, ConfigurationError, MelError, OutputError
from basis_melgan.inference import sources
from basis_melgan.inference.source_selection import Pair, Selection, is_collection, require_out, select
from basis_melgan.inference.sources import STANDARD
from basis_melgan.inference.vocoder import Vocoder


def vocode(source: str, out: str, vocoder: Vocoder, jobs: int = 1, stream: bool = False, force: bool = False) -> None:
    """Speak a mel or a recording, or many, at the vocoder's sample rate.

    A mel of F frames becomes exactly F·hop samples; a recording, mixed down and resampled to the vocoder's rate,
    exactly as many as it has there. Beyond a few copies of a mel memory is bounded, however long a recording.

    Args:
        source: a mel (M, F) of floats in the vocoder's convention (.npy, .npz, .pt) or a sound file; a folder of them;
            a pattern such as ``mels/*.npy``; or ``-``, standard input.
        out: sound file to write, a folder for several, or ``-``, standard output: 16-bit samples without a header.
        vocoder: what speaks.
        jobs: files that are spoken at once.
        stream: read frames from standard input as they come, M float32 each, and speak each as soon as can be.
        force: replace what exists.

    Raises:
        ConfigurationError: `stream` without standard input, no job, or a folder or a pattern to standard output.
        OutputError: an output exists and `force` is not given, or it cannot be written.
        AudioError: a source is neither kind of file, cannot be decoded, is empty, or holds NaN or infinite samples.
        MelError: a mel does not fit the vocoder, or is empty or damaged.
        BasisMelGANError: of several files, some could not be spoken, or not even read; the others are.
    """
    if jobs < 1:
        raise ConfigurationError(f"jobs: {jobs}; use 1 or more")
    require_streamable(source, stream)
    if source != STANDARD and is_collection(source):
        if out == STANDARD:
            raise ConfigurationError(f"out: what is made of {source} does not go to standard output; name a folder")
        _many(select(source, Path(out), force), vocoder, jobs)
        return
    if out != STANDARD:
        require_out(Pair(Path(source), Path(out)), force)
    elif sys.stdout is None:
        raise OutputError("standard output: is closed; name a file")
    _put(spoken(source, vocoder, stream), out, vocoder)


def spoken(source: str, vocoder: Vocoder, stream: bool) -> Iterator[Wave]:
    """What a vocoder makes of one file or of standard input, in consecutive pieces, with a progress bar.

    Args:
        source: a mel or a sound file, or ``-``.
        vocoder: what speaks.
        stream: read frames from standard input as they come; the source is `require_streamable`.

    Raises:
        AudioError: the source is neither kind of file, cannot be decoded, is empty, or holds NaN or infinite samples.
        MelError: the mel does not fit the vocoder, or is empty or damaged.
    """
    if stream:
        return _streamed(vocoder)
    return _shown(*sources.spoken(Path(source), vocoder))


def require_streamable(source: str, stream: bool) -> None:
    """Refuse to stream from anything but standard input.

    Raises:
        ConfigurationError: `stream` without standard input.
    """
    if stream and source != STANDARD:
        raise ConfigurationError(f"stream: frames come from standard input, not from {source}; give - as the source")


def _many(selection: Selection, vocoder: Vocoder, jobs: int) -> None:
    """Speak files side by side; one that cannot be spoken does not keep the others from it."""
    console = Console(stderr=True)
    pairs, failed = selection.pairs, len(selection.unusable)
    for text in _remarks(selection):
        _show(console, text)
    pool = ThreadPoolExecutor(jobs)
    try:
        with Progress(console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("speaking", total=len(pairs))
            waiting = {pool.submit(_file, pair, vocoder): pair for pair in pairs}
            for done in as_completed(waiting):
                progress.advance(task)
                try:
                    done.result()
                except (BasisMelGANError, OSError, MemoryError) as error:
                    failed += 1
                    text = (str(error) or "out of memory").removeprefix(f"{waiting[done].source}: ")
                    _show(console, f"{waiting[done].source}: {text}")
    finally:
        pool.shutdown(cancel_futures=True)
    if failed:
        count = len(pairs) + len(selection.unusable)
        raise BasisMelGANError(f"{failed} of {count} files could not be spoken; see above")


def _remarks(selection: Selection) -> Iterator[str]:
    """What is passed over, and what is called otherwise than one would expect, a line each."""
    for path, reason in selection.unusable.items():
        yield f"{path}: {reason}"
    for pair in selection.renamed:
        yield f"{pair.source}: shares its name with another source, so it becomes {pair.out}"
    if selection.foreign:
        counts = Counter(path.suffix or "without a suffix" for path in selection.foreign)
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(counts.items()))
        yield f"passed over, neither mels nor sound: {kinds}"


def _show(console: Console, text: str) -> None:
    console.print(" ".join(text.split()), markup=False, highlight=False, soft_wrap=True)


def _file(pair: Pair, vocoder: Vocoder) -> None:
    pieces, _ = sources.spoken(pair.source, vocoder)
    _put(pieces, str(pair.out), vocoder)


def _streamed(vocoder: Vocoder) -> Iterator[Wave]:
    stream, heard = vocoder.stream(), False
    for frames in sources.standard_frames(vocoder.info.bands):
        heard = True
        yield stream.push(frames)
    if not heard:
        raise MelError("standard input: holds no frame; expected at least one")
    yield stream.flush()


def _shown(pieces: Iterable[Wave], samples: int) -> Iterator[Wave]:
    """The same pieces, with a progress bar on a terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("speaking", total=samples)
        for piece in pieces:
            yield piece
            progress.advance(task, piece.size)


def _put(pieces: Iterable[Wave], out: str, vocoder: Vocoder) -> None:
    """Write pieces to a sound file, or as samples without a header to standard output."""
    if out != STANDARD:
        with files.open_writer(Path(out), vocoder.info.sample_rate) as put:
            for piece in pieces:
                put(piece)
        return
    try:
        for piece in pieces:
            sys.stdout.buffer.write(files.to_pcm16(piece).tobytes())
            sys.stdout.buffer.flush()
    except OSError as error:  # such as a pipe whose reader has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter's last flush fails again
        raise OutputError(f"standard output: cannot be written ({error})") from error
