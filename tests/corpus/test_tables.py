"""Transcript tables with defects: every row and every recording is listed, or reported with a problem."""

from pathlib import Path

import pytest
from corpus_folders import list_entries, write_speech, write_text

from basis_melgan.config.schema import Config, CorpusConfig
from basis_melgan.corpus.prepare import prepare
from basis_melgan.errors import CorpusError

BOM = "\ufeff"


def id_text_problem(recipe: str, root: Path) -> list[tuple[str, str, str]]:
    return [(entry.id, entry.text, entry.problem) for entry in list_entries(recipe, root, root / "work")]


def write_ljspeech(root: Path, table: str) -> Path:
    for number in (1, 2, 3):
        write_speech(root / "wavs" / f"LJ001-000{number}.wav", number)
    write_text(root / "metadata.csv", table)
    return root


ROWS = "".join(f"LJ001-000{number}|Raw {number}.|Text {number}.\n" for number in (1, 2, 3))


@pytest.mark.parametrize("table", [BOM + ROWS, "\n" + ROWS + "\n \n", ROWS.replace("\n", "\r\n"), ROWS.rstrip("\n")])
def test_byte_order_marks_blank_lines_and_other_line_ends_lose_no_clip(table: str, tmp_path: Path) -> None:
    assert id_text_problem("ljspeech", write_ljspeech(tmp_path, table)) == [
        (f"LJ001-000{number}", f"Text {number}.", "") for number in (1, 2, 3)
    ]


def test_unmatched_rows_and_recordings_are_listed_with_their_problem(tmp_path: Path) -> None:
    rows = ROWS.replace("LJ001-0002|Raw 2.|Text 2.\n", "") + "LJ001-0009|Raw.|Text.\nno fields\nLJ001-0001|A|B\n"
    entries = list_entries("ljspeech", write_ljspeech(tmp_path, rows), tmp_path / "work")
    table = tmp_path / "metadata.csv"
    assert [(entry.id, entry.problem, entry.detail) for entry in entries] == [
        ("LJ001-0001", "", ""),
        ("LJ001-0001", "repeated row", f"{table}:5: an earlier row names the same recording"),
        ("LJ001-0002", "no row", f"{tmp_path / 'wavs' / 'LJ001-0002.wav'}: metadata.csv has no row for it"),
        ("LJ001-0003", "", ""),
        ("LJ001-0009", "missing recording", f"{table}:3: names a recording that does not exist"),
        ("metadata.csv-4", "damaged row", f"{table}:4: 'no fields'; expected NAME|TEXT|NORMALIZED TEXT"),
    ]


def test_an_encoding_error_names_table_and_line(tmp_path: Path) -> None:
    write_ljspeech(tmp_path, "")
    (tmp_path / "metadata.csv").write_bytes(ROWS.encode() + "LJ001-0004|It cost £5|£".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"metadata\.csv:4: is not UTF-8 .*convert the table with iconv"):
        id_text_problem("ljspeech", tmp_path)
    (tmp_path / "metadata.csv").write_bytes(ROWS.encode("utf-16"))
    with pytest.raises(CorpusError, match=r"metadata\.csv:1: is not UTF-8"):
        id_text_problem("ljspeech", tmp_path)


def test_problems_count_as_unusable_recordings(tmp_path: Path) -> None:
    source = write_ljspeech(tmp_path / "in", ROWS + "LJ001-0009|Raw.|Text.\n")
    with pytest.raises(CorpusError, match=r"1 of 4 recordings are unusable, most often: missing recording \(1\)"):
        prepare("ljspeech", tmp_path / "out", source, Config(), jobs=1)
    lenient = Config(corpus=CorpusConfig(max_unusable_fraction=0.3))
    assert len(prepare("ljspeech", tmp_path / "out", source, lenient, jobs=1).clips) == 3
    write_speech(source / "wavs" / "LJ001-0009.wav", 4)
    assert len(prepare("ljspeech", tmp_path / "out", source, Config(), jobs=1).clips) == 4
    write_text(source / "metadata.csv", ROWS)
    with pytest.raises(CorpusError, match=r"most often: no row \(1\)"):
        prepare("ljspeech", tmp_path / "out", source, Config(), jobs=1)
    write_text(source / "metadata.csv", ROWS + "LJ001-0009|Raw.|Text.\n")
    assert len(prepare("ljspeech", tmp_path / "out", source, Config(), jobs=1).clips) == 4


