"""Small folders laid out as corpora are, with real speech in them, and what a recipe lists of them."""

from pathlib import Path

import soundfile

from basis_melgan.audio import files
from basis_melgan.corpus import recipes

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))


def lay(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def speak(path: Path, clip: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave, rate = files.read(CLIPS[clip], samples=12_000)
    soundfile.write(path, wave, rate)


def listed(recipe: str, source: Path, work: Path) -> list[tuple[str, Path, str, str]]:
    found = recipes.named(recipe).items(source, work)
    return sorted((item.id, item.path, item.speaker, item.text) for item in found)
