"""Mels of clips: computed from the recordings, or predicted by a text-to-speech system and read from files."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.arrays import Float32Array
from basis_melgan.audio.files import Wave
from basis_melgan.audio.mel import mel_config, mel_spectrogram
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import MelConfigName
from basis_melgan.corpus.augmentation import UNCHANGED, Change
from basis_melgan.corpus.manifest import Clip
from basis_melgan.errors import CorpusError, MelError
from basis_melgan.inference.mel_adapter import MelAdapter
from basis_melgan.storage import hashing


@dataclass(frozen=True)
class Mels:
    """Where a training's mels come from.

    Attributes:
        name: their convention.
        frames: their geometry.
        predicted: folder of files CLIP.npy, each the mel (M, F) that a text-to-speech system predicts for a clip with
            the durations of its recording (teacher-forced); None to compute mels from the recordings.
    """

    name: MelConfigName
    frames: FrameGeometry
    predicted: Path | None = None

    @property
    def margin(self) -> int:
        """Frames beside an excerpt whose samples reach into its frames' windows, and one for the pre-emphasis."""
        return -(-mel_config(self.name).n_fft // (2 * self.frames.hop)) + 1

    def excerpt(self, path: Path, first: int, count: int, change: Change = UNCHANGED) -> tuple[Wave, Float32Array]:
        """Samples (count·hop,) of a clip from mel frame `first` on, changed or as they are, and their mel (M, count).

        A mel that is computed is as in the whole clip where `margin` frames are left on both sides. One that is
        predicted knows of no change.

        Raises:
            CorpusError: the clip has no predicted mel, or one of another shape.
        """
        lead = min(int(first / change.rate), self.margin)
        start = self.frames.samples(first) - change.before(self.frames.samples(lead))
        samples = self.frames.samples(count)
        read = files.read(path, start, change.before(samples + self.frames.samples(lead + self.margin)))[0]
        around = change(read, self.frames.sample_rate)
        wave = around[self.frames.samples(lead) :][:samples]
        if self.predicted is not None:
            return wave.copy(), self._read(path)[:, first : first + count].astype(np.float32)
        mel = change.smoothed(mel_spectrogram(around, self.name, self.frames))
        return wave.copy(), mel[:, lead : lead + count].copy()

    def require(self, clips: Sequence[tuple[Path, Clip]]) -> None:
        """Raise CorpusError unless every clip has a mel of its own, of its length, in the scale of the convention."""
        if self.predicted is None:
            return
        named = Counter(self._file(path) for path, _ in clips)
        file, times = named.most_common(1)[0]
        if times > 1:
            raise CorpusError(f"{file}: would be the mel of {times} clips of that name; train on one corpus at a time")
        adapter = MelAdapter(self.name, None)
        for path, clip in clips:
            bands, frames = mel_config(self.name).bands, self.frames.mel_frames(clip.samples)
            mel = self._read(path)
            found = mel.shape
            if len(found) != 2 or found[0] != bands or abs(found[1] - frames) > 1:
                raise CorpusError(
                    f"{self._file(path)}: a mel of shape {found}; {clip.id} needs ({bands}, {frames}), give or take "
                    f"a frame, in the convention {self.name} at a hop of {self.frames.hop}"
                )
            try:
                adapter.validate(mel, str(self._file(path)))
            except MelError as error:
                raise CorpusError(f"{self._file(path)}: {error}") from error

    def digest(self, clips: Sequence[tuple[Path, Clip]]) -> str:
        """SHA-256 over the predicted mels of clips; empty where mels are computed."""
        if self.predicted is None:
            return ""
        return hashing.of_parts(f"{clip.id} {hashing.of_file(self._file(path))}" for path, clip in clips)

    def _file(self, path: Path) -> Path:
        return (self.predicted or path.parent) / f"{path.stem}.npy"

    def _read(self, path: Path) -> Float32Array:
        """The predicted mel of a clip, which stays on disk until it is used."""
        file = self._file(path)
        try:
            return np.lib.format.open_memmap(file, mode="r")  # which knows no pickles
        except FileNotFoundError as error:
            raise CorpusError(f"{file}: no such file; every clip needs its predicted mel there") from error
        except (OSError, ValueError) as error:
            raise CorpusError(f"{file}: damaged or no array ({error}); save the mel with numpy.save") from error
