"""How vocoders speak mels as smooth as text-to-speech systems predict them, on validation clips.

    python benchmarks/smoothed_mels.py data results/smoothed pretrained/speech-24k.safetensors

Smooths the mel of every clip over bands and frames by a Gaussian of one, as half of a vocoder's crops are smoothed by
up to one (`augmentation.blur`), leaves what each vocoder says of it in OUT/waves, and compares that with the recordings
in OUT/scores.
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


def speak(path: Path, corpora: tuple[manifest.Corpus, ...], out: Path) -> None:
    """Let a vocoder speak the smoothed mels of all validation clips, as CORPUS/CLIP.wav."""
    vocoder = load_vocoder(path)
    clips = [(corpus, clip) for corpus in corpora for clip in corpus.split("validation")]
    for corpus, clip in track(clips, path.stem, console=Console(stderr=True)):
        wave, rate = files.read(corpus.path(clip))
        spoken = vocoder(SMOOTHED.blur_mel(vocoder.mel(wave, rate)))[: len(wave)]
        place = out / corpus.name / f"{clip.id}.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        files.write(place, spoken, rate)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="prepared corpus, or a folder of several")
    parser.add_argument("out", type=Path, help="folder for waves and scores")
    parser.add_argument("vocoders", type=Path, nargs="+", help="vocoders' files")
    given = parser.parse_args()
    folders = [given.out / "waves" / path.stem for path in given.vocoders]
    for path, folder in zip(given.vocoders, folders, strict=True):
        speak(path, manifest.load(given.corpus), folder)
    words = f"--corpus {given.corpus} --out {given.out / 'scores'} --split validation --quick --force"
    run(*COMMANDS, "compare", *map(str, folders), *words.split())
