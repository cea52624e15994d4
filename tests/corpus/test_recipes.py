"""Each recipe on a small folder laid out as that corpus is, with real speech in it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from laid_out import lay, listed, speak

from basis_melgan.corpus import debian, recipes
from basis_melgan.errors import CorpusError

FETCHED = {"festvox-ru", *(f"asterisk-{language}" for language in debian.ASTERISK)}


def _biaobei(root: Path) -> list[tuple[str, Path, str, str]]:
    speak(root / "Wave" / "000001.wav")
    speak(root / "Wave" / "000002.wav", 1)
    lay(
        root / "ProsodyLabeling" / "000001-010000.txt",
        "000001\t卡尔普#2陪外孙#1玩滑梯#4。\n\tka2 er2 pu3 pei2 wai4 sun1 wan2 hua2 ti1\n"
        "000002\t假语村言#2别再#1拥抱我#4。\n\tjia2 yu3 cun1 yan2 bie2 zai4 yong1 bao4 wo3\n",
    )
    return [
        ("000001", root / "Wave" / "000001.wav", "biaobei", "卡尔普陪外孙玩滑梯。"),
        ("000002", root / "Wave" / "000002.wav", "biaobei", "假语村言别再拥抱我。"),
    ]


def _aishell3(root: Path) -> list[tuple[str, Path, str, str]]:
    lay(root / "spk-info.txt", "# speaker\tage\tgender\taccent\nSSB0005\tC\tfemale\tnorth\nSSB0009\tB\tmale\tsouth\n")
    lay(root / "train" / "label_train-set.txt", "# header\nSSB00050001|guang3 zhou1|广州%。$\n")
    lay(root / "train" / "content.txt", "SSB00050001.wav\t广 guang3 州 zhou1\n")
    lay(root / "test" / "content.txt", "SSB00090002.wav\t女 nv3 大 da4\n")
    first, second = root / "train/wav/SSB0005/SSB00050001.wav", root / "test/wav/SSB0009/SSB00090002.wav"
    speak(first)
    speak(second, 1)
    return [("SSB00050001", first, "SSB0005", "广州"), ("SSB00090002", second, "SSB0009", "女大")]


def _ljspeech(root: Path) -> list[tuple[str, Path, str, str]]:
    speak(root / "wavs" / "LJ001-0001.wav")
    lay(root / "metadata.csv", "LJ001-0001|It cost £5.|It cost five pounds.\n")
    return [("LJ001-0001", root / "wavs" / "LJ001-0001.wav", "ljspeech", "It cost five pounds.")]


VCTK_SPEAKERS = "ID  AGE  GENDER  ACCENTS  REGION\n{}225  23  F    English    Southern  England\n"


def _vctk_080(root: Path) -> list[tuple[str, Path, str, str]]:
    lay(root / "speaker-info.txt", VCTK_SPEAKERS.format(""))
    lay(root / "txt" / "p225" / "p225_001.txt", "Please call Stella.\n")
    speak(root / "wav48" / "p225" / "p225_001.wav")
    return [("p225_001", root / "wav48/p225/p225_001.wav", "p225", "Please call Stella.")]


def _vctk_092(root: Path) -> list[tuple[str, Path, str, str]]:
    lay(root / "speaker-info.txt", VCTK_SPEAKERS.format("p"))
    lay(root / "txt" / "p225" / "p225_001.txt", "Please call Stella.\n")
    folder = root / "wav48_silence_trimmed" / "p225"
    speak(folder / "p225_001_mic1.flac")
    speak(folder / "p225_001_mic2.flac")
    return [("p225_001_mic2", folder / "p225_001_mic2.flac", "p225", "Please call Stella.")]


def _libritts(root: Path) -> list[tuple[str, Path, str, str]]:
    folder = root / "dev-clean" / "84" / "121123"
    name = "84_121123_000007_000001"
    lay(root / "SPEAKERS.txt", ";ID  |SEX| SUBSET |MINUTES| NAME\n84 | F | dev-clean | 8.02 | Christie Nowak\n")
    lay(folder / "84_121123.trans.tsv", f"{name}\tMr. Noirtier?\tMister Noirtier?\n")
    lay(folder / "84_121123.book.tsv", f"{name}\tMr. Noirtier?\t0.0\t1.0\t25.5\n")
    speak(folder / f"{name}.wav")
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
    # A locale in which Python, left to itself, reads ASCII.
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("PYTHONUTF8", "0")
    monkeypatch.setenv("PYTHONCOERCECLOCALE", "0")
    recipe, lay_out = LAYOUTS[layout]
    expected = lay_out(tmp_path / "corpus")

    assert listed(recipe, tmp_path / "corpus", tmp_path / "work") == expected
    assert not (tmp_path / "work").exists()


def test_mandarin_is_listed_when_the_whole_command_runs_in_an_ascii_locale(tmp_path):
    expected = _biaobei(tmp_path / "corpus")
    program = (
        "import sys; from pathlib import Path; from basis_melgan.corpus import debian, recipes; "
        "found = recipes.named('biaobei').items(Path(sys.argv[1]), Path(sys.argv[2])); "
        "sys.stdout.buffer.write('|'.join(item.text for item in found).encode())"
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment = {**os.environ, **locale, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program, str(tmp_path / "corpus"), str(tmp_path / "work")]
    said = subprocess.run(command, env=environment, check=True, capture_output=True).stdout
    assert said.decode("utf-8") == "|".join(item[3] for item in expected)


def test_a_damaged_recording_does_not_stop_the_listing(tmp_path):
    expected = _ljspeech(tmp_path / "corpus")
    expected[0][1].write_bytes(b"this is no sound")
    assert listed("ljspeech", tmp_path / "corpus", tmp_path / "work") == expected


@pytest.mark.parametrize("recipe", ["biaobei", "aishell3", "ljspeech", "vctk"])
def test_a_folder_of_another_layout_is_one_line_naming_recipe_and_layout(recipe, tmp_path):
    with pytest.raises(CorpusError, match=rf"recipe for {recipe} cannot read it \(.+\); expected the folder") as caught:
        listed(recipe, tmp_path, tmp_path / "work")
    assert "\n" not in str(caught.value)


def test_libritts_without_a_part_lists_nothing(tmp_path):
    assert listed("libritts", tmp_path, tmp_path / "work") == []


@pytest.mark.parametrize("recipe", [name for name in recipes.RECIPES if name not in FETCHED])
def test_a_recipe_that_fetches_nothing_asks_for_a_source(recipe, tmp_path):
    with pytest.raises(CorpusError, match=f"recipe {recipe}: no source given"):
        list(recipes.named(recipe).items(None, tmp_path))
    with pytest.raises(CorpusError, match="absent: no such folder"):
        list(recipes.named(recipe).items(tmp_path / "absent", tmp_path))


def test_aishell3_draws_as_many_as_the_reference_did():
    assert {name: recipe.draw for name, recipe in recipes.RECIPES.items() if recipe.draw} == {"aishell3": 20_000}


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(CorpusError, match="recipe festvox: unknown; did you mean festvox-ru"):
        recipes.named("festvox")
    with pytest.raises(CorpusError, match="use one of folder, festvox-ru, asterisk-en"):
        recipes.named("qqq")


def test_folder_lists_sound_files_in_order_and_passes_over_the_rest(tmp_path):
    for name in ("b/two.WAV", "a.flac", "b/c/three.ogg", "._a.wav", ".hidden/four.wav"):
        speak(tmp_path / name)
    lay(tmp_path / "notes.txt", "no sound")
    lay(tmp_path / "noise.raw", "no header")
    assert listed("folder", tmp_path, tmp_path) == [
        ("a", tmp_path / "a.flac", "", ""),
        ("b/c/three", tmp_path / "b/c/three.ogg", "", ""),
        ("b/two", tmp_path / "b/two.WAV", "", ""),
    ]
