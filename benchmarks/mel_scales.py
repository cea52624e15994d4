"""Count the mels of other scales that are refused, warned about or accepted, and false alarms on correct ones.

    python benchmarks/mel_scales.py data --mel-config vocos --every 5 --offset 1

Takes the mels of every fifth clip of all splits of all corpora: unchanged, smoothed, at other levels, with white noise
and in excerpts as short as 0.64 s, each converted to the scales of other systems. Prints a table.
"""

import argparse
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram, mel_to_magnitude
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import MelConfigName
from basis_melgan.corpus import manifest
from basis_melgan.corpus.augmentation import Augmentation
from basis_melgan.errors import MelError
from basis_melgan.inference.mel_adapter import MelAdapter
from basis_melgan.inference.mel_checks import Mel

MAX_SECONDS = 12  # of a clip
MIN_FRAMES = 60  # of an excerpt
OUTCOMES = ("refused", "warned about", "accepted")


def scales(mel: Mel, mel_config: MelConfigName) -> Iterator[tuple[str, Mel]]:
    """A mel in its own scale and in those of other systems."""
    magnitude = mel_to_magnitude(mel, mel_config).astype(np.float64)
    logarithm = np.log(magnitude)
    yield "own", mel
    yield "in half precision", mel.astype(np.float16)
    if mel_config != "paper":
        yield "clipped at 1e-5", np.maximum(mel, np.float32(np.log(1e-5)))
    yield "log10", logarithm / np.log(10)
    yield "log2", logarithm / np.log(2)
    yield "decibels", logarithm * 20 / np.log(10)
    yield "ln of powers", 2 * logarithm
    yield "log10 of powers", 2 * logarithm / np.log(10)
    yield "mean and deviation", (logarithm - logarithm.mean()) / logarithm.std()
    yield "by mean -5 and deviation 2.3", (logarithm + 5) / 2.3
    deviations = np.maximum(logarithm.std(axis=1, keepdims=True), 1e-3)
    yield "band by band", (logarithm - logarithm.mean(axis=1, keepdims=True)) / deviations
    level = (logarithm - logarithm.min()) / np.ptp(logarithm)
    yield "0 to 1", level
    yield "-1 to 1", 2 * level - 1
    yield "-4 to 4", 8 * level - 4
    yield "ZipVoice's", logarithm / 10
    yield "GPT-SoVITS's", (logarithm + 5) / 7
    yield "16-bit integers", logarithm + np.log(32768)
    yield "magnitudes", magnitude
    yield "ln(1 + magnitude)", np.log1p(magnitude)


def recordings(wave: files.Wave, rng: np.random.Generator, make: Callable[[files.Wave], Mel]) -> dict[str, Mel]:
    """Mels of a recording and of its degraded versions."""
    blur = Augmentation(blur=float(rng.uniform(0.3, 1.0)))
    noise = rng.standard_normal(wave.size) * wave.std() * 10 ** (-rng.uniform(0, 30) / 20)
    noisy = make(at_level((wave + noise).astype(np.float32), rng))
    clean = make(wave)
    return {
        "clean": clean,
        "smoothed": blur.blur_mel(clean),
        "smoothed by 1": Augmentation(blur=1.0).blur_mel(clean),
        "at -45 to 0 dBFS": make(at_level(wave, rng)),
        "with noise": noisy,
        "smoothed with noise": blur.blur_mel(noisy),
        "0.64 to 2 s": excerpt(clean, rng),
        "0.64 to 2 s, smoothed": excerpt(blur.blur_mel(clean), rng),
    }


def at_level(wave: files.Wave, rng: np.random.Generator) -> files.Wave:
    """A wave scaled to a peak drawn uniformly in dB."""
    return wave * np.float32(10 ** (rng.uniform(-45, 0) / 20) / max(float(np.abs(wave).max()), 1e-9))


def excerpt(mel: Mel, rng: np.random.Generator) -> Mel:
    """A random excerpt of a mel."""
    count = int(rng.integers(MIN_FRAMES, 190))
    first = int(rng.integers(0, max(1, mel.shape[1] - count)))
    return mel[:, first : first + count]


def outcome(adapter: MelAdapter, mel: Mel) -> str:
    """Whether a mel is refused, warned about or accepted."""
    with warnings.catch_warnings(record=True) as messages:
        warnings.simplefilter("always")
        try:
            adapter.validate(np.asarray(mel, mel.dtype if mel.dtype == np.float16 else np.float32))
        except MelError:
            return "refused"
    return "warned about" if messages else "accepted"


def count(
    corpora: tuple[manifest.Corpus, ...], mel_config: MelConfigName, every: int, offset: int
) -> dict[str, Counter[str]]:
    """Outcomes by scale and kind of recording."""
    rng, frames, scale = (
        np.random.default_rng(offset),
        FrameGeometry(hop=256, stride=256, basis_length=1024),
        MelAdapter(mel_config, None),
    )
    counts: dict[str, Counter[str]] = {}
    clips = [(corpus, clip) for corpus in corpora for clip in corpus.clips[offset::every]]
    for corpus, clip in track(clips, mel_config, console=Console(stderr=True)):
        wave = files.read(corpus.path(clip))[0][: MAX_SECONDS * frames.sample_rate]
        mels = recordings(wave, rng, lambda samples: mel_spectrogram(samples, mel_config, frames))
        for kind, mel in mels.items():
            if mel.shape[1] < MIN_FRAMES:
                continue
            for name, converted in scales(mel, mel_config):
                counts.setdefault(f"{name} | {kind}", Counter())[outcome(scale, converted)] += 1
    return counts


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="prepared corpus, or a folder of several")
    parser.add_argument("--mel-config", default="vocos", help="mel config of the vocoder")
    parser.add_argument("--every", type=int, default=5, help="use one clip out of this many")
    parser.add_argument("--offset", type=int, default=0, help="index of the first clip; also the seed of the noise")
    options = parser.parse_args()
    print(f"| scale | mels | {' | '.join(OUTCOMES)} |\n|---|---|{'--:|' * len(OUTCOMES)}")
    for row, outcomes in count(
        manifest.load(options.corpus), options.mel_config, options.every, options.offset
    ).items():
        print(f"| {row} | {' | '.join(str(outcomes[name]) for name in OUTCOMES)} |")
