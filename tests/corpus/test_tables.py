"""Tables that editors, copies and accidents have been at: every row and every recording is listed, or its fault is."""

from pathlib import Path

import pytest
from laid_out import lay, speak

from basis_melgan.config.schema import Config, CorpusConfig
from basis_melgan.corpus import recipes
from basis_melgan.corpus.listing import Item
from basis_melgan.corpus.prepare import prepare
from basis_melgan.errors import CorpusError

BOM = "\ufeff"


def items(recipe: str, root: Path) -> list[Item]:
    return sorted(recipes.named(recipe).items(root, root / "work"), key=lambda item: item.id)


def ljspeech(root: Path, table: str, recordings: int = 3) -> Path:
    for number in range(1, recordings + 1):
        speak(root / "wavs" / f"LJ001-000{number}.wav", number)
    lay(root / "metadata.csv", table)
    return root


ROWS = "".join(f"LJ001-000{number}|Raw {number}.|Text {number}.\n" for number in (1, 2, 3))


@pytest.mark.parametrize("table", [BOM + ROWS, "\n" + ROWS + "\n \n", ROWS.replace("\n", "\r\n"), ROWS.rstrip("\n")])
def test_marks_blank_lines_and_other_ends_of_lines_cost_no_clip(table: str, tmp_path: Path) -> None:
    found = items("ljspeech", ljspeech(tmp_path, table))
    assert [(item.id, item.text, item.fault) for item in found] == [
        (f"LJ001-000{number}", f"Text {number}.", "") for number in (1, 2, 3)
    ]


def test_what_has_no_partner_is_listed_with_the_reason(tmp_path: Path) -> None:
    rows = ROWS.replace("LJ001-0002|Raw 2.|Text 2.\n", "") + "LJ001-0009|Raw.|Text.\nno fields\nLJ001-0001|A|B\n"
    found = items("ljspeech", ljspeech(tmp_path, rows))
    table = tmp_path / "metadata.csv"
    assert [(item.id, item.fault, item.detail) for item in found] == [
        ("LJ001-0001", "", ""),
        ("LJ001-0001", "repeated row", f"{table}:5: it has a row before"),
        ("LJ001-0002", "no row", f"{tmp_path / 'wavs' / 'LJ001-0002.wav'}: metadata.csv has no row for it"),
        ("LJ001-0003", "", ""),
        ("LJ001-0009", "missing recording", f"{table}:3: names it"),
        ("metadata.csv-4", "damaged row", f"{table}:4: 'no fields'; expected NAME|TEXT|NORMALIZED TEXT"),
    ]


def test_a_table_in_another_encoding_is_named_with_its_line(tmp_path: Path) -> None:
    ljspeech(tmp_path, "")
    (tmp_path / "metadata.csv").write_bytes(ROWS.encode() + "LJ001-0004|It cost £5|£".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"metadata\.csv:4: is not UTF-8 .*convert the table with iconv"):
        items("ljspeech", tmp_path)
    (tmp_path / "metadata.csv").write_bytes(ROWS.encode("utf-16"))
    with pytest.raises(CorpusError, match=r"metadata\.csv:1: is not UTF-8"):
        items("ljspeech", tmp_path)


def test_faults_are_counted_among_the_recordings_that_cannot_be_used(tmp_path: Path) -> None:
    source = ljspeech(tmp_path / "in", ROWS + "LJ001-0009|Raw.|Text.\n")
    with pytest.raises(CorpusError, match=r"1 of 4 recordings are unusable, most often: missing recording \(1\)"):
        prepare("ljspeech", tmp_path / "out", source, Config(), jobs=1)
    forgiving = Config(corpus=CorpusConfig(max_unusable_fraction=0.3))
    assert len(prepare("ljspeech", tmp_path / "out", source, forgiving, jobs=1).clips) == 3
    speak(source / "wavs" / "LJ001-0009.wav", 4)  # found again
    assert len(prepare("ljspeech", tmp_path / "out", source, Config(), jobs=1).clips) == 4
    lay(source / "metadata.csv", ROWS)
    with pytest.raises(CorpusError, match=r"most often: no row \(1\)"):
        prepare("ljspeech", tmp_path / "out", source, Config(), jobs=1)
    lay(source / "metadata.csv", ROWS + "LJ001-0009|Raw.|Text.\n")
    assert len(prepare("ljspeech", tmp_path / "out", source, Config(), jobs=1).clips) == 4


