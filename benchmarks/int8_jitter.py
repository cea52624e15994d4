"""Measure how far waves change when mels change by rounding or come in chunks, and the time of each vocoder.

    python benchmarks/int8_jitter.py data speech-24k.onnx before/speech-24k.onnx speech-24k-float.onnx

draws five test clips of every corpus, adds ten noises to each, and synthesizes each in chunks of 1, 2, 7 and 50 frames.
Times are medians over repeats of ten seconds of mel on one thread; ratios are relative to the first file.
"""

import argparse
import random
import time
from pathlib import Path

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.arrays import Float32Array
from basis_melgan.corpus import manifest
from basis_melgan.export.robustness import JITTER, chunk_response, jitter_response
from basis_melgan.inference.reference_mel import reference_mel
from basis_melgan.inference.vocoder import Vocoder

CLIPS, SEEDS, REPEATS = 5, 10, 25
SIZES = (JITTER, 2.4 * JITTER)
CHUNKS = (1, 2, 7, 50)
SECONDS = 10


def clip_mels(vocoder: Vocoder, corpora: tuple[manifest.Corpus, ...], seed: int) -> list[Float32Array]:
    """Mels (M, F) of test clips, `CLIPS` of every corpus."""
    mels = []
    for corpus in corpora:
        clips = list(corpus.split("test"))
        random.Random(seed).shuffle(clips)
        mels += [vocoder.mel(*files.read(corpus.path(clip))) for clip in clips[:CLIPS]]
    return mels


def time_in_turn(vocoders: list[Vocoder], mel: Float32Array) -> np.ndarray:
    """Seconds (repeats, vocoders) of synthesis of a mel (M, F), all vocoders in turn."""
    for vocoder in vocoders:
        vocoder(mel)
    seconds = np.zeros((REPEATS, len(vocoders)))
    for times in seconds:
        for index, vocoder in enumerate(vocoders):
            start = time.perf_counter()
            vocoder(mel)
            times[index] = time.perf_counter() - start
    return seconds


def main(corpus: Path, paths: list[Path], seed: int) -> None:
    """Print a table of the responses and one of the times."""
    corpora, vocoders = manifest.load(corpus), [Vocoder.load(path) for path in paths]
    mels = clip_mels(vocoders[0], corpora, seed)
    print(f"{len(mels)} test clips, {SEEDS} noises each; the largest change of a sample, and the lowest SNR (dB)\n")
    columns = [f"noise of {size:.1e}" for size in SIZES] + [f"chunks of {', '.join(map(str, CHUNKS))}"]
    print(f"| | {' | '.join(columns)} | MB |\n|---|" + "---:|" * (len(columns) + 1))
    for path, vocoder in zip(paths, vocoders, strict=True):
        responses = [jitter_response(vocoder, mels, SEEDS, size) for size in SIZES]
        responses.append(chunk_response(vocoder, mels, CHUNKS))
        cells = [f"{response.change:.1e}, {response.snr:.0f}" for response in responses]
        print(f"| {path} | {' | '.join(cells)} | {path.stat().st_size / 1e6:.2f} |", flush=True)
    info = vocoders[0].info
    seconds = time_in_turn(vocoders, reference_mel(info, SECONDS * info.sample_rate // info.hop))
    print(f"\n| {SECONDS} s of mel, {REPEATS} repeats | ms | relative to {paths[0]} |\n|---|---:|---:|")
    for path, times in zip(paths, seconds.T, strict=True):
        print(f"| {path} | {1e3 * np.median(times):.1f} | {np.median(times / seconds[:, 0]):.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="prepared corpus, or a folder of several")
    parser.add_argument("vocoders", type=Path, nargs="+", help="exported files of one mel convention")
    parser.add_argument("--seed", type=int, default=1, help="of the selection of clips")
    arguments = parser.parse_args()
    main(arguments.corpus, arguments.vocoders, arguments.seed)
