"""Speak mels and recordings of any length into sound files."""

from pathlib import Path
from tokenize import TokenError

import numpy as np
from rich.console import Console
from rich.progress import Progress

from basis_melgan.audio import files
from basis_melgan.errors import AudioError, MelError
from basis_melgan.inference.mels import AnyMel
from basis_melgan.inference.vocoder import Vocoder


def vocode(source: Path, out: Path, vocoder: Vocoder, force: bool = False) -> None:
    """Speak a mel or a recording into a sound file at the vocoder's sample rate.

    A mel of F frames becomes exactly F·hop samples; a recording, mixed down and resampled to the vocoder's rate,
    exactly as many as it has there. Beyond the mel, and the recording where there is one, memory is bounded.

    Args:
        source: a mel (M, F) of floats in the vocoder's convention as ``.npy``, or a sound file.
        out: sound file to write.
        vocoder: what speaks.
        force: replace `out` if it exists.

    Raises:
        OutputError: `out` exists and `force` is not given, or it cannot be written.
        AudioError: the source is neither kind of file, cannot be decoded, is empty, or holds NaN or infinite samples.
        MelError: the mel does not fit the vocoder, or is empty or damaged.
    """
    files.require_free(out, force)
    suffix = source.suffix.lower()
    if suffix != ".npy" and suffix not in files.SUFFIXES:
        raise AudioError(f"{source}: {suffix or 'no suffix'} is neither a mel (.npy) nor a sound file (.wav, .flac, …)")
    rate = vocoder.info.rate
    if suffix == ".npy":
        mel = read_mel(source)
        samples = vocoder.samples(mel)
        if mel.ndim != 2:
            raise MelError(f"mel of shape {mel.shape}: expected ({vocoder.info.bands}, F), one mel a file")
    else:
        wave = np.concatenate(list(files.stream(source, rate)))
        mel, samples = vocoder.mel(wave, rate), wave.size
    console = Console(stderr=True)
    with (
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
        files.writing(out, rate) as put,
    ):
        task = progress.add_task("speaking", total=samples)
        for piece in vocoder.pieces(mel, samples):
            put(piece)
            progress.advance(task, piece.size)


def read_mel(path: Path) -> AnyMel:
    """Open the array of a ``.npy`` file, which stays on disk until it is used.

    Raises:
        MelError: the file is missing, damaged, or holds something other than one array of numbers.
    """
    try:
        return np.lib.format.open_memmap(path, mode="r")  # which knows neither pickles nor archives
    except FileNotFoundError as error:
        raise MelError(f"{path}: no such file; expected a mel (.npy)") from error
    except (OSError, ValueError, OverflowError, SyntaxError, TokenError) as error:
        raise MelError(f"{path}: damaged or no array of numbers ({error}); save the mel with numpy.save") from error
