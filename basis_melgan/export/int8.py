"""A vocoder in 8 bits, kept only if it speaks as well as in floating point, and as steadily."""

import math
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import numpy as np
from rich.console import Console

from basis_melgan.audio import files
from basis_melgan.config.schema import Split
from basis_melgan.corpus import manifest
from basis_melgan.errors import CorpusError, ModelFileError, OutputError
from basis_melgan.evaluation.scoring import Task, score_tasks
from basis_melgan.export.onnx import export, prepare_output
from basis_melgan.export.quantize import SPANNING, layers_of, quantize_vocoder
from basis_melgan.export.robustness import JITTER, jitter_response
from basis_melgan.inference.backend import Array
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.storage.parallel import cores

CALIBRATION = 16  # training clips
TRIED = 4  # of them on which layers are tried one by one
PESQ, DISTANCE = "PESQ-WB", "MR-STFT"
PESQ_LOSS = 0.05  # that 8 bits may cost on the test split
DISTANCE_GAIN = 1.02
JITTERED, NOISES = 8, 40  # test clips on which jitter is measured, and noises on all together
# What comes before the phases of pairs are decided: there a step of 8 bits, even of 16, may decide otherwise.
DECIDING = ("embed", "trunk")


def export_int8(
    source: Path,
    out: Path,
    corpus: Path,
    leave: Collection[str] | None,
    data: str = "",
    license: str = "",
    force: bool = False,
) -> None:
    """Write a trained vocoder as one ONNX file whose layers multiply in 8 bits.

    They are calibrated on training clips. The file is kept only if on the test clips PESQ-WB falls by 0.05 at most, and
    the multi-resolution STFT distance grows by 2 %; and if jitter of 1e-6 on the mels of some moves no sample by more
    than 2e-3 of full scale, and leaves 45 dB of SNR, or does no more than in floating point.

    Args:
        source: the vocoder's file.
        out: file to write.
        corpus: a prepared corpus, or a folder of several.
        leave: names of layers, or of parts that hold some, that go on computing in floating point;
            None for embed, trunk, gains and basis, as far as the vocoder has them.
        data: what it was trained on.
        license: under which it may be used.
        force: replace `out` if it exists.

    Raises:
        OutputError: `out` exists and `force` is not given, or it cannot be written.
        ConfigurationError: `out` has another suffix than .onnx, or `leave` names no layer.
        CorpusError: no corpus, another sample rate than the vocoder's, or no training or test clip.
        ModelFileError: the vocoder cannot be used, or in 8 bits speaks worse or follows jitter; says which layer to
            leave out.
    """
    prepare_output(out, force)
    corpora, console = manifest.load(corpus), Console(stderr=True)
    with _workshop(out) as folder:
        whole, made = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        export(source, whole, data, license)
        leave = leave if leave is not None else default_leave(whole)
        vocoder = Vocoder.load(whole)
        manifest.require_rate(corpora, vocoder.info.rate)
        mels = clip_mels(vocoder, corpora, "train", CALIBRATION)
        with console.status(f"calibrating on {len(mels)} clips"):
            quantize_vocoder(whole, made, mels, leave)
        gate = Gate(source.name, whole, mels[:TRIED], leave)
        with console.status("comparing with jitter"):
            steadiness = gate.require_steady(made, clip_mels(vocoder, corpora, "test", JITTERED))
        change = gate.require_quality(made, corpora)
        made.replace(out)
    console.print(
        f"{out}: {out.stat().st_size / 1e6:.2f} MB in 8 bits but for {', '.join(leave)}; {change}; {steadiness}"
    )


def _workshop(out: Path) -> TemporaryDirectory[str]:
    """A folder beside `out`, so that what is made there need only be renamed."""
    try:
        return TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}.")
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error}); choose a writable place") from error


def default_leave(whole: Path) -> list[str]:
    """Parts of an exported vocoder that go on computing in floating point unless others are named."""
    parts = {name.split(".")[0] for name in layers_of(whole, ())}
    return [part for part in (*DECIDING, *SPANNING) if part in parts]


