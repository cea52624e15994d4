"""Each recipe on a small folder with the layout of its corpus and real speech."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from corpus_folders import list_fields, write_speech, write_text

from basis_melgan.corpus import debian, recipes
from basis_melgan.errors import CorpusError

DOWNLOADABLE = {"festvox-ru", *(f"asterisk-{language}" for language in debian.ASTERISK)}


def _biaobei(root: Path) -> list[tuple[str, Path, str, str]]:
    write_speech(root / "Wave" / "000001.wav")
    write_speech(root / "Wave" / "000002.wav", 1)
    write_text(
        root / "ProsodyLabeling" / "000001-010000.txt",
        "000001\t卡尔普#2陪外孙#1玩滑梯#4。\n\tka2 er2 pu3 pei2 wai4 sun1 wan2 hua2 ti1\n"
        "000002\t假语村言#2别再#1拥抱我#4。\n\tjia2 yu3 cun1 yan2 bie2 zai4 yong1 bao4 wo3\n",
    )
    return [
        ("000001", root / "Wave" / "000001.wav", "biaobei", "卡尔普陪外孙玩滑梯。"),
        ("000002", root / "Wave" / "000002.wav", "biaobei", "假语村言别再拥抱我。"),
    ]


def _aishell3(root: Path) -> list[tuple[str, Path, str, str]]:
    write_text(
        root / "spk-info.txt", "# speaker\tage\tgender\taccent\nSSB0005\tC\tfemale\tnorth\nSSB0009\tB\tmale\tsouth\n"
    )
    write_text(root / "train" / "label_train-set.txt", "# header\nSSB00050001|guang3 zhou1|广州%。$\n")
    write_text(root / "train" / "content.txt", "SSB00050001.wav\t广 guang3 州 zhou1\n")
    write_text(root / "test" / "content.txt", "SSB00090002.wav\t女 nv3 大 da4\n")
    first, second = root / "train/wav/SSB0005/SSB00050001.wav", root / "test/wav/SSB0009/SSB00090002.wav"
    write_speech(first)
    write_speech(second, 1)
    return [("SSB00050001", first, "SSB0005", "广州"), ("SSB00090002", second, "SSB0009", "女大")]


def _ljspeech(root: Path) -> list[tuple[str, Path, str, str]]:
    write_speech(root / "wavs" / "LJ001-0001.wav")
    write_text(root / "metadata.csv", "LJ001-0001|It cost £5.|It cost five pounds.\n")
    return [("LJ001-0001", root / "wavs" / "LJ001-0001.wav", "ljspeech", "It cost five pounds.")]


VCTK_SPEAKERS = "ID  AGE  GENDER  ACCENTS  REGION\n{}225  23  F    English    Southern  England\n"


def _vctk_080(root: Path) -> list[tuple[str, Path, str, str]]:
    write_text(root / "speaker-info.txt", VCTK_SPEAKERS.format(""))
    write_text(root / "txt" / "p225" / "p225_001.txt", "Please call Stella.\n")
    write_speech(root / "wav48" / "p225" / "p225_001.wav")
    return [("p225_001", root / "wav48/p225/p225_001.wav", "p225", "Please call Stella.")]


def _vctk_092(root: Path) -> list[tuple[str, Path, str, str]]:
    write_text(root / "speaker-info.txt", VCTK_SPEAKERS.format("p"))
    write_text(root / "txt" / "p225" / "p225_001.txt", "Please call Stella.\n")
    folder = root / "wav48_silence_trimmed" / "p225"
    write_speech(folder / "p225_001_mic1.flac")
    write_speech(folder / "p225_001_mic2.flac")
    return [("p225_001_mic2", folder / "p225_001_mic2.flac", "p225", "Please call Stella.")]


def _libritts(root: Path) -> list[tuple[str, Path, str, str]]:
    folder = root / "dev-clean" / "84" / "121123"
    name = "84_121123_000007_000001"
    write_text(root / "SPEAKERS.txt", ";ID  |SEX| SUBSET |MINUTES| NAME\n84 | F | dev-clean | 8.02 | Christie Nowak\n")
    write_text(folder / "84_121123.trans.tsv", f"{name}\tMr. Noirtier?\tMister Noirtier?\n")
    write_text(folder / "84_121123.book.tsv", f"{name}\tMr. Noirtier?\t0.0\t1.0\t25.5\n")
    write_speech(folder / f"{name}.wav")
    return [(name, folder / f"{name}.wav", "84", "Mister Noirtier?")]


LAYOUTS = {
    "biaobei": ("biaobei", _biaobei),
    "aishell3": ("aishell3", _aishell3),
    "ljspeech": ("ljspeech", _ljspeech),
    "vctk-0.80": ("vctk", _vctk_080),
    "vctk-0.92": ("vctk", _vctk_092),
    "libritts": ("libritts", _libritts),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_recipes_list_files_speakers_and_texts(layout, tmp_path, monkeypatch):
    # A locale in which Python reads ASCII by default.
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    recipe, write_corpus = LAYOUTS[layout]
    expected = write_corpus(tmp_path / "corpus")

    assert list_fields(recipe, tmp_path / "corpus", tmp_path / "work") == expected
    assert not (tmp_path / "work").exists()


def test_mandarin_is_listed_when_the_whole_command_runs_in_an_ascii_locale(tmp_path):
    expected = _biaobei(tmp_path / "corpus")
    program = (
        "import sys; from pathlib import Path; from basis_melgan.corpus import debian, recipes; "
        "entries = recipes.find_recipe('biaobei').list_entries(Path(sys.argv[1]), Path(sys.argv[2])); "
        "sys.stdout.buffer.write('|'.join(entry.text for entry in entries).encode())"
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = {**os.environ, **locale, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, str(tmp_path / "corpus"), str(tmp_path / "work")]
    output = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
    assert output.decode("utf-8") == "|".join(text for *_, text in expected)


def test_a_damaged_recording_does_not_stop_the_listing(tmp_path):
    expected = _ljspeech(tmp_path / "corpus")
    expected[0][1].write_bytes(b"not a sound file")
    assert list_fields("ljspeech", tmp_path / "corpus", tmp_path / "work") == expected


@pytest.mark.parametrize("recipe", ["biaobei", "aishell3", "ljspeech", "vctk"])
def test_another_layout_is_reported_in_one_line_with_recipe_and_expected_layout(recipe, tmp_path):
    with pytest.raises(CorpusError, match=rf"is not laid out as {recipe} \(.+\); expected the folder") as error:
        list_fields(recipe, tmp_path, tmp_path / "work")
    assert "\n" not in str(error.value)


def test_libritts_without_a_part_lists_nothing(tmp_path):
    assert list_fields("libritts", tmp_path, tmp_path / "work") == []


@pytest.mark.parametrize("recipe", [name for name in recipes.RECIPES if name not in DOWNLOADABLE])
def test_a_recipe_that_cannot_download_asks_for_a_source(recipe, tmp_path):
    with pytest.raises(CorpusError, match=f"recipe {recipe}: cannot be downloaded, so it needs a source"):
        list(recipes.find_recipe(recipe).list_entries(None, tmp_path))
    with pytest.raises(CorpusError, match="absent: no such folder"):
        list(recipes.find_recipe(recipe).list_entries(tmp_path / "absent", tmp_path))


def test_aishell3_draws_as_many_clips_as_the_reference():
    assert {name: recipe.max_clips for name, recipe in recipes.RECIPES.items() if recipe.max_clips} == {
        "aishell3": 20_000
    }


def test_an_unknown_recipe_suggests_the_nearest():
    with pytest.raises(CorpusError, match="recipe festvox: unknown; did you mean festvox-ru"):
        recipes.find_recipe("festvox")
    with pytest.raises(CorpusError, match="use one of folder, festvox-ru, asterisk-en"):
        recipes.find_recipe("qqq")


def test_folder_lists_sound_files_in_order_and_ignores_other_files(tmp_path):
    for name in ("b/two.WAV", "a.flac", "b/c/three.ogg", "._a.wav", ".hidden/four.wav"):
        write_speech(tmp_path / name)
    write_text(tmp_path / "notes.txt", "not sound")
    write_text(tmp_path / "noise.raw", "no header")
    assert list_fields("folder", tmp_path, tmp_path) == [
        ("a", tmp_path / "a.flac", "", ""),
        ("b/c/three", tmp_path / "b/c/three.ogg", "", ""),
        ("b/two", tmp_path / "b/two.WAV", "", ""),
    ]
