"""What `basis-melgan bench` reports: tables of speeds, and the same as JSON."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from basis_melgan.benchmark.measure import CHUNKS, LENGTHS, SECONDS, SPOKEN, Speed, measure
from basis_melgan.installation import install_command
from basis_melgan.storage.atomic import write_text
from basis_melgan.storage.parallel import available_cores
from basis_melgan.storage.paths import require_writable_file


def bench(systems: Sequence[str], rounds: int, out_json: Path | None) -> str:
    """Measure systems and say how fast they are, as Markdown; write all that was measured to a JSON file if asked.

    Raises:
        ConfigurationError: too few rounds.
        ModelFileError: a file cannot be used.
        OutputError: the JSON file cannot be written.
    """
    if out_json:
        require_writable_file(out_json)
    speeds, peaks = measure(systems, rounds)
    if out_json:
        write_text(out_json, json.dumps({"machine": machine(), "peaks": peaks, "systems": as_dicts(speeds)}, indent=2))
    parts = [
        f"{machine()}. Medians of {rounds} rounds, all systems in turn, on mels of noise that swells and falls; one "
        "thread but where two are named.",
        compared(speeds, peaks),
    ]
    if vocoders := [speed for speed in speeds if speed.command]:
        parts += [chunked(vocoders), lengthened(vocoders)]
    return "\n\n".join(parts)


def machine() -> str:
    """The processor and the engine."""
    named = [line.split(":")[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name")]
    flags = next((line.split() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("flags")), [])
    widest = [name for name in ("avx512_bf16", "avx512_vnni", "avx512f", "avx_vnni", "avx2") if name in flags]
    processor = ", ".join([*(named or [platform.processor() or platform.machine()])[:1], *widest[:1]])
    return f"{processor}, {available_cores()} cores, ONNX Runtime {version('onnxruntime')}"


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def as_dicts(speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    """All that was measured, ready for JSON."""
    return [asdict(speed) | {"info": speed.info.to_dict()} for speed in speeds]


def compared(speeds: Sequence[Speed], peaks: Mapping[str, Sequence[float]]) -> str:
    """The table of all systems; ratios are to the first of the same precision, of the same rounds."""
    first = {speed.info.precision: speed for speed in reversed(speeds)}
    lines = [
        f"| | precision | M | GMAC/s | MB | load (s) | RTF, {SECONDS:.0f} s | RTF, two threads "
        "| times as long as | of the peak |",
        "|---|---|---:|---:|---:|---:|---:|---:|---|---:|",
    ]
    for speed in speeds:
        info, own, base = speed.info, np.array(speed.factors[1]), first[speed.info.precision]
        ratio = own / np.array(base.factors[1])
        spread = f"{np.median(ratio):.2f} ({ratio.min():.2f}–{ratio.max():.2f}) {base.name}"
        rates = peaks.get(info.precision)
        share = f"{info.macs_per_second / np.median(own) / np.median(rates):.0%}" if rates else "–"
        lines.append(
            f"| {speed.name} | {info.precision} | {info.parameters / 1e6:.2f} | {info.macs_per_second / 1e9:.2f} "
            f"| {speed.size / 1e6:.1f} | {speed.load:.2f} | {np.median(own):.4f} | {np.median(speed.factors[2]):.4f} "
            f"| {'–' if speed is base else spread} | {share} |"
        )
    found = "; ".join(f"{name} {np.median(rates) / 1e9:.0f} GMAC/s" for name, rates in peaks.items())
    peak = f"a product of matrices of 1 024 by 1 024, {found}"
    absent = f"not measured; {install_command('export')}"
    note = f"RTF: seconds of compute a second of audio. Peak: {peak if peaks else absent}."
    return "\n".join([*lines, "", note])


def called(speed: Speed) -> str:
    """A system's file and precision."""
    return f"{speed.name}, {speed.info.precision}"


def chunked(speeds: Sequence[Speed]) -> str:
    """The table of streams: what a chunk takes, and what a whole command takes."""
    lines = [
        "| | lookahead (ms) | "
        + " | ".join(f"{chunk} ms: first / median / p99 (ms)" for chunk in CHUNKS)
        + f" | `vocode` of {SPOKEN:.0f} s, start to exit (s) | resident (MB) |",
        "|---|---:|" + "---:|" * (len(CHUNKS) + 2),
    ]
    for speed in speeds:
        times = [
            f"{1e3 * chunks.first:.2f} / {1e3 * chunks.median:.2f} / {1e3 * chunks.p99:.2f}"
            for chunks in speed.chunks.values()
        ]
        seconds, resident = speed.command or (0.0, 0)
        cells = [called(speed), f"{speed.info.lookahead_ms:.0f}", *times, f"{seconds:.2f}", f"{resident / 1e6:.0f}"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def lengthened(speeds: Sequence[Speed]) -> str:
    """The table of real-time factors by length."""
    lines = [
        "| RTF | " + " | ".join(f"{seconds} s" for seconds in LENGTHS) + " |",
        "|---|" + "---:|" * len(LENGTHS),
    ]
    for speed in speeds:
        lines.append(f"| {called(speed)} | " + " | ".join(f"{factor:.4f}" for factor in speed.lengths.values()) + " |")
    return "\n".join(lines)
