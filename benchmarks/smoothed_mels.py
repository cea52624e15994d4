"""Score vocoders on mels as smooth as text-to-speech systems predict, on validation clips.

    python benchmarks/smoothed_mels.py data results/smoothed pretrained/speech-24k.safetensors

Smooths the mel of every clip over bands and frames by a Gaussian of standard deviation 1 (`augmentation.blur` trains
with up to 1), writes the synthesized waves to OUT/waves, and their comparison with the recordings to OUT/scores.
"""

import argparse
from pathlib import Path

from rich.console import Console
from rich.progress import track
from trainings import COMMANDS, run

from basis_melgan.audio import files
from basis_melgan.corpus import manifest
from basis_melgan.corpus.augmentation import Augmentation
from basis_melgan.inference.loading import load_vocoder

SMOOTHED = Augmentation(blur=1.0)


def synthesize(path: Path, corpora: tuple[manifest.Corpus, ...], out: Path) -> None:
    """Synthesize the smoothed mels of all validation clips, as CORPUS/CLIP.wav."""
    vocoder = load_vocoder(path)
    clips = [(corpus, clip) for corpus in corpora for clip in corpus.split("validation")]
    for corpus, clip in track(clips, path.stem, console=Console(stderr=True)):
        wave, rate = files.read(corpus.path(clip))
        estimate = vocoder(SMOOTHED.blur_mel(vocoder.mel(wave, rate)))[: len(wave)]
        target = out / corpus.name / f"{clip.id}.wav"
        target.parent.mkdir(parents=True, exist_ok=True)
        files.write(target, estimate, rate)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="prepared corpus, or a folder of several")
    parser.add_argument("out", type=Path, help="folder for waves and scores")
    parser.add_argument("vocoders", type=Path, nargs="+", help="model files of vocoders")
    options = parser.parse_args()
    folders = [options.out / "waves" / path.stem for path in options.vocoders]
    for path, folder in zip(options.vocoders, folders, strict=True):
        synthesize(path, manifest.load(options.corpus), folder)
    words = f"--corpus {options.corpus} --out {options.out / 'scores'} --split validation --quick --force"
    run(*COMMANDS, "compare", *map(str, folders), *words.split())
