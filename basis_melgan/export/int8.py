"""Export of a vocoder in 8 bits, checked against floating point for quality and for robustness to jitter."""

import math
import random
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

import numpy as np
import onnx
from rich.console import Console

from basis_melgan.audio import files
from basis_melgan.audio.arrays import Float32Array
from basis_melgan.config.schema import Split
from basis_melgan.corpus import manifest
from basis_melgan.errors import CorpusError, ModelFileError
from basis_melgan.evaluation.clip_scores import ClipScores
from basis_melgan.evaluation.scoring import Task, score_tasks
from basis_melgan.export.onnx import export, prepare_output
from basis_melgan.export.quantize import WIDE_RANGE_PARTS, quantizable_layers, quantize_vocoder
from basis_melgan.export.robustness import JITTER, jitter_response
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.progress import track
from basis_melgan.storage.atomic import write_bytes
from basis_melgan.storage.parallel import available_cores
from basis_melgan.storage.paths import require_writable_file

CALIBRATION_CLIPS = 16  # of the training split
SEARCH_CLIPS = 4  # of them, used to try layers one by one
PESQ, STFT_DISTANCE = "PESQ-WB", "MR-STFT"
MAX_PESQ_LOSS = 0.05  # on the test split
MAX_STFT_RATIO = 1.02  # of the distance in 8 bits to that in floating point, on the test split
JITTER_CLIPS, JITTER_DRAWS = 8, 40  # test clips that get jitter, and noise draws on all of them together
# The layers that determine the phases of the atoms: there, even a 16-bit quantization step can flip a phase.
PHASE_PARTS = ("embed", "trunk")


def export_int8(
    source: Path,
    out: Path,
    corpus: Path,
    exclude_layers: Collection[str] | None,
    data: str = "",
    license: str = "",
    force: bool = False,
) -> None:
    """Write a trained vocoder as one ONNX file whose layers multiply in 8 bits, calibrated on training clips.

    The file is written only if, on the test clips, PESQ-WB falls by at most 0.05 and the multi-resolution STFT distance
    grows by at most 2 %, and if jitter of 1e-6 on mels changes no sample by more than 2e-3 of full scale and leaves an
    SNR of 45 dB, or changes samples no more than in floating point.

    Args:
        source: the vocoder's file.
        out: file to write.
        corpus: a prepared corpus, or a folder of several.
        exclude_layers: names of layers, or of parts that contain layers, that stay in floating point; None for embed,
            trunk, gains and basis, as far as the vocoder has them.
        data: what the vocoder was trained on.
        license: license of the file.
        force: replace `out` if it exists.

    Raises:
        OutputError: `out` exists and `force` is not given, or it cannot be written.
        ConfigurationError: `out` has another suffix than .onnx, or `exclude_layers` names no layer.
        CorpusError: no corpus, another sample rate than the vocoder's, or no training or test clip.
        ModelFileError: the vocoder cannot be used, or its 8-bit version fails a check; names the layer to exclude.
    """
    require_writable_file(out)
    prepare_output(out, force)
    corpora, console = manifest.load(corpus), Console(stderr=True)
    with TemporaryDirectory() as folder:
        float_file, int8_file = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        export(source, float_file, data, license)
        vocoder = Vocoder.load(float_file)
        manifest.require_rate(corpora, vocoder.info.sample_rate)
        mels = clip_mels(vocoder, corpora, "train", CALIBRATION_CLIPS)
        exclude_layers = default_exclusions(float_file) if exclude_layers is None else exclude_layers
        with console.status(f"calibrating on {len(mels)} clips"):
            quantize_vocoder(float_file, int8_file, mels, exclude_layers)
        check = Int8Check(source.name, float_file, mels[:SEARCH_CLIPS], exclude_layers)
        scores = check.require_all(int8_file, corpora)
        write_bytes(out, int8_file.read_bytes())
    excluded = ", ".join(exclude_layers) or "no layer"
    size = out.stat().st_size / 1e6
    console.print(f"{out}: {size:.2f} MB, 8 bits except in {excluded}; {scores}", soft_wrap=True)


def default_exclusions(float_file: Path) -> list[str]:
    """Return the parts of an exported vocoder that stay in floating point by default."""
    parts = {name.split(".")[0] for name in quantizable_layers(onnx.load(float_file))}
    return [part for part in (*PHASE_PARTS, *WIDE_RANGE_PARTS) if part in parts]


