"""The command `separate`: separation of a recording of any length into speech and noise, window by window."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from basis_melgan.audio import files
from basis_melgan.audio.arrays import Float32Array
from basis_melgan.audio.files import Wave
from basis_melgan.inference.pretrained import resolve_model
from basis_melgan.models import model_file
from basis_melgan.models.tasnet import SOURCES, SPEECH, Separator
from basis_melgan.storage.paths import require_creatable

DEFAULT_SEPARATOR = "separator-24k"
OUTPUTS = ("speech.wav", "noise.wav")
WINDOW, MIN_OVERLAP = 8.0, 1.0  # seconds; of neighboring windows


def separate(source: Path, out: Path, separator: Path | None = None, force: bool = False) -> None:
    """Separate a recording into ``speech.wav`` and ``noise.wav``, in bounded memory.

    The recording is mixed down to one channel and resampled to the separator's rate. Both files have that rate and as
    many samples as the resampled recording, and add up to it.

    SI-SNR, by which separators are trained, ignores the level of the estimate. The speech is therefore scaled by the
    gain that minimizes the energy of the remainder, which is the noise.

    Args:
        source: sound file of any rate, length and number of channels.
        out: folder for both files, which appear once both are complete.
        separator: a separator's file, or the name of a pretrained one; None is `DEFAULT_SEPARATOR`.
        force: replace existing files.

    Raises:
        OutputError: one of the files exists and `force` is not given, or cannot be written.
        AudioError: the recording is missing, cannot be decoded, is empty, or holds NaN or infinite samples.
        ModelFileError: the separator cannot be used.
    """
    require_creatable(out)
    targets = [out / name for name in OUTPUTS]
    for target in targets:
        files.require_new_sound(target, force)
    samples, source_rate = files.length(source)
    model, config = model_file.load_separator(resolve_model(separator or DEFAULT_SEPARATOR, ".safetensors"))
    rate = config.frames.sample_rate
    console = Console(stderr=True)
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(console=console, transient=True, disable=not console.is_terminal))
        task = progress.add_task("separating", total=samples * rate / source_rate)
        advance = partial(progress.advance, task)
        write_speech, write_noise = [stack.enter_context(files.open_writer(target, rate)) for target in targets]
        estimate_file = stack.enter_context(TemporaryFile())
        gain = np.float32(_store_speech(files.stream(source, rate), model, rate, estimate_file, advance))
        estimate_file.seek(0)
        for mixture in files.stream(source, rate):
            speech = gain * np.frombuffer(estimate_file.read(mixture.nbytes), np.float32)
            write_speech(speech)
            write_noise(mixture - speech)


def _store_speech(
    chunks: Iterable[Wave], separator: Separator, rate: int, file: IO[bytes], advance: Callable[[int], None]
) -> float:
    """Write the speech estimate of a recording to a file as float32, and return its gain.

    Args:
        chunks: consecutive chunks (T,) of the recording.
        separator: in evaluation mode.
        rate: of the recording, in Hz.
        file: open for writing.
        advance: called with the number of samples after each chunk.
    """
    product = energy = 0.0
    for mixture, waves in separate_chunks(chunks, separator, round(WINDOW * rate), round(MIN_OVERLAP * rate)):
        speech = waves[SPEECH]
        product += float(np.dot(mixture, speech))
        energy += float(np.dot(speech, speech))
        file.write(speech.tobytes())
        advance(speech.size)
    return product / energy if energy > 0.0 else 0.0


def separate_chunks(
    chunks: Iterable[Wave], separator: Separator, window: int, overlap: int
) -> Iterator[tuple[Wave, Float32Array]]:
    """Separate a wave in chunks, window by window, with a cross-fade where windows overlap.

    A wave of at most `window` samples gives the result of the separator's `forward`. Each window of a longer one is
    separated independently, so gLN's means and variances are those of a window and not of the whole wave. The mask
    network takes weights normalized frame by frame and its masks scale the mixture itself, so windows agree in scale.
    The cross-fade is a raised cosine, with factors that add up to 1.

    Args:
        chunks: consecutive chunks (T,) of a wave at the separator's sample rate.
        separator: in evaluation mode.
        window: samples per window.
        overlap: least overlap of neighboring windows in samples, below `window`.

    Yields:
        Consecutive chunks of the wave (T,), each with its sources (C, T); as many samples in all as in the input.
    """
    tail: Float32Array = np.empty((SOURCES, 0), np.float32)
    for wave, advance in _windows(chunks, window, overlap):
        with torch.inference_mode():
            waves: Float32Array = separator(torch.from_numpy(wave)[None]).waves[0].numpy()
        fade = _fade_in(tail.shape[1])
        waves[:, : fade.size] = (1 - fade) * tail + fade * waves[:, : fade.size]
        yield wave[:advance], waves[:, :advance]
        tail = waves[:, advance:]


def _windows(chunks: Iterable[Wave], window: int, overlap: int) -> Iterator[tuple[Wave, int]]:
    """Windows (T,) of a wave, each with its distance to the next in samples; the last one with its own length.

    Every window of a long wave has full length, since a short one would have poor statistics: the last overlaps its
    neighbor by more where necessary.
    """
    step, buffer = window - overlap, np.empty(0, np.float32)
    for chunk in chunks:
        buffer = np.concatenate([buffer, chunk])
        while len(buffer) >= window + step:
            yield buffer[:window], step
            buffer = buffer[step:]
    if len(buffer) > window:
        yield buffer[:window], len(buffer) - window
        buffer = buffer[-window:]
    yield buffer, len(buffer)


def _fade_in(samples: int) -> Wave:
    """A symmetric raised cosine (T,) from 0 to 1."""
    return np.square(np.sin(np.pi / 2 * (np.arange(samples) + 0.5) / max(samples, 1))).astype(np.float32)
