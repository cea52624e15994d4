"""How fast vocoders and peers are in ONNX Runtime, measured side by side."""

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
from rich.console import Console
from rich.progress import track

from basis_melgan.audio import files
from basis_melgan.errors import ConfigurationError, ModelFileError
from basis_melgan.inference.backend import Array, Info
from basis_melgan.inference.onnx import open_session, read_info
from basis_melgan.inference.pretrained import resolve_model
from basis_melgan.inference.reference_mel import reference_mel
from basis_melgan.inference.vocoder import Vocoder

SECONDS = 10.0  # of audio, of the real-time factors
THREADS = (1, 2)
CHUNKS = (10, 20, 100)  # ms of audio, in whole mel frames
LENGTHS = (1, 10, 60, 600)  # seconds of audio, for which the cost is to be the same
BEGUN = 50  # mel frames that each speaks before its turn, since the systems before took the caches
REST = 0.1  # seconds before each turn, in which threads of the system before cease to spin
SPOKEN = 5.0  # seconds of the recording that a whole command speaks
# The most that a process has had resident, in KiB; what the parent had before it started does not count.
HIGH_WATER = "open('/proc/self/status').read().split('VmHWM:')[1].split()[0]"
SIZE = 1_024  # of the matrices by whose product the machine is measured


class Peer:
    """A network that makes a wave of a whole mel: what benchmarks/export_peers.py leaves."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        """Load its file, to be run on so many threads.

        Raises:
            ModelFileError: the file is missing, damaged, or none of a peer.
        """
        self._session = open_session(path, threads)
        self.info = read_info(path, self._session, "peer")

    def __call__(self, mel: Array) -> Array:
        """Mel (M, F) to wave (F·hop,)."""
        wave: Array = self._session.run(None, {"mel": mel[None]})[0][0]
        return wave


@dataclass(frozen=True)
class Chunks:
    """Seconds that chunks of one length take: the first of a stream, and of all the median and the 99th percentile."""

    first: float
    median: float
    p99: float


@dataclass(frozen=True)
class Speed:
    """What was measured of one system.

    Attributes:
        name: of its file.
        info: what it says of itself.
        size: of its file, bytes.
        load: seconds from its path to a system that speaks.
        factors: real-time factors by threads, one a round.
        lengths: real-time factors by seconds of audio, on one thread; vocoders alone.
        chunks: by ms of audio, on one thread; vocoders alone.
        command: seconds and bytes resident of `basis-melgan vocode` on 5 s of audio, start to exit; vocoders alone.
    """

    name: str
    info: Info
    size: int
    load: float
    factors: dict[int, list[float]]
    lengths: dict[int, float]
    chunks: dict[int, Chunks]
    command: tuple[float, int] | None


def measure(systems: Sequence[str], rounds: int) -> tuple[list[Speed], dict[str, list[float]]]:
    """Measure systems in turns, so that what else the machine does meets all of them alike.

    Args:
        systems: files of vocoders or of peers, or names of vocoders that come with this package.
        rounds: how often each speaks; what is reported are medians.

    Returns:
        One record a system, in their order; and by precision the multiply-adds per second of a matrix product, one a
        round, where the extra `export` is installed.

    Raises:
        ConfigurationError: too few rounds.
        ModelFileError: a file cannot be used.
    """
    if rounds < 1:
        raise ConfigurationError(f"rounds: {rounds}; use 1 or more, 7 for medians that say something")
    paths = [resolve_model(name, ".onnx") for name in systems]
    opened = [_opener(path) for path in paths]
    loads = [_timed(partial(opens, path)) for opens, path in zip(opened, paths, strict=True)]
    speakers = {
        threads: [opens(path, threads) for opens, path in zip(opened, paths, strict=True)] for threads in THREADS
    }
    infos = [speaker.info for speaker in speakers[1]]
    mels = [reference_mel(info, round(SECONDS * info.rate / info.hop)) for info in infos]
    factors: list[dict[int, list[float]]] = [{threads: [] for threads in THREADS} for _ in paths]
    precisions = sorted({info.precision for info in infos})
    products = _products(precisions)
    peaks: dict[str, list[float]] = {precision: [] for precision in products}
    for turn in track(range(rounds + 1), "in turns", console=Console(stderr=True)):
        for threads, each in speakers.items():
            for place, (speaker, mel) in enumerate(zip(each, mels, strict=True)):
                time.sleep(REST)
                speaker(mel[:, :BEGUN])
                taken = _timed(partial(speaker, mel)) / SECONDS
                if turn:  # the first is to warm up
                    factors[place][threads].append(taken)
        for precision, multiply in products.items():
            taken = _timed(multiply)
            if turn:
                peaks[precision].append(SIZE**3 / taken)
    found = []
    for place, path in enumerate(track(paths, "one by one", console=Console(stderr=True))):
        alone: tuple[Any, ...] = ({}, {}, None)
        if isinstance(vocoder := speakers[1][place], Vocoder):
            alone = _lengths(vocoder, rounds), _chunks(vocoder, mels[place]), _command(path, rounds)
        found.append(Speed(path.name, infos[place], path.stat().st_size, loads[place], factors[place], *alone))
    return found, peaks


def _opener(path: Path) -> Callable[..., Vocoder | Peer]:
    """What opens a file: that of a vocoder or of a peer."""
    try:
        Peer(path)
    except ModelFileError:
        Vocoder.load(path)  # raises where it is neither
        return Vocoder.load
    return Peer


def _products(precisions: Sequence[str]) -> dict[str, Callable[[], Any]]:
    try:
        from basis_melgan.benchmark.matmul import product
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("basis_melgan"):
            raise
        return {}
    return {precision: product(precision, SIZE) for precision in precisions}


def _timed(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _lengths(vocoder: Vocoder, rounds: int) -> dict[int, float]:
    """Real-time factors by seconds of audio: medians of the rounds, but what is longer than theirs is spoken once."""
    found = {}
    for seconds in LENGTHS:
        mel = reference_mel(vocoder.info, round(seconds * vocoder.info.rate / vocoder.info.hop))
        taken = [_timed(partial(vocoder, mel)) for _ in range(rounds if seconds <= SECONDS else 1)]
        found[seconds] = float(np.median(taken)) / seconds
    return found


def _chunks(vocoder: Vocoder, mel: Array) -> dict[int, Chunks]:
    found = {}
    for milliseconds in CHUNKS:
        count = max(1, round(milliseconds / 1e3 * vocoder.info.rate / vocoder.info.hop))
        chunks = [mel[:, start : start + count] for start in range(0, mel.shape[1] - count + 1, count)]
        streams = [vocoder.stream() for _ in range(3)]
        taken = [_timed(partial(stream.push, chunk)) for stream in streams for chunk in chunks]
        first = float(np.median(taken[:: len(chunks)]))
        found[milliseconds] = Chunks(first, float(np.median(taken)), float(np.quantile(taken, 0.99)))
    return found


def _command(path: Path, rounds: int) -> tuple[float, int]:
    """Seconds from start to exit, and bytes resident, of a command that speaks a recording."""
    taken, resident = [], []
    rate = 24_000
    with TemporaryDirectory() as folder:
        source, out = Path(folder) / "in.wav", Path(folder) / "out.wav"
        noise = 0.1 * np.random.default_rng(0).standard_normal(round(SPOKEN * rate))
        files.write(source, noise.astype(np.float32), rate)
        program = (
            f"import sys; from basis_melgan.cli.main import main; sys.exit(main(sys.argv[1:]) or print({HIGH_WATER}))"
        )
        words = [sys.executable, "-c", program, "vocode", source, out, "--vocoder", path, "--force"]
        for _ in range(rounds):
            start = time.perf_counter()
            done = subprocess.run([str(word) for word in words], capture_output=True, text=True, errors="replace")
            taken.append(time.perf_counter() - start)
            if done.returncode:
                raise ModelFileError(f"{path}: basis-melgan vocode failed: {done.stderr.strip()}")
            resident.append(1024 * int(done.stdout))
    return float(np.median(taken)), int(np.median(resident))
