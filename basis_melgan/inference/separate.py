"""Split a recording of any length into speech and noise, window by window."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import Progress

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.inference.pretrained import resolve_model
from basis_melgan.models import model_file
from basis_melgan.models.tasnet import SOURCES, SPEECH, Separator
from basis_melgan.storage.paths import require_creatable

DEFAULT_VOCODER = "separator-24k"
OUTPUTS = ("speech.wav", "noise.wav")
WINDOW, OVERLAP = 8.0, 1.0  # seconds; the least that neighboring windows overlap

Waves = npt.NDArray[np.float32]


def separate(source: Path, out: Path, separator: Path | None = None, force: bool = False) -> None:
    """Separate a recording into ``speech.wav`` and ``noise.wav``, in bounded memory.

    The recording is mixed down to one channel and resampled to the separator's rate. Both files are written at that
    rate with exactly as many samples as the resampled recording, and add up to it.

    SI-SNR, by which a separator is trained, leaves the level of its estimate open. Here speech gets the one gain by
    which it takes most of the recording's energy away, and noise is what remains.

    Args:
        source: sound file of any rate, length and number of channels.
        out: folder for both files, which take their places once all has been written.
        separator: a separator's file, or the name of a released one; None for that.
        force: replace files of an earlier run.

    Raises:
        OutputError: one of the files exists and `force` is not given, or cannot be written.
        AudioError: the recording is missing, cannot be decoded, is empty, or holds NaN or infinite samples.
        ModelFileError: the separator cannot be used.
    """
    require_creatable(out)
    targets = [out / name for name in OUTPUTS]
    for target in targets:
        files.require_free(target, force)
    samples, source_rate = files.length(source)
    model, config = model_file.load_separator(resolve_model(separator or DEFAULT_VOCODER, ".safetensors"))
    rate = config.frames.sample_rate
    console = Console(stderr=True)
    with ExitStack() as stack:
        progress = stack.enter_context(Progress(console=console, transient=True, disable=not console.is_terminal))
        task = progress.add_task("separating", total=samples * rate / source_rate)
        put_speech, put_noise = [stack.enter_context(files.writing(target, rate)) for target in targets]
        held = stack.enter_context(TemporaryFile())
        product = energy = 0.0
        for mixture, waves in separated(files.stream(source, rate), model, round(WINDOW * rate), round(OVERLAP * rate)):
            speech = waves[SPEECH]
            product += float(np.dot(mixture, speech))
            energy += float(np.dot(speech, speech))
            held.write(speech.tobytes())
            progress.advance(task, speech.size)
        gain = np.float32(product / energy if energy > 0.0 else 0.0)
        held.seek(0)
        for mixture in files.stream(source, rate):
            speech = gain * np.frombuffer(held.read(mixture.nbytes), np.float32)
            put_speech(speech)
            put_noise(mixture - speech)


def separated(pieces: Iterable[Wave], separator: Separator, window: int, overlap: int) -> Iterator[tuple[Wave, Waves]]:
    """Separate a wave that comes in pieces by windows that are cross-faded where they overlap.

    A wave of at most `window` samples comes out as the separator's own `forward` makes it. In a longer one each window
    is separated alone, so gLN's means and variances are those of a window and not of the whole wave. The mask network
    sees weights normalized frame by frame and its masks scale the mixture itself, so windows agree in scale; a raised
    cosine passes from one estimate to the next, whose factors add up to 1.

    Args:
        pieces: consecutive pieces (T,) of a wave at the separator's sample rate.
        separator: ready to infer.
        window: samples that are separated at once.
        overlap: samples by which neighboring windows overlap at least, below `window`.

    Yields:
        Consecutive stretches of the wave (T,), each with its sources (C, T); as many samples as went in.
    """
    tail: Waves = np.empty((SOURCES, 0), np.float32)
    for wave, advance in _windows(pieces, window, overlap):
        with torch.inference_mode():
            waves: Waves = separator(torch.from_numpy(wave)[None]).waves[0].numpy()
        rising = _fade(tail.shape[1])
        waves[:, : rising.size] = (1 - rising) * tail + rising * waves[:, : rising.size]
        yield wave[:advance], waves[:, :advance]
        tail = waves[:, advance:]


def _windows(pieces: Iterable[Wave], window: int, overlap: int) -> Iterator[tuple[Wave, int]]:
    """Windows (T,) of a wave, and how many samples after each the next begins; after the last, its whole length.

    Every window of a long wave is whole, since a short one would have poor statistics: the last overlaps the one before
    by more where it must.
    """
    step, held = window - overlap, np.empty(0, np.float32)
    for piece in pieces:
        held = np.concatenate([held, piece])
        while len(held) >= window + step:
            yield held[:window], step
            held = held[step:]
    if len(held) > window:
        yield held[:window], len(held) - window
        held = held[-window:]
    yield held, len(held)


def _fade(samples: int) -> Wave:
    """A raised cosine (T,) from 0 to 1, symmetrical."""
    return np.square(np.sin(np.pi / 2 * (np.arange(samples) + 0.5) / max(samples, 1))).astype(np.float32)
