"""Speed of vocoders and peers in ONNX Runtime, measured side by side."""

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from basis_melgan.audio import files
from basis_melgan.audio.arrays import Float32Array
from basis_melgan.errors import ConfigurationError, ModelFileError
from basis_melgan.inference.backend import Info
from basis_melgan.inference.onnx import open_session, read_info
from basis_melgan.inference.pretrained import resolve_model
from basis_melgan.inference.reference_mel import reference_mel
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.progress import track

SECONDS = 10.0  # of audio, for real-time factors
THREADS = (1, 2)
CHUNK_MILLISECONDS = (10, 20, 100)  # of audio, rounded to whole mel frames
LENGTHS = (1, 10, 60, 600)  # seconds of audio, over which the real-time factor should be constant
WARM_UP_FRAMES = 50  # synthesized before each measurement, since the previous system has filled the caches
PAUSE = 0.1  # seconds before each measurement, in which threads of the previous system stop spinning
COMMAND_SECONDS = 5.0  # of audio, synthesized by the whole command
COMMAND_RATE = 24_000  # Hz, of its input
# Peak resident memory of a process in KiB. Unlike getrusage, it does not include the parent's memory before the fork.
PEAK_MEMORY_KIB = "open('/proc/self/status').read().split('VmHWM:')[1].split()[0]"
MATRIX_SIZE = 1_024  # of the matrix product that measures the machine


class Peer:
    """Another project's vocoder, exported by benchmarks/export_peers.py; maps a whole mel to a wave."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load an exported peer.

        Raises:
            ModelFileError: the file is missing, damaged, or not a peer.
        """
        self._session = open_session(path, threads)
        self.info = read_info(path, self._session, "peer")

    def __call__(self, mel: Float32Array) -> Float32Array:
        """Synthesize a mel (M, F) to a wave (F·hop,)."""
        wave: Float32Array = self._session.run(None, {"mel": mel[None]})[0][0]
        return wave


@dataclass(frozen=True)
class ChunkLatency:
    """Compute times of stream chunks in seconds: of the first of a stream, and median and 99th percentile of all."""

    first: float
    median: float
    p99: float


@dataclass(frozen=True)
class CommandCost:
    """Cost of `basis-melgan vocode` on 5 s of audio, from start to exit."""

    seconds: float
    resident_bytes: int  # peak


@dataclass(frozen=True)
class Speed:
    """Measurements of one system.

    Attributes:
        name: file name of the system.
        info: description stored in the file.
        file_bytes: size of the file.
        load_seconds: time from the path to a loaded system.
        real_time_factors: by number of threads, one per repeat.
        real_time_factors_by_length: by seconds of audio, on one thread; vocoders only.
        chunk_latencies: by milliseconds of audio, on one thread; vocoders only.
        command: cost of the whole command; vocoders only.
    """

    name: str
    info: Info
    file_bytes: int
    load_seconds: float
    real_time_factors: dict[int, list[float]]
    real_time_factors_by_length: dict[int, float]
    chunk_latencies: dict[int, ChunkLatency]
    command: CommandCost | None


def measure(systems: Sequence[str], repeats: int) -> tuple[list[Speed], dict[str, list[float]]]:
    """Measure systems in alternation, so that other load on the machine affects all of them equally.

    Args:
        systems: files of vocoders or peers, or names of pretrained vocoders.
        repeats: number of measurements of each; reports give medians.

    Returns:
        The measurements of each system, and by precision the multiply-adds per second of a matrix product, one per
        repeat, if the extra `export` is installed.

    Raises:
        ConfigurationError: `repeats` is below 1.
        ModelFileError: a file cannot be used.
    """
    if repeats < 1:
        raise ConfigurationError(f"repeats: {repeats}; use 1 or more, at least 7 for stable medians")
    paths = [resolve_model(name, ".onnx") for name in systems]
    loaders = [_loader(path) for path in paths]
    load_seconds = [_seconds(partial(load, path)) for load, path in zip(loaders, paths, strict=True)]
    loaded = {threads: [load(path, threads) for load, path in zip(loaders, paths, strict=True)] for threads in THREADS}
    infos = [system.info for system in loaded[1]]
    mels = [reference_mel(info, round(SECONDS * info.sample_rate / info.hop)) for info in infos]
    factors, peak_rates = _alternate(loaded, mels, repeats)
    speeds = []
    for index, path in enumerate(track(paths, "bench: system")):
        system = loaded[1][index]
        vocoder = system if isinstance(system, Vocoder) else None
        speeds.append(
            Speed(
                name=path.name,
                info=system.info,
                file_bytes=path.stat().st_size,
                load_seconds=load_seconds[index],
                real_time_factors=factors[index],
                real_time_factors_by_length=_real_time_factors_by_length(vocoder, repeats) if vocoder else {},
                chunk_latencies=_chunk_latencies(vocoder, mels[index]) if vocoder else {},
                command=_command_cost(path, repeats) if vocoder else None,
            )
        )
    return speeds, peak_rates


