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
from basis_melgan.corpus.augmentation import NO_AUGMENTATION, Augmentation
from basis_melgan.corpus.manifest import Clip
from basis_melgan.errors import CorpusError, MelError
from basis_melgan.inference.mel_adapter import MelAdapter
from basis_melgan.storage import hashing


@dataclass(frozen=True)
class MelSource:
    """Source of the mels that a vocoder is trained on.

    Attributes:
        config_name: name of their mel config.
        frames: their frame geometry.
        predicted: folder of files CLIP.npy, each the mel (M, F) that a text-to-speech system predicts for a clip with
            the durations of its recording (teacher-forced); None to compute mels from the recordings.
    """

    config_name: MelConfigName
    frames: FrameGeometry
    predicted: Path | None = None

    @property
    def margin(self) -> int:
        """Frames of context on each side of an excerpt: half an analysis window, and one frame for the pre-emphasis."""
        return -(-mel_config(self.config_name).n_fft // (2 * self.frames.hop)) + 1

    def excerpt(
        self, path: Path, first_frame: int, frame_count: int, augmentation: Augmentation = NO_AUGMENTATION
    ) -> tuple[Wave, Float32Array]:
        """Return samples (frame_count·hop,) of a clip, augmented, and their mel (M, frame_count).

        A computed mel equals that of the whole clip if the clip has `margin` frames on both sides of the excerpt.
        Predicted mels are not augmented.

        Raises:
            CorpusError: the clip has no predicted mel, or one of another shape.
        """
        context = min(int(first_frame / augmentation.rate), self.margin)  # frames before the excerpt
        start = self.frames.samples(first_frame) - augmentation.source_length(self.frames.samples(context))
        samples = self.frames.samples(frame_count)
        length = augmentation.source_length(samples + self.frames.samples(context + self.margin))
        padded_wave = augmentation(files.read(path, start, length)[0], self.frames.sample_rate)
        wave = padded_wave[self.frames.samples(context) :][:samples]
        if self.predicted is not None:
            return wave.copy(), self._read(path)[:, first_frame : first_frame + frame_count].astype(np.float32)
        mel = augmentation.blur_mel(mel_spectrogram(padded_wave, self.config_name, self.frames))
        return wave.copy(), mel[:, context : context + frame_count].copy()

    def require(self, clips: Sequence[tuple[Path, Clip]]) -> None:
        """Check predicted mels: one per clip, of its length, in the scale of the mel config.

        Raises:
            CorpusError: a mel is missing, damaged, shared by several clips, or of another shape or scale.
        """
        if self.predicted is None:
            return
        file_counts = Counter(self._file(path) for path, _ in clips)
        file, count = file_counts.most_common(1)[0]
        if count > 1:
            raise CorpusError(f"{file}: {count} clips share this name; train on one corpus at a time")
        adapter = MelAdapter(self.config_name, None)
        for path, clip in clips:
            bands, frames = mel_config(self.config_name).bands, self.frames.mel_frames(clip.samples)
            mel = self._read(path)
            if mel.ndim != 2 or mel.shape[0] != bands or abs(mel.shape[1] - frames) > 1:
                raise CorpusError(
                    f"{self._file(path)}: has shape {mel.shape}; {clip.id} needs ({bands}, {frames}), plus or minus "
                    f"one frame, for the mel config {self.config_name} at a hop of {self.frames.hop}"
                )
            try:
                adapter.validate(mel, str(self._file(path)))
            except MelError as error:
                raise CorpusError(f"{self._file(path)}: {error}") from error

    def predicted_hash(self, clips: Sequence[tuple[Path, Clip]]) -> str:
        """Return the SHA-256 over the predicted mels of clips; an empty string if mels are computed."""
        if self.predicted is None:
            return ""
        return hashing.sha256_of_texts(f"{clip.id} {hashing.sha256_of_file(self._file(path))}" for path, clip in clips)

    def _file(self, path: Path) -> Path:
        return (self.predicted or path.parent) / f"{path.stem}.npy"

    def _read(self, path: Path) -> Float32Array:
        """Return the predicted mel of a clip as a memory map."""
        file = self._file(path)
        try:
            return np.lib.format.open_memmap(file, mode="r")  # never unpickles
        except FileNotFoundError as error:
            raise CorpusError(f"{file}: no such file; every clip needs its predicted mel") from error
        except (OSError, ValueError) as error:
            raise CorpusError(f"{file}: damaged or not an array ({error}); save the mel with numpy.save") from error
