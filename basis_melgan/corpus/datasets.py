"""Training datasets: every item is a pure function of (seed, index), so a resumed training sees the same batches."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from basis_melgan.audio import files
from basis_melgan.audio.files import Wave
from basis_melgan.config.schema import Config, MixtureConfig
from basis_melgan.corpus import augmentation, noise
from basis_melgan.corpus.augmentation import Augmentation
from basis_melgan.corpus.decomposition import Decomposition
from basis_melgan.corpus.manifest import Clip
from basis_melgan.corpus.mels import MelSource
from basis_melgan.errors import CorpusError

Clips = Sequence[tuple[Path, Clip]]

VALIDATION_CLIPS = 16  # at most, evenly spaced over the validation split, to keep validation short
VALIDATION_SECONDS = 4  # at most, of each clip


def validation_excerpts(clips: Clips, sample_rate: int) -> list[tuple[Path, int]]:
    """Return the files to validate on, and how many samples to use from the start of each."""
    step = max(1, -(-len(clips) // VALIDATION_CLIPS))
    return [(path, min(clip.samples, VALIDATION_SECONDS * sample_rate)) for path, clip in clips[::step]]


class StepSampler(Sampler[list[int]]):
    """Indices of each step's batch for one of `world_size` processes, which together cover the global batch."""

    def __init__(self, steps: range, batch_size: int, rank: int, world_size: int) -> None:
        self.steps, self.batch_size = steps, batch_size
        local_size = batch_size // world_size
        self.positions = range(rank * local_size, (rank + 1) * local_size)  # in the global batch

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            yield [step * self.batch_size + position for position in self.positions]

    def __len__(self) -> int:
        return len(self.steps)


class MixtureItem(TypedDict):
    """One item of stage 1: the sources speech and noise (C=2, T), which sum to the mixture."""

    sources: Tensor
    id: str


class MixtureCrops(Dataset[MixtureItem]):
    """Random crops of clean speech, each with noise to add."""

    def __init__(self, clips: Clips, config: Config) -> None:
        self.config = config
        self.crop_samples = config.separator_training.crop_samples
        self.sample_rate = config.frames.sample_rate
        self.paths = [path for path, _ in clips]
        self.clips = _ClipSampler(clips, minimum=1)
        self.noise_files = _noise_files(config.mixture)

    def __getitem__(self, index: int) -> MixtureItem:
        rng = np.random.default_rng([self.config.seed, index])
        path, clip = self.clips.draw(rng)
        start = int(rng.integers(max(clip.samples - self.crop_samples, 0) + 1))
        wave = files.read(path)[0]
        speech = np.zeros(self.crop_samples, dtype=np.float32)
        speech[: len(wave) - start] = wave[start : start + self.crop_samples]
        sources = np.stack(self.mix(rng, speech, float(np.sqrt(np.mean(np.square(wave))))))
        return {"sources": torch.from_numpy(sources), "id": f"{clip.id}@{start}"}

    def mix(self, rng: np.random.Generator, speech: Wave, rms: float) -> tuple[Wave, Wave]:
        """Draw level and SNR; return speech (T,) at that level and noise (T,) at that SNR.

        Both refer to the RMS of the whole clip, so that a crop from a pause stays quiet.

        Args:
            rng: source of all random draws.
            speech: crop (T,) of a clip.
            rms: RMS of the whole clip, full scale 1.
        """
        mixture = self.config.mixture
        if mixture.level is not None:
            gain = 10 ** (rng.uniform(*mixture.level) / 20) / max(rms, 1e-6)
            speech, rms = speech * np.float32(gain), rms * gain
        if rng.random() < mixture.clean_fraction:
            return speech, np.zeros_like(speech)
        kind = mixture.noises[rng.integers(len(mixture.noises))]
        unit_noise = noise.unit_rms(self.noise(rng, kind, len(speech)))
        if mixture.noise_sigma is not None:
            return speech, unit_noise * np.float32(mixture.noise_sigma)
        return speech, unit_noise * np.float32(rms * 10 ** (-rng.uniform(*mixture.snr) / 20))

    def noise(self, rng: np.random.Generator, kind: str, samples: int) -> Wave:
        """Return noise (T,) of one of the configured kinds."""
        match kind:
            case "babble":
                return noise.babble(rng, self.paths, samples, self.sample_rate)
            case "recorded":
                path = self.noise_files[rng.integers(len(self.noise_files))]
                return noise.excerpt(rng, path, samples, self.sample_rate)
            case _:
                return noise.colored_noise(rng, samples, {"white": 0.0, "pink": 1.0, "brown": 2.0}[kind])


