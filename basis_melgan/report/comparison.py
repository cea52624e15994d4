"""Read what `compare` left: `results.json`, and the wave that each system made of each clip."""

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from basis_melgan.errors import AudioError, ConfigurationError
from basis_melgan.evaluation.results import RESULTS
from basis_melgan.evaluation.systems import RECORDING  # and the folder of the recordings

LISTENING = 4.0  # seconds; clips of about this length are the easiest to compare by ear

Table = dict[str, Any]  # a JSON object


@dataclass(frozen=True)
class ComparedClip:
    """One clip that all systems spoke."""

    corpus: str
    clip: str
    seconds: float
    scores: dict[str, dict[str, float]]  # by system and metric
    failures: dict[str, dict[str, str]]  # reasons, by system and metric; `clip` stands for all metrics


@dataclass(frozen=True)
class Comparison:
    """A comparison as it lies in its folder; `content` is its checked `results.json`."""

    folder: Path
    content: Table
    systems: tuple[str, ...]
    clips: tuple[ComparedClip, ...]

    def wave(self, system: str, clip: ComparedClip) -> Path | None:
        """The wave (a file) that a system made of a clip, None where it made none and `results.json` says so.

        Raises:
            AudioError: it is missing, though it has scores.
        """
        path = self.folder / "waves" / system / clip.corpus / f"{clip.clip}.wav"
        if path.is_file():
            return path
        if system != RECORDING and not clip.scores.get(system) and "clip" in clip.failures.get(system, {}):
            return None
        raise AudioError(f"{path}: no such wave, though {RESULTS} names it; run compare again with a new folder")

    def choose(self, count: int) -> list[ComparedClip]:
        """At most `count` clips to listen to, spread evenly over the corpora, those nearest to four seconds first.

        Clips whose recording cannot be read are left out.

        Raises:
            ConfigurationError: `count` is less than 1, or no recording can be read.
        """
        if count < 1:
            raise ConfigurationError(f"clips: {count} to listen to; show 1 or more")
        heard = [clip for clip in self.clips if "clip" not in clip.failures.get(RECORDING, {})]
        if not heard:
            raise ConfigurationError(f"{self.folder}: none of its recordings can be read; compare on other clips")
        queues: dict[str, list[ComparedClip]] = {}
        for clip in sorted(heard, key=lambda clip: (abs(clip.seconds - LISTENING), clip.clip)):
            queues.setdefault(clip.corpus, []).append(clip)
        turns = ((turn, corpus) for turn in range(len(heard)) for corpus in sorted(queues))
        chosen = [queues[corpus][turn] for turn, corpus in turns if turn < len(queues[corpus])][:count]
        return sorted(chosen, key=lambda clip: (clip.corpus, clip.clip))


def load(folder: Path) -> Comparison:
    """Read and check the comparison in a folder.

    Raises:
        ConfigurationError: it holds no `results.json`, or one that is not what `compare` writes.
    """
    path = folder / RESULTS
    if not path.is_file():
        raise ConfigurationError(f"{folder}: holds no {RESULTS}; give the folder that `basis-melgan compare` wrote")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ConfigurationError(f"{path}: cannot be read as JSON ({error}); run compare again") from error
    checked = _Check(path)
    systems = tuple(checked.read(each, "name", str, key) for key, each in checked.rows(content, "systems"))
    clips = tuple(_clip(checked, key, each) for key, each in checked.rows(content, "clips"))
    _check_header(checked, content, systems)
    for key, system in checked.rows(content, "systems"):
        for cost in ("parameters", "gmac_per_second"):
            checked.read(system, cost, (int, float, type(None)), key)
    for section in ("summary", "differences"):
        for system, corpora in checked.read(content, section, dict).items():
            for corpus in checked.table(corpora, f"{section}.{system}"):
                _check_estimates(checked, corpora[corpus], f"{section}.{system}.{corpus}")
    _check_estimates(checked, checked.read(content, "timing", dict), "timing")
    return Comparison(folder, content, systems, clips)


