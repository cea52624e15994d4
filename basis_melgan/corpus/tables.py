"""Corpora whose texts stand in tables: BZNSYP of DataBaker, AISHELL-3, LJ Speech, VCTK and LibriTTS.

Each reader lists what its corpus holds, as its authors lay it out, and says of every row and every recording that has
no partner. None reads sound.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from basis_melgan.corpus.listing import Item, Row, damaged, lines, matched

PROSODY = re.compile(r"#[1-5]")  # breaks that BZNSYP writes into its texts
SENTENCE = re.compile(r"(\d{6})\s+(\S.*)")
MICROPHONE = "mic2"  # of VCTK 0.92's two: the small one of wide bandwidth, Sennheiser's MKH 800
PARTS = ("train", "test")  # of AISHELL-3


def biaobei(root: Path) -> Iterator[Item]:
    """BZNSYP: 10 000 Mandarin sentences of one woman; a row of text, then one of pinyin."""
    table = root / "ProsodyLabeling" / "000001-010000.txt"
    _require(table)

    def rows() -> Iterator[Row | Item]:
        pinyin = False
        for place, line in lines(table):
            sentence = SENTENCE.fullmatch(line.strip())
            if sentence:
                path = root / "Wave" / f"{sentence[1]}.wav"
                yield Row(sentence[1], path, "biaobei", PROSODY.sub("", sentence[2]), place)
            elif not pinyin:
                yield damaged(table, place, line, "six digits and a text, or pinyin after them")
            pinyin = sentence is not None

    return matched(rows(), _files(root / "Wave", "*.wav"), table.name)


def aishell3(root: Path) -> Iterator[Item]:
    """AISHELL-3: 88 035 Mandarin sentences of 218 speakers; every character is followed by its pinyin."""
    for part in PARTS:
        _require(root / part / "content.txt")

    def rows(part: Path) -> Iterator[Row | Item]:
        for place, line in lines(part / "content.txt"):
            name, _, text = line.strip().partition("\t")
            if name.endswith(".wav") and text:
                speaker, path = name[:7], part / "wav" / name[:7] / name
                yield Row(path.stem, path, speaker, "".join(text.split()[::2]), place)
            else:
                yield damaged(part / "content.txt", place, line, "NAME.wav, a tab, and characters with their pinyin")

    for part in PARTS:
        yield from matched(rows(root / part), _files(root / part / "wav", "*.wav"), f"{part}/content.txt")


def ljspeech(root: Path) -> Iterator[Item]:
    """LJ Speech: 13 100 English sentences of one woman; name, text, and text with numbers and signs in words."""
    table = root / "metadata.csv"
    _require(table)

    def rows() -> Iterator[Row | Item]:
        for place, line in lines(table):
            name, *texts = (field.strip() for field in line.split("|"))
            if name and len(texts) in (1, 2):
                yield Row(name, root / "wavs" / f"{name}.wav", "ljspeech", texts[-1] or texts[0], place)
            else:
                yield damaged(table, place, line, "NAME|TEXT|NORMALIZED TEXT")

    return matched(rows(), _files(root / "wavs", "*.wav"), table.name)


def vctk(root: Path) -> Iterator[Item]:
    """VCTK, 0.80 or 0.92: about 400 English sentences of each of 110 speakers; every text is a file."""
    trimmed = root / "wav48_silence_trimmed"
    is_trimmed = trimmed.is_dir()
    folder, suffix = (trimmed, f"_{MICROPHONE}.flac") if is_trimmed else (root / "wav48", ".wav")
    for needed in (root / "txt", folder):
        _require(needed)

    def rows() -> Iterator[Row]:
        for table in _files(root / "txt", "*.txt"):
            speaker, path = table.stem.split("_")[0], folder / table.parent.name / f"{table.stem}{suffix}"
            text = " ".join(line.strip() for _, line in lines(table))
            yield Row(path.stem, path, speaker, text, str(table))

    return matched(rows(), _files(folder, f"*{suffix}"), "txt/")


def libritts(root: Path) -> Iterator[Item]:
    """LibriTTS and LibriTTS-R: 585 hours of English books; name, text, and text with numbers and signs in words."""

    def rows() -> Iterator[Row | Item]:
        for table in _files(root, "*.trans.tsv"):
            for place, line in lines(table):
                name, *texts = line.strip("\n").split("\t")
                if name and len(texts) == 2:
                    yield Row(name, table.parent / f"{name}.wav", name.split("_")[0], texts[1].strip(), place)
                else:
                    yield damaged(table, place, line, "a name, a text and a normalized text, with tabs between")

    return matched(rows(), _files(root, "*.wav"), "its .trans.tsv")


def _files(folder: Path, pattern: str) -> list[Path]:
    """Files of a pattern below a folder, sorted, without the hidden ones that other systems leave."""
    return sorted(path for path in folder.rglob(pattern) if not path.name.startswith("."))


def _require(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"no {path.name} in {path.parent}")