def test_biaobei(tmp_path: Path) -> None:
    for name in ("000001", "000003", "000004"):
        speak(tmp_path / "Wave" / f"{name}.wav")
    table = tmp_path / "ProsodyLabeling" / "000001-010000.txt"
    lay(
        table,
        f"{BOM}000001\t卡尔普#2。\n\tka2 er2 pu3\n\n000002\t假语#4。\n\tjia2 yu3\n\n\tpin1\n"
        "000003 村言#3。\n\tcun1 yan2\n",
    )
    assert [(item.id, item.text, item.fault) for item in items("biaobei", tmp_path)] == [
        ("000001", "卡尔普。", ""),
        ("000001-010000.txt-7", "", "damaged row"),
        ("000002", "", "missing recording"),
        ("000003", "村言。", ""),
        ("000004", "", "no row"),
    ]


def test_aishell3(tmp_path: Path) -> None:
    lay(tmp_path / "train" / "content.txt", f"{BOM}SSB00050001.wav\t广 guang3 州 zhou1\n\nSSB00050002.wav\n")
    lay(tmp_path / "test" / "content.txt", "SSB00090002.wav\t女 nv3 大 da4\n")
    speak(tmp_path / "train/wav/SSB0005/SSB00050001.wav")
    speak(tmp_path / "train/wav/SSB0005/SSB00050002.wav")
    assert [(item.id, item.text, item.fault) for item in items("aishell3", tmp_path)] == [
        ("SSB00050001", "广州", ""),
        ("SSB00050002", "", "no row"),
        ("SSB00090002", "", "missing recording"),
        ("content.txt-3", "", "damaged row"),
    ]


def test_vctk(tmp_path: Path) -> None:
    folder = tmp_path / "wav48_silence_trimmed"
    lay(tmp_path / "txt" / "p225" / "p225_001.txt", BOM + "Please call Stella.\r\n")
    lay(tmp_path / "txt" / "p280" / "p280_001.txt", "Please call Stella.\n")
    for name in ("p225/p225_001_mic1", "p225/p225_001_mic2", "p280/p280_001_mic1", "p315/p315_001_mic2"):
        speak(folder / f"{name}.flac")
    assert [(item.id, item.speaker, item.text, item.fault) for item in items("vctk", tmp_path)] == [
        ("p225_001_mic2", "p225", "Please call Stella.", ""),
        ("p280_001_mic2", "", "", "missing recording"),
        ("p315_001_mic2", "", "", "no row"),
    ]


def test_libritts(tmp_path: Path) -> None:
    folder = tmp_path / "dev-clean" / "84" / "121123"
    lay(folder / "84_121123.trans.tsv", f"{BOM}84_1\tMr. X?\tMister X?\n\n84_2\tonly one\n84_3\tGone.\tGone.\n")
    lay(folder / "._84_121123.trans.tsv", "\x00\x05")
    for name in ("84_1", "84_4", "._84_1"):
        speak(folder / f"{name}.wav")
    assert [(item.id, item.text, item.fault) for item in items("libritts", tmp_path)] == [
        ("84_1", "Mister X?", ""),
        ("84_121123.trans.tsv-3", "", "damaged row"),
        ("84_3", "", "missing recording"),
        ("84_4", "", "no row"),
    ]


def test_festvox_keeps_speech_without_a_text(tmp_path: Path) -> None:
    lay(tmp_path / "etc" / "txt.done.data", f'{BOM}( one "Раз" )\n\n( two "Два" )\n( broken\n')
    speak(tmp_path / "wav" / "one.wav")
    speak(tmp_path / "wav" / "three.wav")
    assert [(item.id, item.text, item.fault) for item in items("festvox-ru", tmp_path)] == [
        ("one", "Раз", ""),
        ("three", "", ""),
        ("two", "", "missing recording"),
        ("txt.done.data-4", "", "damaged row"),
    ]
