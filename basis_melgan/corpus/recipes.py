"""Where recordings come from: one table from a recipe's name to a listing of its sound files, speakers and texts."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from basis_melgan.audio import files
from basis_melgan.corpus.debian import ASTERISK, asterisk, festvox_ru
from basis_melgan.corpus.listing import Item, given
from basis_melgan.errors import CorpusError
from basis_melgan.installation import install_command
from basis_melgan.settings import nearest


@dataclass(frozen=True)
class Recipe:
    """How a corpus is listed."""

    items: Callable[[Path | None, Path], Iterator[Item]]  # source folder, folder to work in
    draw: int | None = None  # clips drawn at random when corpus.draw is null


def named(name: str) -> Recipe:
    """The recipe of that name.

    Raises:
        CorpusError: there is none; the message names the nearest.
    """
    if name not in RECIPES:
        hint = nearest(name, RECIPES) or f"; use one of {', '.join(RECIPES)}"
        raise CorpusError(f"recipe {name}: unknown{hint}")
    return RECIPES[name]


def folder(source: Path | None, workdir: Path) -> Iterator[Item]:
    """Every sound file below a folder, as `files.below` lists them."""
    root = given(source, "folder", "any folder of sound files")
    for path in files.below(root):
        yield Item(path.relative_to(root).with_suffix("").as_posix(), path, speaker="", text="")


def through_lhotse(recipe: str, layout: str, source: Path | None, workdir: Path) -> Iterator[Item]:
    """List a corpus with lhotse's recipe, in a Python of its own that takes every text file for UTF-8.

    lhotse opens text in the locale's encoding, and only a fresh interpreter can be told otherwise.
    """
    root = given(source, recipe, layout)
    if importlib.util.find_spec("lhotse") is None:
        raise CorpusError(f"recipe {recipe}: needs lhotse, which is not installed; {install_command('train')}")
    workdir.mkdir(parents=True, exist_ok=True)
    listing = workdir / f"{recipe}.jsonl"
    command = [sys.executable, "-X", "utf8", "-m", __name__, recipe, str(root), str(listing)]
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    environment = {**os.environ, "PYTHONPATH": paths}
    child = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", errors="replace")
    if child.returncode != 0:
        complaint = (child.stderr.strip().splitlines() or [f"exit code {child.returncode}"])[-1]
        raise CorpusError(f"{root}: lhotse's recipe for {recipe} cannot read it ({complaint}); expected {layout}")
    with listing.open(encoding="utf-8") as lines:
        for line in lines:
            entry = json.loads(line)
            yield Item(entry["id"], Path(entry["path"]), entry["speaker"], entry["text"])
    listing.unlink()


def _list_with_lhotse(recipe: str, source: Path) -> Iterator[Item]:
    from lhotse import recipes as lhotse_recipes
    from lhotse.audio import AudioSource, Recording

    def unopened(path: str | Path, **_: object) -> Any:
        """A recording known by its name alone, one nominal second long."""
        file = AudioSource(type="file", channels=[0], source=str(path))
        return Recording(id=Path(path).stem, sources=[file], sampling_rate=16_000, num_samples=16_000, duration=1.0)

    # lhotse would open every file here and give up at the first damaged one; `prepare` reads and judges them all.
    Recording.from_file = staticmethod(unopened)
    if recipe == "biaobei":
        parts = [lhotse_recipes.prepare_baker_zh(source)]
    elif recipe == "ljspeech":
        parts = [lhotse_recipes.prepare_ljspeech(source)]
    elif recipe == "vctk":
        trimmed = (source / "wav48_silence_trimmed").is_dir()  # VCTK 0.92; 0.80 has wav48
        parts = [lhotse_recipes.prepare_vctk(source, use_edinburgh_vctk_url=trimmed)]
    elif recipe == "aishell3":
        # Its two keys come back swapped.
        swapped = lhotse_recipes.prepare_aishell3(source).values()
        parts = [{"recordings": part["supervisions"], "supervisions": part["recordings"]} for part in swapped]
    else:
        present = sorted(path.name for path in source.iterdir() if path.is_dir() and any(path.rglob("*.trans.tsv")))
        parts = list(lhotse_recipes.prepare_libritts(source, dataset_parts=present).values()) if present else []
    for part in parts:
        for said in part["supervisions"]:
            text = (said.custom or {}).get("normalized_text") or said.text or ""
            path = Path(part["recordings"][said.recording_id].sources[0].source)
            yield Item(said.id, path, said.speaker or recipe, text)


def _main(recipe: str, source: str, listing: str) -> None:
    with open(listing, "w", encoding="utf-8") as lines:
        for item in _list_with_lhotse(recipe, Path(source)):
            lines.write(json.dumps(asdict(item), default=str) + "\n")


RECIPES: dict[str, Recipe] = {
    "folder": Recipe(folder),
    "festvox-ru": Recipe(festvox_ru),
    **{f"asterisk-{language}": Recipe(partial(asterisk, language)) for language in ASTERISK},
    "biaobei": Recipe(partial(through_lhotse, "biaobei", "the folder BZNSYP, which holds Wave/ and ProsodyLabeling/")),
    # The reference system drew 20 000 of its 88 035 utterances.
    "aishell3": Recipe(
        partial(through_lhotse, "aishell3", "the folder with spk-info.txt, train/ and test/"), draw=20_000
    ),
    "ljspeech": Recipe(partial(through_lhotse, "ljspeech", "the folder LJSpeech-1.1, which holds metadata.csv, wavs/")),
    "vctk": Recipe(partial(through_lhotse, "vctk", "the folder with speaker-info.txt, txt/ and the wav48 folder")),
    "libritts": Recipe(partial(through_lhotse, "libritts", "the folder LibriTTS, which holds train-clean-100/ etc.")),
}

if __name__ == "__main__":
    _main(*sys.argv[1:])