def test_biaobei(tmp_path: Path) -> None:
    for name in ("000001", "000003", "000004"):
        write_speech(tmp_path / "Wave" / f"{name}.wav")
    table = tmp_path / "ProsodyLabeling" / "000001-010000.txt"
    write_text(
        table,
        f"{BOM}000001\t卡尔普#2。\n\tka2 er2 pu3\n\n000002\t假语#4。\n\tjia2 yu3\n\n\tpin1\n"
        "000003 村言#3。\n\tcun1 yan2\n",
    )
    assert id_text_problem("biaobei", tmp_path) == [
        ("000001", "卡尔普。", ""),
        ("000001-010000.txt-7", "", "damaged row"),
        ("000002", "", "missing recording"),
        ("000003", "村言。", ""),
        ("000004", "", "no row"),
    ]


def test_aishell3(tmp_path: Path) -> None:
    write_text(tmp_path / "train" / "content.txt", f"{BOM}SSB00050001.wav\t广 guang3 州 zhou1\n\nSSB00050002.wav\n")
    write_text(tmp_path / "test" / "content.txt", "SSB00090002.wav\t女 nv3 大 da4\n")
    write_speech(tmp_path / "train/wav/SSB0005/SSB00050001.wav")
    write_speech(tmp_path / "train/wav/SSB0005/SSB00050002.wav")
    assert id_text_problem("aishell3", tmp_path) == [
        ("SSB00050001", "广州", ""),
        ("SSB00050002", "", "no row"),
        ("SSB00090002", "", "missing recording"),
        ("content.txt-3", "", "damaged row"),
    ]


def test_vctk(tmp_path: Path) -> None:
    folder = tmp_path / "wav48_silence_trimmed"
    write_text(tmp_path / "txt" / "p225" / "p225_001.txt", BOM + "Please call Stella.\r\n")
    write_text(tmp_path / "txt" / "p280" / "p280_001.txt", "Please call Stella.\n")
    for name in ("p225/p225_001_mic1", "p225/p225_001_mic2", "p280/p280_001_mic1", "p315/p315_001_mic2"):
        write_speech(folder / f"{name}.flac")
    assert [
        (entry.id, entry.speaker, entry.text, entry.problem)
        for entry in list_entries("vctk", tmp_path, tmp_path / "work")
    ] == [
        ("p225_001_mic2", "p225", "Please call Stella.", ""),
        ("p280_001_mic2", "", "", "missing recording"),
        ("p315_001_mic2", "", "", "no row"),
    ]


def test_libritts(tmp_path: Path) -> None:
    folder = tmp_path / "dev-clean" / "84" / "121123"
    write_text(folder / "84_121123.trans.tsv", f"{BOM}84_1\tMr. X?\tMister X?\n\n84_2\tonly one\n84_3\tGone.\tGone.\n")
    write_text(folder / "._84_121123.trans.tsv", "\x00\x05")
    for name in ("84_1", "84_4", "._84_1"):
        write_speech(folder / f"{name}.wav")
    assert id_text_problem("libritts", tmp_path) == [
        ("84_1", "Mister X?", ""),
        ("84_121123.trans.tsv-3", "", "damaged row"),
        ("84_3", "", "missing recording"),
        ("84_4", "", "no row"),
    ]


def test_festvox_keeps_recordings_without_a_text(tmp_path: Path) -> None:
    write_text(tmp_path / "etc" / "txt.done.data", f'{BOM}( one "Раз" )\n\n( two "Два" )\n( broken\n')
    write_speech(tmp_path / "wav" / "one.wav")
    write_speech(tmp_path / "wav" / "three.wav")
    assert id_text_problem("festvox-ru", tmp_path) == [
        ("one", "Раз", ""),
        ("three", "", ""),
        ("two", "", "missing recording"),
        ("txt.done.data-4", "", "damaged row"),
    ]