class SpeechItem(TypedDict):
    """One item of stage 2: wave (F·hop,), mel (M, F) and weights (N, K), K = F·hop/stride.

    The weights are empty (0, 0) without a decomposition; the training then computes them.
    """

    wave: Tensor
    mel: Tensor
    weights: Tensor
    id: str


class SpeechCrops(Dataset[SpeechItem]):
    """Random crops of speech with their mel; both equal the same stretch of the whole clip."""

    def __init__(
        self, clips: Clips, config: Config, decomposition: Decomposition | None, mels: MelSource | None = None
    ) -> None:
        self.config = config
        self.frames = config.frames
        self.decomposition = decomposition
        self.mels = mels or MelSource(config.mel, config.frames)
        self.crop_frames = config.vocoder_training.crop_frames
        fastest = Augmentation(max(1.0, config.augmentation.rate[1]) if config.augmentation.fraction > 0 else 1.0)
        most_frames = fastest.source_length(self.crop_frames) + 2 * fastest.source_length(self.mels.margin)
        self.clips = _ClipSampler(clips, minimum=self.frames.samples(most_frames))

    def __getitem__(self, index: int) -> SpeechItem:
        training = self.config.vocoder_training
        rng = np.random.default_rng([self.config.seed, index])
        path, clip = self.clips.draw(rng)
        crop_augmentation = augmentation.draw(rng, self.config.augmentation)
        margin = crop_augmentation.source_length(self.mels.margin)
        last = self.frames.mel_frames(clip.samples) - crop_augmentation.source_length(self.crop_frames) - margin
        first = int(rng.integers(margin, last + 1))
        wave, mel = self.mels.excerpt(path, first, self.crop_frames, crop_augmentation)
        weights = np.zeros((0, 0), dtype=np.float32)
        if self.decomposition is not None:
            weights = self.decomposition.weights(clip, first, self.crop_frames)
            if training.target == "resynthesis":
                samples = self.frames.samples(self.crop_frames)
                wave = self.decomposition.wave(clip, self.frames.samples(first), samples).copy()
        return {
            "wave": torch.from_numpy(wave),
            "mel": torch.from_numpy(mel),
            "weights": torch.from_numpy(weights),
            "id": f"{clip.id}@{first}",
        }


class _ClipSampler:
    """Draws clips of at least `minimum` samples with a probability proportional to their length."""

    def __init__(self, clips: Clips, minimum: int) -> None:
        self.clips = [(path, clip) for path, clip in clips if clip.samples >= minimum]
        if not self.clips:
            longest = max(clip.samples for _, clip in clips)
            raise CorpusError(
                f"corpus: the longest clip has {longest} samples, but a crop needs {minimum}; lower "
                "vocoder_training.crop_frames"
            )
        self.ends = np.cumsum([clip.samples for _, clip in self.clips])

    def draw(self, rng: np.random.Generator) -> tuple[Path, Clip]:
        return self.clips[int(np.searchsorted(self.ends, rng.integers(self.ends[-1]), side="right"))]


def _noise_files(mixture: MixtureConfig) -> list[Path]:
    if mixture.recorded is None:
        return []
    folder = Path(mixture.recorded)
    if not folder.is_dir():
        raise CorpusError(f"mixture.recorded: {folder} is not a folder; give a folder of noise recordings")
    paths = files.find_files(folder)
    if not paths:
        raise CorpusError(f"mixture.recorded: {folder} contains no sound files; give a folder of noise recordings")
    return paths
