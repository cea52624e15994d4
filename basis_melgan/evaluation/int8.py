"""A vocoder in 8 bits, kept only if it speaks as well as in floating point."""

import random
from collections.abc import Collection, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from rich.console import Console

from basis_melgan.audio import files
from basis_melgan.corpus import manifest
from basis_melgan.corpus.workers import cores
from basis_melgan.errors import CorpusError, ModelFileError, OutputError
from basis_melgan.evaluation.scoring import Job, score
from basis_melgan.export.onnx import export, prepare_place
from basis_melgan.export.quantise import layers_of, quantise_vocoder
from basis_melgan.inference.engine import Array
from basis_melgan.inference.vocoder import Vocoder

CALIBRATION = 16  # training clips
TRIED = 4  # of them on which layers are tried one by one
PESQ, DISTANCE = "PESQ-WB", "MR-STFT"
PESQ_LOSS = 0.05  # that 8 bits may cost on the test split
DISTANCE_GAIN = 1.02
SPANNING = ("gains", "basis")  # what multiplies values that span 60 dB, too much for 8 bits


def export_int8(
    source: Path,
    out: Path,
    corpus: Path,
    leave: Collection[str] | None,
    data: str = "",
    licence: str = "",
    force: bool = False,
) -> None:
    """Write a trained vocoder as one ONNX file whose layers multiply in 8 bits.

    They are calibrated on training clips. The file is kept only if on the test clips PESQ-WB falls by 0.05 at most, and
    the multi-resolution STFT distance grows by 2 %.

    Args:
        source: the vocoder's file.
        out: file to write.
        corpus: a prepared corpus, or a folder of several.
        leave: names of layers, or of parts that hold some, that go on computing in floating point;
            None for gains and basis, as far as the vocoder has them.
        data: what it was trained on.
        licence: under which it may be used.
        force: replace `out` if it exists.

    Raises:
        OutputError: `out` exists and `force` is not given, or it cannot be written.
        ConfigurationError: `out` has another suffix than .onnx, or `leave` names no layer.
        CorpusError: no corpus, another sample rate than the vocoder's, or no training or test clip.
        ModelFileError: the vocoder cannot be used, or speaks worse in 8 bits; says which layer to leave out.
    """
    prepare_place(out, force)
    corpora, console = manifest.load(corpus), Console(stderr=True)
    with _workshop(out) as folder:
        whole, made = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        export(source, whole, data, licence)
        if leave is None:
            leave = [part for part in SPANNING if any(name.split(".")[0] == part for name in layers_of(whole, ()))]
        vocoder = Vocoder.load(whole)
        manifest.require_rate(corpora, vocoder.info.rate)
        mels = calibration_mels(vocoder, corpora)
        with console.status(f"calibrating on {len(mels)} clips"):
            quantise_vocoder(whole, made, mels, leave)
        before, after = degradation(whole, made, corpora)
        change = (
            f"PESQ-WB {before[PESQ]:.3f} to {after[PESQ]:.3f}, MR-STFT {before[DISTANCE]:.4f} to {after[DISTANCE]:.4f}"
        )
        if not (after[PESQ] >= before[PESQ] - PESQ_LOSS and after[DISTANCE] <= before[DISTANCE] * DISTANCE_GAIN):
            with console.status("looking for the layer that costs most"):
                worst = costliest(whole, mels[:TRIED], leave)
            names = ",".join([*leave, worst])
            raise ModelFileError(f"{source.name}: 8 bits cost too much ({change}); leave out {worst} too: {names}")
        made.replace(out)
    console.print(f"{out}: {out.stat().st_size / 1e6:.2f} MB in 8 bits but for {', '.join(leave)}; {change}")


def _workshop(out: Path) -> TemporaryDirectory[str]:
    """A folder beside `out`, so that what is made there need only be renamed."""
    try:
        return TemporaryDirectory(dir=out.parent, prefix=f".{out.stem}.")
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error}); choose a writable place") from error


def calibration_mels(vocoder: Vocoder, corpora: Sequence[manifest.Corpus]) -> list[Array]:
    """Mels (M, F) of training clips, drawn evenly from corpora."""
    paths = [path for path, _ in manifest.load_clips(corpora, "train")]
    drawn = random.Random(0).sample(paths, min(CALIBRATION, len(paths)))
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
    jobs = [
        Job(str(file), file.name, corpus.name, clip.id, corpus.path(clip), columns, None)
        for corpus in corpora
        for clip in corpus.split("test")
        for file in (whole, made)
    ]
    measured = score(jobs, cores())
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


def costliest(whole: Path, mels: Sequence[Array], leave: Collection[str]) -> str:
    """The layer whose 8 bits alone take a vocoder's speech furthest from what it is in floating point."""
    reference = Vocoder.load(whole)
    expected = [reference(mel) for mel in mels]
    every, distances = layers_of(whole, ()), {}
    with TemporaryDirectory() as folder:
        for name in layers_of(whole, leave):
            alone = Path(folder) / "alone.onnx"
            quantise_vocoder(whole, alone, mels, [each for each in every if each != name])
            vocoder = Vocoder.load(alone)
            distances[name] = sum(
                float(np.square(wave - vocoder(mel)).sum()) for wave, mel in zip(expected, mels, strict=True)
            )
    return max(distances, key=distances.__getitem__)
