"""What a separator learned, on a few clips: the waves it makes, its weights, its basis, and a table of scores."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from torch import Tensor

from basis_melgan import plotting
from basis_melgan.analysis import basis_pictures, basis_study
from basis_melgan.analysis.clip_selection import ClipSelection, Selected
from basis_melgan.analysis.separation_scores import Report, Utterance, scored
from basis_melgan.audio import files
from basis_melgan.config.schema import Config
from basis_melgan.corpus import manifest
from basis_melgan.corpus.noise import white_over
from basis_melgan.errors import ConfigurationError, OutputError
from basis_melgan.models import model_file
from basis_melgan.models.tasnet import NOISE, SPEECH, Separator
from basis_melgan.storage.paths import require_place

WIDEST_SNR = 100.0  # dB either way; beyond it, 16 bits hold only one of speech and noise
DPI = 150
TABLES = ("table.md", "table.json", "summary.md", "basis.md")
WRITTEN = re.compile(r"\d+_\w+\.(wav|png|npz)")  # names of the other files of an analysis
STUDIED = 8  # clips at most, evenly spaced, by which a basis is studied: a minute of work each


def analyze(separator: Path, corpus: Path, out: Path, choice: ClipSelection, snr: float, force: bool = False) -> Report:
    """Let a separator take clips apart, noisy and clean, and leave what comes of it in a folder, all or nothing.

    With STEP the separator's and I counting the clips from 0, the folder holds

    - `STEP_I_NAME.wav`, 16 bits: `original`, `noi` (the noise), `mix` (their sum), `mix_non_noi` (the original again);
      `est_wav` and `est_noi`, speech and noise that the separator finds in `mix`; and `est_wav_non_noi` and
      `est_noi_non_noi`, those it finds in the original. Where one of the eight would go beyond full scale, all are
      scaled by one factor, which the table names; nothing else is done to their level.
    - `STEP_I_weights`: `mixture`, `speech` and `noise` weights (N, K) of `mix`, as picture and as data (npz).
    - `STEP_basis`: the basis signals (N, L) and their spectra, as picture and as data. Here and in the weights, basis
      signals stand sorted by peak frequency; `order` gives their places in the separator.
    - `STEP_basis_study` where the choice asks for it: how the basis and a Gabor basis compare, as picture and as data;
      as table it is `basis.md` (printed too).
    - `table.md` (printed too) and `table.json`: SI-SNR and PESQ-WB of each estimate and of `mix`, before scaling and
      rounding; and the level of each as written. `summary.md`: their means by corpus.

    The same arguments give the same bytes. The noise of a clip depends on the seed and the clip alone.

    Args:
        separator: a released separator.
        corpus: a prepared corpus, or a folder of several.
        out: folder to make.
        choice: the clips, the seed, and whether to study the basis.
        snr: of speech to white noise in `mix`, in dB. The paper's fixed σ puts BiaoBei at about −4 dB.
        force: replace `out` where it holds an earlier analysis.

    Raises:
        ConfigurationError: an SNR that cannot be.
        OutputError: `out` holds an analysis and `force` is not given, or something else, or cannot be written.
        ModelFileError: the separator cannot be read, or has a silent basis to study.
        CorpusError: no corpus, another sample rate than the separator's, an empty split, or no such clip.
    """
    if not abs(snr) <= WIDEST_SNR:
        raise ConfigurationError(f"snr: {snr} dB; expected a number from −{WIDEST_SNR:g} to {WIDEST_SNR:g}")
    out = out.resolve()
    _require_free(out, force)
    model, config = model_file.load_separator(separator)
    step = int(model_file.metadata(separator)["step"])
    corpora = manifest.load(corpus)
    manifest.require_rate(corpora, config.frames.sample_rate)
    clips = choice.of(corpora)
    with _replacing(out) as folder:
        analyser = Analyser(model, folder, step)
        analyser.show_basis()
        counted = track(list(enumerate(clips)), "analyzing", console=Console(stderr=True))
        utterances = tuple(analyser.analyze(index, one, choice.seed, snr) for index, one in counted)
        notes = tuple(_notes(config, choice, utterances))
        data_hash = manifest.data_hash(corpora)
        report = Report(separator.name, step, data_hash, choice.seed, snr, utterances, notes)
        (folder / "table.md").write_text(report.table(), encoding="utf-8")
        (folder / "table.json").write_text(report.as_json(), encoding="utf-8")
        (folder / "summary.md").write_text(report.summary(), encoding="utf-8")
        tables = [report.table(), *([analyser.study_basis(clips)] if choice.basis else [])]
    print(*tables, out, sep="\n")
    return report


@dataclass(frozen=True)
class Analyser:
    """A separator, and the folder for what comes of it."""

    model: Separator
    folder: Path
    step: int

    @cached_property
    def spectra(self) -> plotting.BasisSpectra:
        """Spectra of the basis, which order its signals in pictures and data."""
        return plotting.basis_spectra(self.model.basis.atoms.numpy(), self.model.frames)

    def show_basis(self) -> None:
        """Write the basis picture and its data."""
        signals, path = self.model.basis.atoms.numpy(), self.folder / f"{self.step}_basis"
        plotting.basis(signals, self.model.frames).savefig(path.with_suffix(".png"), dpi=DPI)
        np.savez_compressed(path.with_suffix(".npz"), signals=signals[self.spectra.order], **self.spectra._asdict())

    def study_basis(self, clips: Sequence[Selected]) -> str:
        """Write picture, data and table of the basis beside a Gabor basis, on some of the clips; returns the table."""
        some = clips[:: -(-len(clips) // STUDIED)]
        found = basis_study.study(self.model, [files.read(one.path)[0] for one in some])
        table, path = found.table(), self.folder / f"{self.step}_basis_study"
        (self.folder / "basis.md").write_text(table, encoding="utf-8")
        np.savez_compressed(path.with_suffix(".npz"), allow_pickle=False, **found.arrays())
        basis_pictures.study(found).savefig(path.with_suffix(".png"), dpi=DPI)
        return table

    def analyze(self, index: int, selected: Selected, seed: int, snr: float) -> Utterance:
        """Write waves and weights of one clip, and score the waves."""
        original, rate = files.read(selected.path)
        noise = white_over(np.random.default_rng([seed, int(selected.clip.sha256, 16)]), original, snr)
        mixture, clean = torch.from_numpy(original + noise)[None], torch.from_numpy(original)[None]
        with torch.no_grad():
            encoded, of_mixture, of_clean = self.model.encode(mixture), self.model(mixture), self.model(clean)
        waves = {
            "original": original,
            "noi": noise,
            "mix": original + noise,
            "mix_non_noi": original,
            "est_wav": of_mixture.waves[0, SPEECH].numpy(),
            "est_noi": of_mixture.waves[0, NOISE].numpy(),
            "est_wav_non_noi": of_clean.waves[0, SPEECH].numpy(),
            "est_noi_non_noi": of_clean.waves[0, NOISE].numpy(),
        }
        scale = 1.0 / max(1.0, *(float(np.abs(wave).max()) for wave in waves.values()))
        for name, wave in waves.items():
            files.write(self.folder / f"{self.step}_{index}_{name}.wav", wave * np.float32(scale), rate)
        speech, rest = of_mixture.weights[0, SPEECH], of_mixture.weights[0, NOISE]
        self._show_weights(f"{self.step}_{index}_weights", {"mixture": encoded[0], "speech": speech, "noise": rest})
        clip = selected.clip
        return Utterance(selected.corpus, clip.id, clip.split, scale, *scored(waves, rate, scale))

    def _show_weights(self, name: str, weights: dict[str, Tensor]) -> None:
        """Write the picture and the data of weights (N, K)."""
        path, order, peaks = self.folder / name, self.spectra.order, self.spectra.peaks
        matrices = {title: matrix.numpy()[order] for title, matrix in weights.items()}
        plotting.weights(matrices, peaks, self.model.frames).savefig(path.with_suffix(".png"), dpi=DPI)
        np.savez_compressed(path.with_suffix(".npz"), allow_pickle=False, order=order, peaks=peaks, **matrices)


def _notes(config: Config, choice: ClipSelection, utterances: Sequence[Utterance]) -> Iterator[str]:
    """What has to be said about the table, a line each."""
    yield "est_noi_non_noi should be silence, so that its level alone counts"
    if config.separator_training.loss == "si-snr":
        yield "this separator was trained by its speech estimate alone; its noise estimate is a by-product"
    if choice.named is None and len(utterances) < choice.count:
        yield f"{choice.count} clips were asked for; {choice.split} has {len(utterances)}, and these are all"
    for index, each in enumerate(utterances):
        if each.scale < 1.0:
            yield f"{index}: all eight waves are scaled by {each.scale:.4g}, or one would go beyond full scale"
        yield from (f"{index}, {place}: {reason}" for place, reason in each.failures.items())


def _require_free(out: Path, force: bool) -> None:
    if out.is_file():
        raise OutputError(f"{out}: is a file; name a folder")
    require_place(out)
    entries = [path for path in sorted(out.iterdir()) if path.name not in TABLES] if out.is_dir() else []
    strange = next((path.name for path in entries if not WRITTEN.fullmatch(path.name)), None)
    if strange:
        raise OutputError(f"{out}: holds {strange}, which is of no analysis and would be lost; choose another folder")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise OutputError(f"{out}: exists; choose another folder, or --force to replace an earlier analysis")


@contextmanager
def _replacing(out: Path) -> Iterator[Path]:
    """A folder to fill, which then takes the place of `out`; after an error nothing of it stays."""
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        aside.mkdir(parents=True)
        yield aside
        if out.exists():
            shutil.rmtree(out)
        aside.replace(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error}); choose a writable place") from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
