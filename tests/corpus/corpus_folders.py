"""Small corpora with real speech, in the layouts of public ones, and the entries that recipes list in them."""

from pathlib import Path

import soundfile

from basis_melgan.audio import files
from basis_melgan.corpus import recipes
from basis_melgan.corpus.listing import Entry

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))


def write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def speech(clip: int = 0, samples: int = 12_000) -> files.Wave:
    return files.read(CLIPS[clip], 12_000, samples)[0]  # after the pause at the start


def write_speech(path: Path, clip: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    wave, rate = files.read(CLIPS[clip], samples=12_000)
    soundfile.write(path, wave, rate)


def write_recordings(folder: Path, count: int) -> Path:
    """Write `count` recordings clip00.wav, clip01.wav, … of half a second at 24 kHz."""
    folder.mkdir(parents=True)
    for index in range(count):
        soundfile.write(folder / f"clip{index:02}.wav", speech(index % len(CLIPS)), 24_000)
    return folder


def list_entries(recipe: str, source: Path, workdir: Path) -> list[Entry]:
    return sorted(recipes.find_recipe(recipe).list_entries(source, workdir), key=lambda entry: entry.id)


def list_fields(recipe: str, source: Path, workdir: Path) -> list[tuple[str, Path, str, str]]:
    return [(entry.id, entry.path, entry.speaker, entry.text) for entry in list_entries(recipe, source, workdir)]
