"""Analysis of a trained separator on a few clips: waves, weights, basis, and a table of scores."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from basis_melgan import plotting
from basis_melgan.analysis.basis_figure import basis_study_figure
from basis_melgan.analysis.basis_study import BasisStudy, study_basis
from basis_melgan.analysis.clip_selection import ClipSelection, SelectedClip
from basis_melgan.analysis.separation_scores import SeparationReport, SeparationScores, score_waves
from basis_melgan.audio import files
from basis_melgan.config.schema import Config
from basis_melgan.corpus import manifest
from basis_melgan.corpus.noise import white_noise
from basis_melgan.errors import ConfigurationError, OutputError
from basis_melgan.models import model_file
from basis_melgan.models.tasnet import NOISE, SPEECH, Separator
from basis_melgan.progress import track
from basis_melgan.storage.atomic import atomic_folder
from basis_melgan.storage.paths import require_creatable

MAX_SNR = 100.0  # absolute value in dB; beyond it, 16 bits resolve only one of speech and noise
DPI = 150
TABLES = ("table.md", "table.json", "summary.md", "basis.md")
DATA_FILE = re.compile(r"\d+_\w+\.(wav|png|npz)")  # names of the other files of an analysis
MAX_STUDY_CLIPS = 8  # for the study of the basis, which takes a minute per clip


class SeparatorAnalysis(NamedTuple):
    """Scores of a separator, and the study of its basis if requested."""

    report: SeparationReport
    basis_study: BasisStudy | None

    def tables(self) -> list[str]:
        """The results as Markdown tables."""
        return [self.report.table(), *([self.basis_study.table()] if self.basis_study else [])]


def analyze_separator(
    separator: Path,
    corpus: Path,
    out: Path,
    selection: ClipSelection,
    snr: float,
    with_basis_study: bool = False,
    force: bool = False,
) -> SeparatorAnalysis:
    """Separate clips with and without noise, and write the results to a folder, all or nothing.

    With STEP the separator's training step and I the index of the clip, the folder has

    - `STEP_I_NAME.wav`, 16 bits: `original`, `noi` (the noise), `mix` (their sum), `mix_non_noi` (the original again);
      `est_wav` and `est_noi`, the speech and noise estimates from `mix`; `est_wav_non_noi` and `est_noi_non_noi`, those
      from the original. If one of the eight would clip, all are scaled by one factor, which the table names.
    - `STEP_I_weights`: `mixture`, `speech` and `noise` weights (N, K) of `mix`, as figure and as data (npz).
    - `STEP_basis`: the atoms (N, L) and their spectra, as figure and as data. Atoms are sorted by peak frequency here
      and in the weights; `order` has their indices in the separator.
    - `STEP_basis_study` with `with_basis_study`: the basis compared with a Gabor basis, as figure and as data, and as
      table in `basis.md`.
    - `table.md` and `table.json`: SI-SNR and PESQ-WB of each estimate and of `mix`, before scaling and rounding, and
      the level of each as written. `summary.md`: their means by corpus.

    Results are reproducible. The noise of a clip depends on the seed and the clip only.

    Args:
        separator: a trained separator.
        corpus: a prepared corpus, or a folder of several.
        out: folder to create.
        selection: the clips and the seed.
        snr: ratio of speech to white noise in `mix`, in dB. The paper's fixed σ gives about −4 dB on BiaoBei.
        with_basis_study: compare the basis with a Gabor basis.
        force: replace an earlier analysis in `out`.

    Raises:
        ConfigurationError: an SNR out of range.
        OutputError: `out` has an analysis and `force` is not set, or other files, or cannot be written.
        ModelFileError: the separator cannot be read, or has a silent basis to study.
        CorpusError: no corpus, another sample rate than the separator's, an empty split, or an unknown clip.
    """
    if not abs(snr) <= MAX_SNR:
        raise ConfigurationError(f"snr: {snr} dB; expected a number from −{MAX_SNR:g} to {MAX_SNR:g}")
    out = out.resolve()
    _require_replaceable(out, force)
    model, config = model_file.load_separator(separator)
    step = int(model_file.metadata(separator)["step"])
    corpora = manifest.load(corpus)
    manifest.require_rate(corpora, config.frames.sample_rate)
    clips = selection.select(corpora)
    with atomic_folder(out) as folder:
        writer = AnalysisWriter(model, folder, step)
        writer.write_basis()
        scores = [
            writer.write_clip(index, clip, selection.seed, snr) for index, clip in enumerate(track(clips, "analyze"))
        ]
        report = SeparationReport(
            separator=separator.name,
            step=step,
            data_hash=manifest.data_hash(corpora),
            seed=selection.seed,
            snr=snr,
            clips=tuple(scores),
            notes=tuple(_notes(config, selection, scores)),
        )
        (folder / "table.md").write_text(report.table(), encoding="utf-8")
        (folder / "table.json").write_text(report.to_json(), encoding="utf-8")
        (folder / "summary.md").write_text(report.summary(), encoding="utf-8")
        return SeparatorAnalysis(report, writer.write_basis_study(clips) if with_basis_study else None)


@dataclass(frozen=True)
class AnalysisWriter:
    """Writes the files of an analysis of a separator to a folder."""

    model: Separator
    folder: Path
    step: int

    @cached_property
    def spectra(self) -> plotting.BasisSpectra:
        """Spectra of the basis, which determine the order of atoms in figures and data."""
        return plotting.basis_spectra(self.model.basis.atoms.numpy(), self.model.frames)

    def write_basis(self) -> None:
        """Write the figure of the basis and its data."""
        atoms, path = self.model.basis.atoms.numpy(), self.folder / f"{self.step}_basis"
        plotting.plot_basis(atoms, self.model.frames).savefig(path.with_suffix(".png"), dpi=DPI)
        np.savez_compressed(path.with_suffix(".npz"), atoms=atoms[self.spectra.order], **self.spectra._asdict())

    def write_basis_study(self, clips: Sequence[SelectedClip]) -> BasisStudy:
        """Compare the basis with a Gabor basis on some of the clips, evenly spaced; write figure, data and table."""
        step = -(-len(clips) // MAX_STUDY_CLIPS)
        study = study_basis(self.model, [files.read(clip.path)[0] for clip in clips[::step]])
        path = self.folder / f"{self.step}_basis_study"
        (self.folder / "basis.md").write_text(study.table(), encoding="utf-8")
        np.savez_compressed(path.with_suffix(".npz"), allow_pickle=False, **study.arrays())
        basis_study_figure(study).savefig(path.with_suffix(".png"), dpi=DPI)
        return study

    def write_clip(self, index: int, selected: SelectedClip, seed: int, snr: float) -> SeparationScores:
        """Write waves and weights of one clip, and score the waves."""
        original, rate = files.read(selected.path)
        noise = white_noise(np.random.default_rng([seed, int(selected.clip.sha256, 16)]), original, snr)
        mixture, clean = torch.from_numpy(original + noise)[None], torch.from_numpy(original)[None]
        with torch.no_grad():
            encoded, noisy_output, clean_output = self.model.encode(mixture), self.model(mixture), self.model(clean)
        waves = {
            "original": original,
            "noi": noise,
            "mix": original + noise,
            "mix_non_noi": original,
            "est_wav": noisy_output.waves[0, SPEECH].numpy(),
            "est_noi": noisy_output.waves[0, NOISE].numpy(),
            "est_wav_non_noi": clean_output.waves[0, SPEECH].numpy(),
            "est_noi_non_noi": clean_output.waves[0, NOISE].numpy(),
        }
        scale = 1.0 / max(1.0, *(float(np.abs(wave).max()) for wave in waves.values()))
        for name, wave in waves.items():
            files.write(self.folder / f"{self.step}_{index}_{name}.wav", wave * np.float32(scale), rate)
        speech, noise_weights = noisy_output.weights[0, SPEECH], noisy_output.weights[0, NOISE]
        weights = {"mixture": encoded[0], "speech": speech, "noise": noise_weights}
        self._write_weights(f"{self.step}_{index}_weights", weights)
        clip = selected.clip
        scores, failures = score_waves(waves, rate, scale)
        return SeparationScores(selected.corpus, clip.id, clip.split, scale, scores, failures)

    def _write_weights(self, name: str, weights: dict[str, Tensor]) -> None:
        """Write figure and data of weights (N, K)."""
        path, order, peaks = self.folder / name, self.spectra.order, self.spectra.peaks
        matrices = {title: matrix.numpy()[order] for title, matrix in weights.items()}
        plotting.plot_weights(matrices, peaks, self.model.frames).savefig(path.with_suffix(".png"), dpi=DPI)
        np.savez_compressed(path.with_suffix(".npz"), allow_pickle=False, order=order, peaks=peaks, **matrices)


def _notes(config: Config, selection: ClipSelection, clips: Sequence[SeparationScores]) -> Iterator[str]:
    """Remarks on the scores, one line each."""
    yield "est_noi_non_noi should be silence, so only its level is meaningful"
    if config.separator_training.loss == "si-snr":
        yield "this separator was trained on its speech estimate only; its noise estimate is a by-product"
    if selection.ids is None and len(clips) < selection.count:
        yield f"the {selection.split} split has only {len(clips)} of the {selection.count} requested clips"
    for index, clip in enumerate(clips):
        if clip.scale < 1.0:
            yield f"{index}: all eight waves are scaled by {clip.scale:.4g} to avoid clipping"
        yield from (f"{index}, {name}: {reason}" for name, reason in clip.failures.items())


def _require_replaceable(out: Path, force: bool) -> None:
    """Check, before any work, that a folder can be created, or replaced without losing other files."""
    if out.is_file():
        raise OutputError(f"{out}: is a file; name a folder")
    require_creatable(out)
    names = [path.name for path in sorted(out.iterdir()) if path.name not in TABLES] if out.is_dir() else []
    foreign = next((name for name in names if not DATA_FILE.fullmatch(name)), None)
    if foreign:
        raise OutputError(f"{out}: has {foreign}, which no analysis writes and which would be lost; use another folder")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise OutputError(f"{out}: exists; choose another folder, or --force to replace an earlier analysis")
