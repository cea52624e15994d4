"""Corpora with transcript tables: BZNSYP of DataBaker, AISHELL-3, LJ Speech, VCTK and LibriTTS.

Each reader lists the recordings of a corpus in its published layout, and reports every row without a recording and
every recording without a row. None reads audio.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from basis_melgan.corpus.listing import Entry, TableRow, damaged_row, match_rows, read_lines

PROSODY = re.compile(r"#[1-5]")  # prosodic breaks in the texts of BZNSYP
SENTENCE = re.compile(r"(\d{6})\s+(\S.*)")
MICROPHONE = "mic2"  # of the two of VCTK 0.92, the one with wide bandwidth (Sennheiser MKH 800)
AISHELL3_SPLITS = ("train", "test")


def biaobei(root: Path) -> Iterator[Entry]:
    """List BZNSYP: 10 000 Mandarin sentences of one woman; each text row is followed by a pinyin row."""
    table = root / "ProsodyLabeling" / "000001-010000.txt"
    _require(table)

    def rows() -> Iterator[TableRow | Entry]:
        expects_pinyin = False
        for location, line in read_lines(table):
            sentence = SENTENCE.fullmatch(line.strip())
            if sentence:
                path = root / "Wave" / f"{sentence[1]}.wav"
                yield TableRow(sentence[1], path, "biaobei", PROSODY.sub("", sentence[2]), location)
            elif not expects_pinyin:
                yield damaged_row(table, location, line, "six digits and a text, or a row of pinyin after one")
            expects_pinyin = sentence is not None

    return match_rows(rows(), _files(root / "Wave", "*.wav"), table.name)


def aishell3(root: Path) -> Iterator[Entry]:
    """List AISHELL-3: 88 035 Mandarin sentences of 218 speakers; every character is followed by its pinyin."""
    for part in AISHELL3_SPLITS:
        _require(root / part / "content.txt")

    def rows(part: Path) -> Iterator[TableRow | Entry]:
        for location, line in read_lines(part / "content.txt"):
            name, _, text = line.strip().partition("\t")
            if name.endswith(".wav") and text:
                speaker, path = name[:7], part / "wav" / name[:7] / name
                yield TableRow(path.stem, path, speaker, "".join(text.split()[::2]), location)
            else:
                yield damaged_row(
                    part / "content.txt", location, line, "NAME.wav, a tab, and characters with their pinyin"
                )

    for part in AISHELL3_SPLITS:
        yield from match_rows(rows(root / part), _files(root / part / "wav", "*.wav"), f"{part}/content.txt")


def ljspeech(root: Path) -> Iterator[Entry]:
    """List LJ Speech: 13 100 English sentences of one woman; columns are name, text and normalized text."""
    table = root / "metadata.csv"
    _require(table)

    def rows() -> Iterator[TableRow | Entry]:
        for location, line in read_lines(table):
            name, *texts = (field.strip() for field in line.split("|"))
            if name and len(texts) in (1, 2):
                yield TableRow(name, root / "wavs" / f"{name}.wav", "ljspeech", texts[-1] or texts[0], location)
            else:
                yield damaged_row(table, location, line, "NAME|TEXT|NORMALIZED TEXT")

    return match_rows(rows(), _files(root / "wavs", "*.wav"), table.name)


def vctk(root: Path) -> Iterator[Entry]:
    """List VCTK 0.80 or 0.92: about 400 English sentences by each of 110 speakers; every text is a file."""
    trimmed = root / "wav48_silence_trimmed"
    folder, suffix = (trimmed, f"_{MICROPHONE}.flac") if trimmed.is_dir() else (root / "wav48", ".wav")
    for required_folder in (root / "txt", folder):
        _require(required_folder)

    def rows() -> Iterator[TableRow]:
        for table in _files(root / "txt", "*.txt"):
            speaker, path = table.stem.split("_")[0], folder / table.parent.name / f"{table.stem}{suffix}"
            text = " ".join(line.strip() for _, line in read_lines(table))
            yield TableRow(path.stem, path, speaker, text, str(table))

    return match_rows(rows(), _files(folder, f"*{suffix}"), "txt/")


def libritts(root: Path) -> Iterator[Entry]:
    """List LibriTTS or LibriTTS-R: 585 hours of English books; columns are name, text and normalized text."""

    def rows() -> Iterator[TableRow | Entry]:
        for table in _files(root, "*.trans.tsv"):
            for location, line in read_lines(table):
                name, *texts = line.strip("\n").split("\t")
                if name and len(texts) == 2:
                    yield TableRow(name, table.parent / f"{name}.wav", name.split("_")[0], texts[1].strip(), location)
                else:
                    yield damaged_row(table, location, line, "a name, a text and a normalized text, separated by tabs")

    return match_rows(rows(), _files(root, "*.wav"), "its .trans.tsv")


def _files(folder: Path, pattern: str) -> list[Path]:
    """Return the files below a folder that match a pattern, sorted, without hidden ones such as those of macOS."""
    return sorted(path for path in folder.rglob(pattern) if not path.name.startswith("."))


def _require(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"no {path.name} in {path.parent}")
