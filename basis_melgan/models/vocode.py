"""Speak mel spectrograms and recordings of any length with a trained vocoder."""

from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.console import Console
from rich.progress import Progress

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.audio.mel import convention, mel_spectrogram
from basis_melgan.errors import AudioError, MelError
from basis_melgan.models import release

RELEASED = "speech-24k"
WINDOW = 500  # mel frames spoken at once, 5 s at the paper's hop: half a dozen tensors of 8 MB

Mel = npt.NDArray[np.floating[Any]]


def vocode(source: Path, out: Path, vocoder: Path | None = None, force: bool = False) -> None:
    """Speak a mel or a recording into a sound file at the vocoder's sample rate.

    A mel of F frames becomes exactly F·hop samples; a recording, mixed down and resampled to the vocoder's rate,
    exactly as many as it has there. Beyond the mel, and the recording where there is one, memory is bounded.

    Args:
        source: a mel (M, F) of floats in the vocoder's convention as ``.npy``, or a sound file.
        out: sound file to write.
        vocoder: a vocoder's file; None for the released one.
        force: replace `out` if it exists.

    Raises:
        OutputError: `out` exists and `force` is not given, or it cannot be written.
        AudioError: the source is neither kind of file, cannot be decoded, is empty, or holds NaN or infinite samples.
        MelError: the mel does not fit the vocoder, or is empty or damaged.
        ModelFileError: the vocoder cannot be used.
    """
    files.require_free(out, force)
    suffix = source.suffix.lower()
    if suffix != ".npy" and suffix not in files.SUFFIXES:
        raise AudioError(f"{source}: {suffix or 'no suffix'} is neither a mel (.npy) nor a sound file (.wav, .flac, …)")
    speaker = Speaker(vocoder or release.bundled(RELEASED))
    rate = speaker.config.frames.sample_rate
    if suffix == ".npy":
        mel = read_mel(source)
        samples = speaker.samples(mel)
    else:
        wave = np.concatenate(list(files.stream(source, rate)))
        mel, samples = speaker.mel(wave), wave.size
    console = Console(stderr=True)
    with (
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
        files.writing(out, rate) as put,
    ):
        task = progress.add_task("speaking", total=samples)
        for piece in speaker.pieces(mel, samples):
            put(piece)
            progress.advance(task, piece.size)


def read_mel(path: Path) -> Mel:
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


class Speaker:
    """A trained vocoder that speaks mels and recordings.

    Attributes:
        config: what the vocoder was trained with; `config.mel` and `config.frames` say what its mels are.
    """

    def __init__(self, path: Path) -> None:
        """Load a vocoder's file.

        Raises:
            ModelFileError: the file is missing, damaged, of another kind, or of a later version.
        """
        self._generator, self.config = release.load_vocoder(path)

    def speak(self, mel: Mel) -> Wave:
        """Speak a mel (M, F) of floats in the vocoder's convention as a wave (F·hop,).

        Raises:
            MelError: the mel has another shape, no frame, or values that are not finite or not of the convention.
        """
        return np.concatenate(list(self.pieces(mel, self.samples(mel))))

    def resynthesise(self, wave: Wave, rate: int) -> Wave:
        """Speak a wave (T,) at `rate` Hz again from its mel, as (T',): exactly as long at the vocoder's rate.

        Raises:
            MelError: the wave is empty or holds NaN or infinite samples.
        """
        resampled = files.resample(wave, rate, self.config.frames.sample_rate)
        return np.concatenate(list(self.pieces(self.mel(resampled), resampled.size)))

    def mel(self, wave: Wave) -> Mel:
        """The mel (M, F) of a wave (T,) at the vocoder's rate, F·hop ≥ T.

        An uncentred convention drops what does not fill a frame, so silence fills it.

        Raises:
            MelError: the wave is empty or holds NaN or infinite samples.
        """
        frames = self.config.frames
        if wave.size and not convention(self.config.mel).centred:
            wave = np.pad(wave, (0, -wave.size % frames.hop))
        return mel_spectrogram(wave, self.config.mel, frames)

    def samples(self, mel: Mel) -> int:
        """Samples that the vocoder makes of a mel (M, F): F·hop.

        Raises:
            MelError: as `speak`.
        """
        self._require(mel)
        return self.config.frames.samples(mel.shape[1])

    def pieces(self, mel: Mel, samples: int) -> Iterator[Wave]:
        """The first `samples` samples of what the vocoder makes of a mel (M, F), in consecutive pieces.

        Each piece is spoken with as much of the mel around it as the generator can see, so it equals that part of the
        whole.
        """
        hop, frames, generator = self.config.frames.hop, mel.shape[1], self._generator
        for start in range(0, frames, WINDOW):
            stop = min(start + WINDOW, frames)
            left = max(0, start - generator.past)
            seen = np.array(mel[:, left : stop + generator.lookahead], dtype=np.float32)
            with torch.inference_mode():
                wave: Wave = generator(torch.from_numpy(seen)[None]).wave[0].numpy()
            yield wave[(start - left) * hop : (stop - left) * hop][: max(0, samples - start * hop)]

    def _require(self, mel: Mel) -> None:
        """Refuse a mel that the vocoder was not trained to speak."""
        kind, name = convention(self.config.mel), self.config.mel
        shape = f"mel of shape {mel.shape}"
        if mel.ndim == 2 and mel.shape[0] != kind.bands == mel.shape[1]:
            raise MelError(f"{shape}: looks like (frames, bands); expected ({kind.bands}, F), so transpose it")
        if mel.ndim != 2 or mel.shape[0] != kind.bands:
            raise MelError(f"{shape}: expected ({kind.bands}, F), the bands of the vocoder's convention {name}")
        if mel.shape[1] == 0:
            raise MelError(f"{shape}: holds no frame; expected at least one")
        if not np.issubdtype(mel.dtype, np.floating):
            raise MelError(f"mel: holds {mel.dtype}; expected floats in the vocoder's convention {name}")
        bad = ~np.isfinite(mel).all(axis=0)
        if bad.any():
            raise MelError(
                f"mel: frame {bad.argmax()} holds NaN or infinite values; expected numbers, so make it again"
            )
        # A model's mels may leave the range of recordings' a little; those of another convention leave it by far.
        low, high = (0.0, 1.0) if kind.decibels else (float(np.log(kind.minimum)), 10.0)
        margin = (high - low) / 2
        lowest, highest = float(mel.min()), float(mel.max())
        if lowest < low - margin or highest > high + margin:
            raise MelError(
                f"mel: values from {lowest:.4g} to {highest:.4g}; the vocoder's convention {name} has {low:.4g} to "
                f"{high:.4g}, so make the mel in that convention"
            )
