"""Corpora that come as Debian packages, on small trees laid out as the packages are, with real speech in them."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from G722 import G722
from laid_out import CLIPS, lay, listed, speak

from basis_melgan.audio import files
from basis_melgan.corpus import debian
from basis_melgan.errors import CorpusError


def _festvox(voice: Path) -> list[tuple[str, Path, str, str]]:
    speak(voice / "wav" / "ru_0001.wav")
    speak(voice / "wav" / "ru_0002.wav", 1)
    speak(voice / "wav" / "ru_0003.wav", 2)
    lay(
        voice / "etc" / "txt.done.data",
        '( ru_0001 "Она завела, прядь волнистых вол+ос за ухо." )\n( ru_0002 "Он сказал: \\"да\\" (тихо)." )\n',
    )
    texts = ["Она завела, прядь волнистых вол+ос за ухо.", 'Он сказал: "да" (тихо).', ""]
    names = ["ru_0001", "ru_0002", "ru_0003"]
    return [(n, voice / "wav" / f"{n}.wav", "msu_ru_nsh", text) for n, text in zip(names, texts, strict=True)]


@pytest.mark.parametrize("inside", [Path(), debian.FESTVOX])
def test_festvox_is_found_in_the_package_and_in_the_voice_folder(inside, tmp_path):
    expected = _festvox(tmp_path / inside)
    assert listed("festvox-ru", tmp_path, tmp_path / "work") == expected


def test_festvox_says_what_it_looked_for(tmp_path):
    with pytest.raises(CorpusError, match=r"not festvox-ru; expected .*etc/txt\.done\.data"):
        listed("festvox-ru", tmp_path, tmp_path)


def _command(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_festvox_is_fetched_once_by_apt_and_dpkg(tmp_path, monkeypatch):
    """Stand-ins for apt-get and dpkg that serve a package made here, and would fail when asked twice."""
    _festvox(tmp_path / "tree" / debian.FESTVOX)
    shutil.make_archive(str(tmp_path / "package"), "tar", tmp_path / "tree")
    bin = tmp_path / "bin"
    _command(bin, "apt-get", f'[ "$1 $2" = "download festvox-ru" ] && cp {tmp_path}/package.tar festvox-ru_0.5_all.deb')
    _command(bin, "dpkg", '[ "$1" = -x ] && mkdir "$3" && tar -xf "$2" -C "$3"')
    monkeypatch.setenv("PATH", f"{bin}{os.pathsep}{os.environ['PATH']}")

    first = list(debian.festvox_ru(None, tmp_path / "work"))
    assert [item.id for item in first] == ["ru_0001", "ru_0002", "ru_0003"]
    assert first[0].path.is_relative_to(tmp_path / "work")
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["festvox-ru"]

    _command(bin, "apt-get", "exit 1")
    assert list(debian.festvox_ru(None, tmp_path / "work")) == first


def test_festvox_without_apt_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CorpusError, match=r"apt-get is not on this machine.*give its folder as the source"):
        list(debian.festvox_ru(None, tmp_path / "work"))


def test_festvox_with_a_failing_apt_quotes_it_and_advises_an_update(tmp_path, monkeypatch):
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
def test_asterisk_prompts_are_decoded_and_what_is_no_speech_is_left_out(inside, tmp_path):
    voice = tmp_path / inside if inside.parts else tmp_path / "en_US_f_Allison"
    for name in ("hello", "digits/1", "silence/1", "beep", "tt-monkeys", "at-tone-time-exactly"):
        wave = _prompt(voice / f"{name}.g722")
    found = listed("asterisk-en", tmp_path if inside.parts else voice, tmp_path / "work")
    assert [(name, speaker) for name, _, speaker, _ in found] == [
        (name, "en_US_f_Allison") for name in ("at-tone-time-exactly", "digits/1", "hello")
    ]
    decoded, rate = files.read(found[0][1])
    assert (rate, decoded.size) == (16_000, wave.size)
    # The codec delays speech by its two filterbanks, 22 samples, and adds noise 20 dB and more below it.
    lag = int(np.argmax(np.correlate(decoded, wave, "full"))) - (wave.size - 1)
    assert lag == 22
    noise = decoded[lag:] - wave[:-lag]
    assert 10 * np.log10(np.sum(wave**2) / np.sum(noise**2)) > 15


def test_asterisk_says_what_it_looked_for(tmp_path):
    with pytest.raises(CorpusError, match=r"not asterisk-core-sounds-fr-g722; expected .*\.g722 files in it"):
        listed("asterisk-fr", tmp_path, tmp_path / "work")
