"""Corpora that come as Debian packages: fetched and unpacked without root, or unpacked elsewhere already."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from basis_melgan.audio import files
from basis_melgan.corpus.listing import Item, Row, damaged, given, lines, matched
from basis_melgan.errors import CorpusError

FESTVOX = Path("usr/share/festival/voices/russian/msu_ru_nsh_clunits")
TRANSCRIPT = re.compile(r'^\(\s*(\S+)\s+"(.*)"\s*\)\s*$')
ASTERISK = ("en", "fr", "it", "ru")  # languages
SOUNDS = Path("usr/share/asterisk/sounds")
# What is no speech among Asterisk's prompts, in every language.
NO_SPEECH = frozenset({"ascending-2tone", "beep", "beeperr", "descending-2tone", "tt-monkeys"})


def festvox_ru(source: Path | None, workdir: Path) -> Iterator[Item]:
    """The Russian voice of the Festival project: one man, 620 sentences, 99.5 minutes.

    Args:
        source: the unpacked Debian package, or its voice folder; None fetches the package with apt-get.
        workdir: where a fetched package is unpacked, and found again by the next run.
    """
    root = _fetch("festvox-ru", workdir) if source is None else given(source, "festvox-ru", "the unpacked package")
    voice = root / FESTVOX if (root / FESTVOX).is_dir() else root
    transcript = voice / "etc" / "txt.done.data"
    if not (voice / "wav").is_dir() or not transcript.is_file():
        raise CorpusError(f"{root}: not festvox-ru; expected {FESTVOX}/ or wav/ and etc/txt.done.data in it")
    recordings = sorted((voice / "wav").glob("*.wav"))
    rows: list[Row | Item] = []
    for place, line in lines(transcript):
        match = TRANSCRIPT.match(line)
        if match:
            path, text = voice / "wav" / f"{match[1]}.wav", match[2].replace('\\"', '"')
            rows.append(Row(match[1], path, "msu_ru_nsh", text, place))
        else:
            rows.append(damaged(transcript, place, line, '( NAME "TEXT" )'))
    for item in matched(rows, recordings, transcript.name):
        # Speech without its text is speech all the same.
        yield Item(item.id, item.path, "msu_ru_nsh", "") if item.fault == "no row" else item


def asterisk(language: str, source: Path | None, workdir: Path) -> Iterator[Item]:
    """The telephone prompts of Asterisk in one language: one professional voice, about 25 minutes, 16 kHz G.722.

    Silences, beeps, tones and monkeys are left out. soundfile knows no G.722, so prompts are decoded into `workdir`.

    Args:
        language: one of `ASTERISK`.
        source: the unpacked Debian package, or the folder of its prompts; None fetches the package with apt-get.
        workdir: where a fetched package is unpacked and prompts are decoded, and found again by the next run.
    """
    package = f"asterisk-core-sounds-{language}-g722"
    root = _fetch(package, workdir) if source is None else given(source, f"asterisk-{language}", "the unpacked package")
    voices = sorted(path for path in (root / SOUNDS).glob("*") if path.is_dir())
    voice = voices[0] if voices else root
    prompts = sorted(voice.rglob("*.g722"))
    if not prompts:
        raise CorpusError(f"{root}: not {package}; expected {SOUNDS}/VOICE/ or .g722 files in it")
    for path in prompts:
        name = path.relative_to(voice).with_suffix("")
        if name.parts[0] == "silence" or name.name in NO_SPEECH:
            continue
        decoded = workdir / f"asterisk-{language}" / name.with_suffix(".wav")
        if not decoded.is_file():
            files.write(decoded, *files.read_g722(path))
        yield Item(name.as_posix(), decoded, speaker=voice.name, text="")


def _fetch(package: str, workdir: Path) -> Path:
    tree = workdir / package
    if tree.is_dir():
        return tree
    download = workdir / "download"
    download.mkdir(parents=True, exist_ok=True)
    _run(["apt-get", "download", package], download)
    archives = sorted(download.glob(f"{package}_*.deb"))
    if not archives:
        raise CorpusError(f"apt-get download {package}: left no package in {download}; give its folder as the source")
    aside = workdir / f"{package}.part"
    _run(["dpkg", "-x", str(archives[-1].resolve()), str(aside.resolve())], download)
    aside.rename(tree)
    for archive in archives:
        archive.unlink()
    download.rmdir()
    return tree


def _run(command: list[str], folder: Path) -> None:
    said = " ".join(command[:3])
    advice = "run `apt-get update` and try again, or unpack the package elsewhere and give its folder as the source"
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise CorpusError(
            f"{said}: {command[0]} is not on this machine, only Debian and its kin have it; "
            "unpack the package elsewhere and give its folder as the source"
        ) from error
    except subprocess.CalledProcessError as error:
        complaint = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        raise CorpusError(f"{said}: failed ({complaint}); {advice}") from error