@dataclass(frozen=True)
class Gate:
    """What a file in 8 bits must pass to be kept.

    Attributes:
        name: of the vocoder, for messages.
        whole: its file in floating point.
        mels: (M, F) each, to calibrate on where layers are tried one by one.
        leave: names of layers that compute in floating point.
    """

    name: str
    whole: Path
    mels: Sequence[Array]
    leave: Collection[str]

    def require_steady(self, made: Path, mels: Sequence[Array]) -> str:
        """Refuse a file that follows jitter on mels (M, F); say how far it does otherwise.

        Raises:
            ModelFileError: it moves further than the bounds, and than in floating point; says which layer to leave out.
        """
        respond = partial(jitter_response, mels=mels, seeds=math.ceil(NOISES / len(mels)))
        before, after = (respond(Vocoder.load(file)) for file in (self.whole, made))
        change = f"jitter of {JITTER:.0e} on mels: {after}; in floating point: {before}"
        if not after.within(before):
            self._refuse("8 bits follow jitter", change, lambda vocoder: respond(vocoder).energy)
        return change

    def require_quality(self, made: Path, corpora: Sequence[manifest.Corpus]) -> str:
        """Refuse a file that speaks worse on test clips; say by how much it does otherwise.

        Raises:
            ModelFileError: it speaks worse; says which layer to leave out.
        """
        before, after = degradation(self.whole, made, corpora)
        change = (
            f"PESQ-WB {before[PESQ]:.3f} to {after[PESQ]:.3f}, MR-STFT {before[DISTANCE]:.4f} to {after[DISTANCE]:.4f}"
        )
        if not (after[PESQ] >= before[PESQ] - PESQ_LOSS and after[DISTANCE] <= before[DISTANCE] * DISTANCE_GAIN):
            reference = Vocoder.load(self.whole)
            waves = [reference(mel) for mel in self.mels]
            self._refuse("8 bits cost too much", change, partial(squared_distance, mels=self.mels, waves=waves))
        return change

    def _refuse(self, reason: str, change: str, cost: Callable[[Vocoder], float]) -> NoReturn:
        with Console(stderr=True).status("looking for the layer that costs most"):
            worst = costliest(self.whole, self.mels, self.leave, cost)
        names = ",".join([*self.leave, worst])
        raise ModelFileError(f"{self.name}: {reason} ({change}); leave out {worst} too: {names}")


def clip_mels(vocoder: Vocoder, corpora: Sequence[manifest.Corpus], split: Split, count: int) -> list[Array]:
    """Mels (M, F) of at most `count` clips of a split, drawn evenly from corpora."""
    paths = [path for path, _ in manifest.load_clips(corpora, split)]
    drawn = random.Random(0).sample(paths, min(count, len(paths)))
    return [vocoder.mel(*files.read(path)) for path in drawn]


def degradation(
    whole: Path, made: Path, corpora: Sequence[manifest.Corpus]
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean PESQ-WB and MR-STFT distance of both files, on the test clips of which the first can be scored.

    Raises:
        CorpusError: no test clip can be.
        ModelFileError: the second says something of one that cannot be scored.
    """
    manifest.load_clips(corpora, "test")  # raises where there are none
    columns = frozenset((PESQ, DISTANCE))
    tasks = [
        Task(file.name, str(file), corpus.name, clip.id, corpus.path(clip), columns)
        for corpus in corpora
        for clip in corpus.split("test")
        for file in (whole, made)
    ]
    measured = score_tasks(tasks, cores())
    pairs = [pair for pair in zip(measured[::2], measured[1::2], strict=True) if len(pair[0].scores) == len(columns)]
    if not pairs:
        reasons = "; ".join(measured[0].failures.values())
        raise CorpusError(f"{corpora[0].folder}: none of its test clips can be scored ({reasons}); give real speech")
    for _, one in pairs:
        if len(one.scores) < len(columns):
            reasons = "; ".join(one.failures.values())
            raise ModelFileError(f"{made.name}: what it says of {one.clip} cannot be scored ({reasons})")
    before, after = ([one.scores for one in file] for file in zip(*pairs, strict=True))
    return _means(before, columns), _means(after, columns)


def _means(scores: Sequence[dict[str, float]], columns: Collection[str]) -> dict[str, float]:
    return {column: float(np.mean([each[column] for each in scores])) for column in columns}


def squared_distance(vocoder: Vocoder, mels: Sequence[Array], waves: Sequence[Array]) -> float:
    """How far what a vocoder says of mels (M, F) is from waves (T,), squares of full scale."""
    return sum(float(np.square(wave - vocoder(mel)).sum()) for wave, mel in zip(waves, mels, strict=True))


def costliest(whole: Path, mels: Sequence[Array], leave: Collection[str], cost: Callable[[Vocoder], float]) -> str:
    """The layer that costs a vocoder most where it alone multiplies in 8 bits, calibrated on mels (M, F)."""
    every, costs = layers_of(whole, ()), {}
    with TemporaryDirectory() as folder:
        for name in layers_of(whole, leave):
            alone = Path(folder) / "alone.onnx"
            quantize_vocoder(whole, alone, mels, [layer for layer in every if layer != name])
            costs[name] = cost(Vocoder.load(alone))
    return max(costs, key=costs.__getitem__)
