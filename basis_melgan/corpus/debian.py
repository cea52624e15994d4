"""Corpora in Debian packages, downloaded and unpacked without root, or already unpacked."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from basis_melgan.audio import files
from basis_melgan.corpus.listing import Entry, TableRow, damaged_row, match_rows, read_lines, require_source
from basis_melgan.errors import CorpusError

FESTVOX = Path("usr/share/festival/voices/russian/msu_ru_nsh_clunits")
TRANSCRIPT = re.compile(r'^\(\s*(\S+)\s+"(.*)"\s*\)\s*$')
ASTERISK = ("en", "fr", "it", "ru")  # languages
SOUNDS = Path("usr/share/asterisk/sounds")
# Asterisk prompts that hold no speech, in every language.
NO_SPEECH = frozenset({"ascending-2tone", "beep", "beeperr", "descending-2tone", "tt-monkeys"})


def festvox_ru(source: Path | None, workdir: Path) -> Iterator[Entry]:
    """List the Russian voice of the Festival project: one man, 620 sentences, 99.5 minutes.

    Args:
        source: the unpacked Debian package, or its voice folder; None downloads the package with apt-get.
        workdir: where a downloaded package is unpacked, and reused by the next run.

    Raises:
        CorpusError: the package cannot be downloaded, or `source` has another layout.
    """
    root = (
        _download("festvox-ru", workdir)
        if source is None
        else require_source(source, "festvox-ru", "the unpacked package")
    )
    voice = root / FESTVOX if (root / FESTVOX).is_dir() else root
    transcript = voice / "etc" / "txt.done.data"
    if not (voice / "wav").is_dir() or not transcript.is_file():
        raise CorpusError(f"{root}: not festvox-ru; expected {FESTVOX}/, or wav/ and etc/txt.done.data, in it")
    recordings = sorted((voice / "wav").glob("*.wav"))
    rows: list[TableRow | Entry] = []
    for location, line in read_lines(transcript):
        match = TRANSCRIPT.match(line)
        if match:
            path, text = voice / "wav" / f"{match[1]}.wav", match[2].replace('\\"', '"')
            rows.append(TableRow(match[1], path, "msu_ru_nsh", text, location))
        else:
            rows.append(damaged_row(transcript, location, line, '( NAME "TEXT" )'))
    for entry in match_rows(rows, recordings, transcript.name):
        # A vocoder is trained without texts, so a recording needs none.
        yield Entry(entry.id, entry.path, "msu_ru_nsh", "") if entry.problem == "no row" else entry


def asterisk(language: str, source: Path | None, workdir: Path) -> Iterator[Entry]:
    """List the telephone prompts of Asterisk in one language: one professional voice, about 25 minutes, 16 kHz G.722.

    Silences, beeps, tones and animal sounds are left out. Prompts are decoded into `workdir` because libsndfile does
    not read G.722.

    Args:
        language: one of `ASTERISK`.
        source: the unpacked Debian package, or the folder of its prompts; None downloads the package with apt-get.
        workdir: where a downloaded package is unpacked and prompts are decoded, and reused by the next run.

    Raises:
        CorpusError: the package cannot be downloaded, or `source` has another layout.
    """
    package = f"asterisk-core-sounds-{language}-g722"
    root = (
        _download(package, workdir)
        if source is None
        else require_source(source, f"asterisk-{language}", "the unpacked package")
    )
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
        yield Entry(name.as_posix(), decoded, speaker=voice.name, text="")


def _download(package: str, workdir: Path) -> Path:
    """Download and unpack a Debian package; return its folder, which the next run reuses."""
    unpacked = workdir / package
    if unpacked.is_dir():
        return unpacked
    download = workdir / "download"
    download.mkdir(parents=True, exist_ok=True)
    _run(["apt-get", "download", package], download)
    archives = sorted(download.glob(f"{package}_*.deb"))
    if not archives:
        raise CorpusError(
            f"apt-get download {package}: left no package in {download}; unpack the package elsewhere and give its "
            "folder as the source"
        )
    partial = workdir / f"{package}.part"
    _run(["dpkg", "-x", str(archives[-1].resolve()), str(partial.resolve())], download)
    partial.rename(unpacked)
    for archive in archives:
        archive.unlink()
    download.rmdir()
    return unpacked


def _run(command: list[str], folder: Path) -> None:
    command_line = " ".join(command[:3])
    advice = "run `apt-get update` and try again, or unpack the package elsewhere and give its folder as the source"
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True, encoding="utf-8", errors="replace")
    except FileNotFoundError as error:
        raise CorpusError(
            f"{command_line}: {command[0]} is not installed, and only Debian and its derivatives have it; "
            "unpack the package elsewhere and give its folder as the source"
        ) from error
    except subprocess.CalledProcessError as error:
        last_line = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        raise CorpusError(f"{command_line}: failed ({last_line}); {advice}") from error
