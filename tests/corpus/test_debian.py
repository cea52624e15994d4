"""Corpora in Debian packages, on small trees with the layout of the packages and real speech."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from corpus_folders import CLIPS, list_fields, write_speech, write_text
from G722 import G722

from basis_melgan.audio import files
from basis_melgan.corpus import debian
from basis_melgan.errors import CorpusError


def _write_festvox(voice: Path) -> list[tuple[str, Path, str, str]]:
    write_speech(voice / "wav" / "ru_0001.wav")
    write_speech(voice / "wav" / "ru_0002.wav", 1)
    write_speech(voice / "wav" / "ru_0003.wav", 2)
    write_text(
        voice / "etc" / "txt.done.data",
        '( ru_0001 "Она завела, прядь волнистых вол+ос за ухо." )\n( ru_0002 "Он сказал: \\"да\\" (тихо)." )\n',
    )
    texts = ["Она завела, прядь волнистых вол+ос за ухо.", 'Он сказал: "да" (тихо).', ""]
    names = ["ru_0001", "ru_0002", "ru_0003"]
    return [(n, voice / "wav" / f"{n}.wav", "msu_ru_nsh", text) for n, text in zip(names, texts, strict=True)]


@pytest.mark.parametrize("inside", [Path(), debian.FESTVOX])
def test_festvox_is_read_from_the_package_and_from_the_voice_folder(inside, tmp_path):
    expected = _write_festvox(tmp_path / inside)
    assert list_fields("festvox-ru", tmp_path, tmp_path / "work") == expected


def test_festvox_names_the_expected_layout(tmp_path):
    with pytest.raises(CorpusError, match=r"not festvox-ru; expected .*etc/txt\.done\.data"):
        list_fields("festvox-ru", tmp_path, tmp_path)


def _command(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_festvox_is_downloaded_once_with_apt_and_dpkg(tmp_path, monkeypatch):
    """Local apt-get and dpkg scripts serve a package made here and would fail on a second call."""
    _write_festvox(tmp_path / "tree" / debian.FESTVOX)
    shutil.make_archive(str(tmp_path / "package"), "tar", tmp_path / "tree")
    bin = tmp_path / "bin"
    _command(bin, "apt-get", f'[ "$1 $2" = "download festvox-ru" ] && cp {tmp_path}/package.tar festvox-ru_0.5_all.deb')
    _command(bin, "dpkg", '[ "$1" = -x ] && mkdir "$3" && tar -xf "$2" -C "$3"')
    monkeypatch.setenv("PATH", f"{bin}{os.pathsep}{os.environ['PATH']}")

    first = list(debian.festvox_ru(None, tmp_path / "work"))
    assert [entry.id for entry in first] == ["ru_0001", "ru_0002", "ru_0003"]
    assert first[0].path.is_relative_to(tmp_path / "work")
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["festvox-ru"]

    _command(bin, "apt-get", "exit 1")
    assert list(debian.festvox_ru(None, tmp_path / "work")) == first


def test_festvox_without_apt_asks_for_a_source(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CorpusError, match=r"apt-get is not installed.*give its folder as the source"):
        list(debian.festvox_ru(None, tmp_path / "work"))


def test_festvox_quotes_a_failing_apt_and_advises_an_update(tmp_path, monkeypatch):
    _command(tmp_path / "bin", "apt-get", "echo 'E: Unable to locate package festvox-ru' >&2; exit 100")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(CorpusError, match=r"Unable to locate package festvox-ru.*run `apt-get update`"):
        list(debian.festvox_ru(None, tmp_path / "work"))


def _prompt(path: Path) -> files.Wave:
    """Write one second of speech as G.722; returns it at 16 kHz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    wave, rate = files.read(CLIPS[0], 12_000, 24_000)
    slow = files.resample(wave, rate, files.G722_RATE)
    path.write_bytes(bytes(G722(files.G722_RATE, files.G722_BITS).encode((slow * 2**15).astype(np.int16))))
    return slow


@pytest.mark.parametrize("inside", [Path(), debian.SOUNDS / "en_US_f_Allison"])
def test_asterisk_prompts_are_decoded_without_tones_and_silences(inside, tmp_path):
    voice = tmp_path / inside if inside.parts else tmp_path / "en_US_f_Allison"
    for name in ("hello", "digits/1", "silence/1", "beep", "tt-monkeys", "at-tone-time-exactly"):
        wave = _prompt(voice / f"{name}.g722")
    listed_prompts = list_fields("asterisk-en", tmp_path if inside.parts else voice, tmp_path / "work")
    assert [(name, speaker) for name, _, speaker, _ in listed_prompts] == [
        (name, "en_US_f_Allison") for name in ("at-tone-time-exactly", "digits/1", "hello")
    ]
    decoded, rate = files.read(listed_prompts[0][1])
    assert (rate, decoded.size) == (16_000, wave.size)
    # The codec delays speech by its two filterbanks, 22 samples, and adds noise 20 dB and more below it.
    lag = int(np.argmax(np.correlate(decoded, wave, "full"))) - (wave.size - 1)
    assert lag == 22
    noise = decoded[lag:] - wave[:-lag]
    assert 10 * np.log10(np.sum(wave**2) / np.sum(noise**2)) > 15


def test_asterisk_names_the_expected_layout(tmp_path):
    with pytest.raises(CorpusError, match=r"not asterisk-core-sounds-fr-g722; expected .*\.g722 files in it"):
        list_fields("asterisk-fr", tmp_path, tmp_path / "work")
