"""Training batches: every item is a pure function of (seed, index), so a resumed training goes on with the same."""

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
from basis_melgan.corpus.augmentation import Change
from basis_melgan.corpus.decomposition import Decomposition
from basis_melgan.corpus.manifest import Clip
from basis_melgan.corpus.mels import Mels
from basis_melgan.errors import CorpusError

Clips = Sequence[tuple[Path, Clip]]

VALIDATION_CLIPS = 16  # at most, evenly spaced over the validation split, so that validating stays short
VALIDATION_SECONDS = 4  # of each


def excerpts(clips: Clips, sample_rate: int) -> list[tuple[Path, int]]:
    """Files to validate on, and how many samples from the start of each."""
    chosen = clips[:: max(1, -(-len(clips) // VALIDATION_CLIPS))]
    return [(path, min(clip.samples, VALIDATION_SECONDS * sample_rate)) for path, clip in chosen]


class StepSampler(Sampler[list[int]]):
    """Indices of each step's batch for one of `world` processes; together they cover the same global batch."""

    def __init__(self, steps: range, batch: int, rank: int, world: int) -> None:
        self.steps, self.batch = steps, batch
        share = batch // world
        self.mine = range(rank * share, (rank + 1) * share)

    def __iter__(self) -> Iterator[list[int]]:
        for step in self.steps:
            yield [step * self.batch + place for place in self.mine]

    def __len__(self) -> int:
        return len(self.steps)


class Mixture(TypedDict):
    """One item of stage 1: sources (C=2, T), speech and noise; their sum is the mixture."""

    sources: Tensor
    id: str


class MixtureCrops(Dataset[Mixture]):
    """Random crops of clean speech, each with its noise."""

    def __init__(self, clips: Clips, config: Config) -> None:
        self.config = config
        self.crop = config.separator_training.crop_samples
        self.rate = config.frames.sample_rate
        self.paths = [path for path, _ in clips]
        self.clips = _ByLength(clips, minimum=1)
        self.recorded = _sound_files(config.mixture)

    def __getitem__(self, index: int) -> Mixture:
        rng = np.random.default_rng([self.config.seed, index])
        path, clip = self.clips.draw(rng)
        start = int(rng.integers(max(clip.samples - self.crop, 0) + 1))
        whole = files.read(path)[0]
        speech = np.zeros(self.crop, dtype=np.float32)
        speech[: len(whole) - start] = whole[start : start + self.crop]
        sources = np.stack(self.mix(rng, speech, float(np.sqrt(np.mean(np.square(whole))))))
        return {"sources": torch.from_numpy(sources), "id": f"{clip.id}@{start}"}

    def mix(self, rng: np.random.Generator, speech: Wave, rms: float) -> tuple[Wave, Wave]:
        """Speech (T,) at its drawn level and its noise (T,), from a crop of a clip with the given RMS.

        Level and SNR are the clip's, so that a crop of a pause keeps its pause.
        """
        mixture = self.config.mixture
        if mixture.level is not None:
            gain = 10 ** (rng.uniform(*mixture.level) / 20) / max(rms, 1e-6)
            speech, rms = speech * np.float32(gain), rms * gain
        if rng.random() < mixture.clean_fraction:
            return speech, np.zeros_like(speech)
        kind = mixture.noises[rng.integers(len(mixture.noises))]
        sound = noise.unit_rms(self.noise(rng, kind, len(speech)))
        if mixture.noise_sigma is not None:
            return speech, sound * np.float32(mixture.noise_sigma)
        return speech, sound * np.float32(rms * 10 ** (-rng.uniform(*mixture.snr) / 20))

    def noise(self, rng: np.random.Generator, kind: str, samples: int) -> Wave:
        """Noise (T,) of one of the configured kinds."""
        match kind:
            case "babble":
                return noise.babble(rng, self.paths, samples, self.rate)
            case "recorded":
                return noise.excerpt(rng, self.recorded[rng.integers(len(self.recorded))], samples, self.rate)
            case _:
                return noise.colored(rng, samples, {"white": 0.0, "pink": 1.0, "brown": 2.0}[kind])


class Utterance(TypedDict):
    """One item of stage 2: wave (F·hop,), mel (M, F) and weights (N, K), K = F·hop/stride.

    The weights are empty where the training computes them itself.
    """

    wave: Tensor
    mel: Tensor
    weights: Tensor
    id: str


class SpeechCrops(Dataset[Utterance]):
    """Random crops of speech with their mel, cut so that both are as in the whole clip."""

    def __init__(
        self, clips: Clips, config: Config, decomposition: Decomposition | None, mels: Mels | None = None
    ) -> None:
        self.config = config
        self.frames = config.frames
        self.decomposition = decomposition
        self.mels = mels or Mels(config.mel, config.frames)
        self.length = config.vocoder_training.crop_frames
        fastest = Change(max(1.0, config.augmentation.rate[1]) if config.augmentation.fraction > 0 else 1.0)
        longest = fastest.before(self.length) + 2 * fastest.before(self.mels.margin)
        self.clips = _ByLength(clips, minimum=self.frames.samples(longest))

    def __getitem__(self, index: int) -> Utterance:
        training = self.config.vocoder_training
        rng = np.random.default_rng([self.config.seed, index])
        path, clip = self.clips.draw(rng)
        change = augmentation.draw(rng, self.config.augmentation)
        margin = change.before(self.mels.margin)
        last = self.frames.mel_frames(clip.samples) - change.before(self.length) - margin
        first = int(rng.integers(margin, last + 1))
        wave, mel = self.mels.excerpt(path, first, self.length, change)
        weights = np.zeros((0, 0), dtype=np.float32)
        if self.decomposition is not None:
            weights = self.decomposition.weights(clip, first, self.length)
            if training.target == "resynthesis":
                samples = self.frames.samples(self.length)
                wave = self.decomposition.wave(clip, self.frames.samples(first), samples).copy()
        return {
            "wave": torch.from_numpy(wave),
            "mel": torch.from_numpy(mel),
            "weights": torch.from_numpy(weights),
            "id": f"{clip.id}@{first}",
        }


class _ByLength:
    """Clips of at least `minimum` samples, drawn in proportion to their length."""

    def __init__(self, clips: Clips, minimum: int) -> None:
        self.clips = [(path, clip) for path, clip in clips if clip.samples >= minimum]
        if not self.clips:
            longest = max(clip.samples for _, clip in clips)
            raise CorpusError(
                f"corpus: its longest clip has {longest} samples, a crop needs {minimum}; shorten the crop"
            )
        self.ends = np.cumsum([clip.samples for _, clip in self.clips])

    def draw(self, rng: np.random.Generator) -> tuple[Path, Clip]:
        return self.clips[int(np.searchsorted(self.ends, rng.integers(self.ends[-1]), side="right"))]


def _sound_files(mixture: MixtureConfig) -> list[Path]:
    if mixture.recorded is None:
        return []
    folder = Path(mixture.recorded)
    if not folder.is_dir():
        raise CorpusError(f"mixture.recorded: {folder} is no folder; give one of noise recordings")
    found = files.below(folder)
    if not found:
        raise CorpusError(f"mixture.recorded: {folder} holds no sound file; give a folder of noise recordings")
    return found