@dataclass(frozen=True)
class Int8Check:
    """The checks that an 8-bit file must pass.

    Attributes:
        name: of the vocoder, for messages.
        float_file: the vocoder in floating point.
        mels: (M, F) each, to calibrate on when layers are tried one by one.
        exclude_layers: names of layers that stay in floating point.
    """

    name: str
    float_file: Path
    mels: Sequence[Float32Array]
    exclude_layers: Collection[str]

    def require_all(self, int8_file: Path, corpora: Sequence[manifest.Corpus]) -> str:
        """Make both checks on test clips; return their scores as text.

        Raises:
            CorpusError: no test clip can be scored.
            ModelFileError: a check fails; names the layer to exclude.
        """
        with Console(stderr=True).status("comparing with jitter"):
            mels = clip_mels(Vocoder.load(self.float_file), corpora, "test", JITTER_CLIPS)
            jitter = self.require_robustness(int8_file, mels)
        return f"{self.require_quality(int8_file, corpora)}; {jitter}"

    def require_robustness(self, int8_file: Path, mels: Sequence[Float32Array]) -> str:
        """Check the response to jitter on mels (M, F); return it as text.

        Raises:
            ModelFileError: it exceeds the limits, and that in floating point; names the layer to exclude.
        """
        respond = partial(jitter_response, mels=mels, seeds=math.ceil(JITTER_DRAWS / len(mels)))
        reference, response = (respond(Vocoder.load(file)) for file in (self.float_file, int8_file))
        text = f"with jitter of {JITTER:.0e} on mels {response}; in floating point {reference}"
        if not response.within(reference):
            self._refuse("8 bits amplify jitter", text, lambda vocoder: respond(vocoder).energy)
        return text

    def require_quality(self, int8_file: Path, corpora: Sequence[manifest.Corpus]) -> str:
        """Check the scores on test clips; return them as text.

        Raises:
            ModelFileError: they are too much worse than in floating point; names the layer to exclude.
        """
        before, after = mean_scores(self.float_file, int8_file, corpora)
        text = (
            f"PESQ-WB {before[PESQ]:.3f} to {after[PESQ]:.3f}, "
            f"MR-STFT {before[STFT_DISTANCE]:.4f} to {after[STFT_DISTANCE]:.4f}"
        )
        keeps_pesq = after[PESQ] >= before[PESQ] - MAX_PESQ_LOSS
        if not (keeps_pesq and after[STFT_DISTANCE] <= before[STFT_DISTANCE] * MAX_STFT_RATIO):
            reference = Vocoder.load(self.float_file)
            waves = [reference(mel) for mel in self.mels]
            self._refuse("8 bits degrade quality", text, partial(squared_error, mels=self.mels, waves=waves))
        return text

    def _refuse(self, reason: str, scores: str, cost: Callable[[Vocoder], float]) -> NoReturn:
        layer = costliest_layer(self.float_file, self.mels, self.exclude_layers, cost)
        names = ",".join([*self.exclude_layers, layer])
        raise ModelFileError(f"{self.name}: {reason} ({scores}); exclude {layer} too: {names}")


def clip_mels(vocoder: Vocoder, corpora: Sequence[manifest.Corpus], split: Split, count: int) -> list[Float32Array]:
    """Return mels (M, F) of at most `count` clips of a split, drawn uniformly from all corpora."""
    paths = [path for path, _ in manifest.load_clips(corpora, split)]
    sample = random.Random(0).sample(paths, min(count, len(paths)))
    return [vocoder.mel(*files.read(path)) for path in sample]


def mean_scores(
    float_file: Path, int8_file: Path, corpora: Sequence[manifest.Corpus]
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the mean PESQ-WB and MR-STFT of both files, over the test clips that the first one can be scored on.

    Raises:
        CorpusError: the first file can be scored on no test clip.
        ModelFileError: the second file cannot be scored on one of these clips.
    """
    manifest.load_clips(corpora, "test")  # raises if there are none
    columns = frozenset((PESQ, STFT_DISTANCE))
    tasks = [
        Task(file.name, str(file), corpus.name, clip.id, corpus.path(clip), columns)
        for corpus in corpora
        for clip in corpus.split("test")
        for file in (float_file, int8_file)
    ]
    clip_scores = score_tasks(tasks, available_cores())
    references = [scores for scores in clip_scores if scores.system == float_file.name]
    candidates = [scores for scores in clip_scores if scores.system == int8_file.name]
    return _common_means(references, candidates, columns, str(corpora[0].folder))


def _common_means(
    references: Sequence[ClipScores], candidates: Sequence[ClipScores], columns: Collection[str], corpus: str
) -> tuple[dict[str, float], dict[str, float]]:
    """Return the mean scores of both sequences, over the clips that the references have all columns of."""
    pairs = [
        (reference, candidate)
        for reference, candidate in zip(references, candidates, strict=True)
        if len(reference.scores) == len(columns)
    ]
    if not pairs:
        reasons = "; ".join(references[0].failures.values())
        raise CorpusError(f"{corpus}: no test clip can be scored ({reasons}); use recordings of speech")
    for _, candidate in pairs:
        if len(candidate.scores) < len(columns):
            reasons = "; ".join(candidate.failures.values())
            raise ModelFileError(f"{candidate.system}: its wave of {candidate.clip} cannot be scored ({reasons})")
    return _means([pair[0].scores for pair in pairs], columns), _means([pair[1].scores for pair in pairs], columns)


def _means(scores: Sequence[dict[str, float]], columns: Collection[str]) -> dict[str, float]:
    return {column: float(np.mean([clip[column] for clip in scores])) for column in columns}


def squared_error(vocoder: Vocoder, mels: Sequence[Float32Array], waves: Sequence[Float32Array]) -> float:
    """Return the sum of squared differences between the waves of mels (M, F) and reference waves (T,), full scale 1."""
    return sum(float(np.square(wave - vocoder(mel)).sum()) for wave, mel in zip(waves, mels, strict=True))


def costliest_layer(
    float_file: Path, mels: Sequence[Float32Array], exclude_layers: Collection[str], cost: Callable[[Vocoder], float]
) -> str:
    """Return the layer with the highest cost if it alone multiplies in 8 bits, calibrated on mels (M, F)."""
    model = onnx.load(float_file)
    layers, costs = quantizable_layers(model), {}
    with TemporaryDirectory() as folder:
        int8_file = Path(folder) / "int8.onnx"
        for layer in track(quantizable_layers(model, exclude_layers), "searching the costliest layer"):
            quantize_vocoder(float_file, int8_file, mels, [name for name in layers if name != layer])
            costs[layer] = cost(Vocoder.load(int8_file))
    return max(costs, key=costs.__getitem__)
