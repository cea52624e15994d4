"""Output of `basis-melgan bench`: Markdown tables of speeds, and all measurements as JSON."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from basis_melgan.benchmark.measure import (
    CHUNK_MILLISECONDS,
    COMMAND_SECONDS,
    LENGTHS,
    MATRIX_SIZE,
    SECONDS,
    Speed,
    measure,
)
from basis_melgan.installation import install_command
from basis_melgan.storage.atomic import write_text
from basis_melgan.storage.markdown import table
from basis_melgan.storage.parallel import available_cores
from basis_melgan.storage.paths import require_writable_file

INSTRUCTION_SETS = ("avx512_bf16", "avx512_vnni", "avx512f", "avx_vnni", "avx2")  # the fastest first


def bench(systems: Sequence[str], repeats: int, out_json: Path | None) -> str:
    """Measure the speed of systems; return Markdown tables, and write all measurements as JSON if asked.

    Raises:
        ConfigurationError: `repeats` is below 1.
        ModelFileError: a file cannot be used.
        OutputError: the JSON file cannot be written.
    """
    if out_json:
        require_writable_file(out_json)
    speeds, peak_rates = measure(systems, repeats)
    if out_json:
        content = {"machine": machine(), "peak_rates": peak_rates, "systems": as_dicts(speeds)}
        write_text(out_json, json.dumps(content, indent=2))
    sections = [
        f"{machine()}. Medians of {repeats} repeats, all systems in turn, on mel spectrograms of modulated noise; "
        "one thread unless two are named.",
        speed_table(speeds, peak_rates),
    ]
    if vocoders := [speed for speed in speeds if speed.command]:
        sections += [stream_table(vocoders), length_table(vocoders)]
    return "\n\n".join(sections)


def machine() -> str:
    """Return the processor with its instruction set, the number of cores, and the version of ONNX Runtime."""
    lines = _cpuinfo_lines()
    models = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    flags = next((line.split() for line in lines if line.startswith("flags")), [])
    instruction_sets = [name for name in INSTRUCTION_SETS if name in flags]
    processor = ", ".join([*(models or [platform.processor() or platform.machine()])[:1], *instruction_sets[:1]])
    return f"{processor}, {available_cores()} cores, ONNX Runtime {version('onnxruntime')}"


def _cpuinfo_lines() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def as_dicts(speeds: Sequence[Speed]) -> list[dict[str, Any]]:
    """Return all measurements in a form that JSON can hold."""
    return [asdict(speed) | {"info": speed.info.to_dict()} for speed in speeds]


def speed_table(speeds: Sequence[Speed], peak_rates: Mapping[str, Sequence[float]]) -> str:
    """Return the table of all systems; relative times refer to the first system of the same precision."""
    baselines = {speed.info.precision: speed for speed in reversed(speeds)}
    header = [
        *("", "precision", "parameters (M)", "GMAC per second of audio", "MB", "load (s)"),
        *(f"RTF, {SECONDS:.0f} s", "RTF, two threads", "relative time", "of the peak"),
    ]
    rows = [
        _speed_row(speed, baselines[speed.info.precision], peak_rates.get(speed.info.precision, ())) for speed in speeds
    ]
    rates = "; ".join(f"{name} {np.median(rates) / 1e9:.0f} GMAC/s" for name, rates in peak_rates.items())
    peak = (
        f"matrix products of {MATRIX_SIZE} × {MATRIX_SIZE} on this machine, {rates}"
        if peak_rates
        else f"not measured; {install_command('export')}"
    )
    note = f"RTF: seconds of compute per second of audio. Peak: {peak}."
    return "\n".join([*table(header, rows, labels=2), "", note])


def _speed_row(speed: Speed, baseline: Speed, peak_rates: Sequence[float]) -> list[str]:
    info, factors = speed.info, np.array(speed.real_time_factors[1])
    ratio = factors / np.array(baseline.real_time_factors[1])
    relative = f"{np.median(ratio):.2f} ({ratio.min():.2f}–{ratio.max():.2f}) {baseline.name}"
    rate = info.macs_per_second / np.median(factors)  # multiply-adds per second of compute
    return [
        speed.name,
        info.precision,
        f"{info.parameters / 1e6:.2f}",
        f"{info.macs_per_second / 1e9:.2f}",
        f"{speed.file_bytes / 1e6:.1f}",
        f"{speed.load_seconds:.2f}",
        f"{np.median(factors):.4f}",
        f"{np.median(speed.real_time_factors[2]):.4f}",
        "–" if speed is baseline else relative,
        f"{rate / np.median(peak_rates):.0%}" if peak_rates else "–",
    ]


def stream_table(speeds: Sequence[Speed]) -> str:
    """Return the table of streaming: compute times of chunks, and time and memory of the whole command."""
    header = [
        *("", "lookahead (ms)"),
        *(f"{chunk} ms: first / median / p99 (ms)" for chunk in CHUNK_MILLISECONDS),
        *(f"`vocode` of {COMMAND_SECONDS:.0f} s, start to exit (s)", "resident (MB)"),
    ]
    return "\n".join(table(header, map(_stream_row, speeds)))


def _stream_row(speed: Speed) -> list[str]:
    latencies = [
        f"{1e3 * latency.first:.2f} / {1e3 * latency.median:.2f} / {1e3 * latency.p99:.2f}"
        for latency in speed.chunk_latencies.values()
    ]
    command = ["–", "–"]
    if speed.command:
        command = [f"{speed.command.seconds:.2f}", f"{speed.command.resident_bytes / 1e6:.0f}"]
    return [_label(speed), f"{speed.info.lookahead_ms:.0f}", *latencies, *command]


def length_table(speeds: Sequence[Speed]) -> str:
    """Return the table of real-time factors by length of the audio."""
    header = ["RTF", *(f"{seconds} s" for seconds in LENGTHS)]
    rows = [
        [_label(speed), *(f"{factor:.4f}" for factor in speed.real_time_factors_by_length.values())] for speed in speeds
    ]
    return "\n".join(table(header, rows))


def _label(speed: Speed) -> str:
    return f"{speed.name}, {speed.info.precision}"