def _loader(path: Path) -> Callable[..., Vocoder | Peer]:
    """Return the function that loads a file, of a vocoder or of a peer."""
    try:
        Peer(path)
    except ModelFileError:
        Vocoder.load(path)  # raises if the file is neither
        return Vocoder.load
    return Peer


def _alternate(
    systems: dict[int, list[Vocoder | Peer]], mels: Sequence[Float32Array], repeats: int
) -> tuple[list[dict[int, list[float]]], dict[str, list[float]]]:
    """Measure all systems and matrix products in turn, `repeats` times after a warm-up.

    Args:
        systems: the same systems by number of threads.
        mels: the input (M, F) of each.
        repeats: number of measurements of each.

    Returns:
        The real-time factors of each system by number of threads, and the multiply-adds per second by precision.
    """
    factors: list[dict[int, list[float]]] = [{threads: [] for threads in systems} for _ in mels]
    products = _matrix_products(sorted({system.info.precision for system in systems[1]}))
    peak_rates: dict[str, list[float]] = {precision: [] for precision in products}
    for repeat in track(range(repeats + 1), "bench: repeat"):
        is_warm_up = repeat == 0
        for threads, loaded in systems.items():
            for index, (system, mel) in enumerate(zip(loaded, mels, strict=True)):
                time.sleep(PAUSE)
                system(mel[:, :WARM_UP_FRAMES])
                seconds = _seconds(partial(system, mel))
                if not is_warm_up:
                    factors[index][threads].append(seconds / SECONDS)
        for precision, multiply in products.items():
            seconds = _seconds(multiply)
            if not is_warm_up:
                peak_rates[precision].append(MATRIX_SIZE**3 / seconds)
    return factors, peak_rates


def _matrix_products(precisions: Sequence[str]) -> dict[str, Callable[[], Any]]:
    """Return a matrix product per precision; none if the extra `export` is not installed."""
    try:
        from basis_melgan.benchmark.matmul import matrix_product
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("basis_melgan"):
            raise
        return {}
    return {precision: matrix_product(precision, MATRIX_SIZE) for precision in precisions}


def _seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _real_time_factors_by_length(vocoder: Vocoder, repeats: int) -> dict[int, float]:
    """Return real-time factors by seconds of audio: medians up to `SECONDS`, single measurements above."""
    factors = {}
    for length in LENGTHS:
        mel = reference_mel(vocoder.info, round(length * vocoder.info.sample_rate / vocoder.info.hop))
        times = [_seconds(partial(vocoder, mel)) for _ in range(repeats if length <= SECONDS else 1)]
        factors[length] = float(np.median(times)) / length
    return factors


def _chunk_latencies(vocoder: Vocoder, mel: Float32Array) -> dict[int, ChunkLatency]:
    latencies = {}
    for milliseconds in CHUNK_MILLISECONDS:
        frames = max(1, round(milliseconds / 1e3 * vocoder.info.sample_rate / vocoder.info.hop))
        chunks = [mel[:, start : start + frames] for start in range(0, mel.shape[1] - frames + 1, frames)]
        streams = [vocoder.stream() for _ in range(3)]
        times = [_seconds(partial(stream.push, chunk)) for stream in streams for chunk in chunks]
        first = float(np.median(times[:: len(chunks)]))
        latencies[milliseconds] = ChunkLatency(first, float(np.median(times)), float(np.quantile(times, 0.99)))
    return latencies


def _command_cost(path: Path, repeats: int) -> CommandCost:
    """Measure the command that synthesizes a recording in a process of its own; returns medians."""
    times, peaks = [], []
    with TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.wav", Path(folder) / "out.wav"
        noise = 0.1 * np.random.default_rng(0).standard_normal(round(COMMAND_SECONDS * COMMAND_RATE))
        files.write(source, noise.astype(np.float32), COMMAND_RATE)
        program = (
            "import sys; from basis_melgan.cli.main import main; "
            f"sys.exit(main(sys.argv[1:]) or print({PEAK_MEMORY_KIB}))"
        )
        command = [sys.executable, "-c", program, "vocode", str(source), str(out), "--vocoder", str(path), "--force"]
        for _ in range(repeats):
            start = time.perf_counter()
            process = subprocess.run(command, capture_output=True, text=True, errors="replace")
            times.append(time.perf_counter() - start)
            if process.returncode:
                raise ModelFileError(f"{path}: basis-melgan vocode failed: {process.stderr.strip()}")
            peaks.append(1024 * int(process.stdout))
    return CommandCost(float(np.median(times)), int(np.median(peaks)))