@dataclass(frozen=True)
class _Check:
    """Reads members of JSON objects; what is not as it should be is told with its place in the file."""

    path: Path

    def fail(self, key: str, expected: str) -> ConfigurationError:
        return ConfigurationError(f"{self.path}: {key or 'the file'} is {expected}; run compare again")

    def table(self, value: Any, key: str) -> Table:
        if not isinstance(value, dict):
            raise self.fail(key, f"{type(value).__name__}, not an object")
        return value

    def read(self, table: Any, name: str, kind: type | tuple[type, ...], key: str = "") -> Any:
        place = f"{key}.{name}".lstrip(".")
        if name not in self.table(table, key):
            raise self.fail(place, "missing")
        value, kinds = table[name], kind if isinstance(kind, tuple) else (kind,)
        if type(value) not in kinds:
            wanted = " or ".join("null" if each is type(None) else each.__name__ for each in kinds)
            raise self.fail(place, f"{value!r:.40}, not {wanted}")
        return value

    def rows(self, table: Any, name: str) -> Iterable[tuple[str, Any]]:
        found = self.read(table, name, list)
        if not found:
            raise self.fail(name, "empty")
        return [(f"{name}[{place}]", each) for place, each in enumerate(found)]

    def leaves(self, table: Any, key: str, fits: Callable[[Any], bool], wanted: str) -> Table:
        for name, value in self.table(table, key).items():
            if not fits(value):
                raise self.fail(f"{key}.{name}", f"{value!r:.40}, not {wanted}")
        return self.table(table, key)


def _check_header(checked: _Check, content: Table, systems: tuple[str, ...]) -> None:
    for name in ("basis_melgan", "split", "data", "baseline"):
        checked.read(content, name, str)
    if len(set(systems)) < len(systems):
        raise checked.fail("systems", "naming one system twice")
    if content["baseline"] not in systems:
        raise checked.fail("baseline", f"{content['baseline']!r}, none of the systems {', '.join(systems)}")
    for key, column in checked.rows(content, "columns"):
        for name, kind in (("name", str), ("unit", str), ("higher_is_better", bool)):
            checked.read(column, name, kind, key)


def _clip(checked: _Check, key: str, each: Any) -> ComparedClip:
    scores = {
        system: checked.leaves(found, f"{key}.scores.{system}", _is_number, "a number")
        for system, found in checked.read(each, "scores", dict, key).items()
    }
    failures = {
        system: checked.leaves(found, f"{key}.failures.{system}", lambda value: isinstance(value, str), "a reason")
        for system, found in checked.read(each, "failures", dict, key).items()
    }
    seconds = checked.read(each, "seconds", (int, float), key)
    corpus, clip = (checked.read(each, name, str, key) for name in ("corpus", "clip"))
    return ComparedClip(corpus, clip, float(seconds), scores, failures)


def _check_estimates(checked: _Check, estimates: Any, key: str) -> None:
    for name, estimate in checked.table(estimates, key).items():
        place = f"{key}.{name}"
        checked.leaves({"mean": checked.read(estimate, "mean", (int, float), place)}, place, _is_number, "finite")
        checked.read(estimate, "clips", int, place)
        interval = checked.read(estimate, "interval", (list, type(None)), place)
        if interval is not None and (len(interval) != 2 or not all(_is_number(end) for end in interval)):
            raise checked.fail(f"{place}.interval", f"{interval!r:.40}, not two numbers or null")


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def failures(clips: Iterable[ComparedClip]) -> list[Mapping[str, str]]:
    """Every score that is missing, with the reason, clip by clip."""
    return [
        {"system": system, "corpus": clip.corpus, "clip": clip.clip, "metric": metric, "reason": reason}
        for clip in clips
        for system, reasons in clip.failures.items()
        for metric, reason in reasons.items()
    ]
