"""Train a small vocoder over one basis after another for equal steps, and compare them on validation clips.

    python benchmarks/ablation.py data runs/ablation results/ablation
    python benchmarks/ablation.py data runs/ablation results/adversarial --adversarial --rows gabor learned stft

The second command trains only the named rows, with discriminators over the last steps, and also measures pitch.

Two rows are trained at a time, with one process of one thread each; rerun the command to resume. Writes the comparison
to results/ablation, and a table of all rows to results/ablation/rows.md.
"""

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from trainings import COMMANDS, minutes, run, train, two_at_a_time

from basis_melgan.evaluation.results import RESULTS
from basis_melgan.storage import markdown

SEPARATOR = "--config convnext-24k --frames.basis_length 512 --separator.atoms 256 --separator_training.steps 1500"
VOCODER = (
    "--config convnext-24k --generator.channels 192 --generator.blocks 4 --generator.hidden 256 "
    "--generator.atoms 256 --frames.basis_length 512 --vocoder_training.steps 4500 --vocoder_training.decay_steps 2700 "
    "--vocoder_training.warmup_steps 100 --vocoder_training.ema_decay 0.995 --vocoder_training.learning_rate 1.5e-3 "
    "--vocoder_training.discriminator_learning_rate 2e-4"
)
REGRESSION = "--vocoder_training.adversarial_from 4500"
ADVERSARIAL = "--vocoder_training.adversarial_from 3150 --vocoder_training.discriminator_batch_fraction 0.25"
TUNED, SLOWLY = (f"--vocoder_training.basis_learning_rate {rate}" for rate in ("1e-4", "1e-5"))
SHOWN = ("PESQ-WB", "ESTOI", "MCD", "MR-STFT", "V/UV F1", "periodicity RMSE", "DistillMOS", "tonal artifacts")

# How stage 1 learns a basis.
BASES = {
    "pairs": "",
    "mixed": "--separator.spacing mixed",
    "taps": "--separator.basis taps",
    "longer": "--frames.basis_length 1024",
    "free": "--separator.basis free",
    "narrow": "--separator.basis free --separator_training.tightness_penalty 10",
    "random": "--separator.basis free --separator_training.steps 1 --separator_training.warmup_steps 1",
    "half": "--separator.atoms 128",
    "half-taps": "--separator.atoms 128 --separator.basis taps",
    "few": "--separator.atoms 192 --separator.spacing mixed --frames.basis_length 1024",
}


@dataclass(frozen=True)
class Row:
    """A training: its name, its description, its options and the stage-1 basis it uses."""

    name: str
    text: str
    options: str = ""
    basis: str = ""


def _sizes(pairs: int, length: int) -> str:
    return f"--generator.atoms {pairs} --frames.basis_length {length}"


GABOR, LEARNED = "256 Gabor pairs of 512", "256 pairs of 512, learned in stage 1"
FREE = "256 vectors that stage 1 learned freely, and their Hilbert transforms"
HALF, FEW = "--generator.atoms 128", _sizes(192, 1024)
TARGETS = "--vocoder_training.loss_weights.pairs/phase 1 --vocoder_training.loss_weights.pairs/log_amplitude 0.5"
ROWS = (
    Row("gabor", GABOR),
    Row("gabor-tuned", f"{GABOR}, fine-tuned with the vocoder", TUNED),
    Row("gabor-tuned-slowly", f"{GABOR}, fine-tuned at a tenth of that rate", SLOWLY),
    Row("stft", "inverse STFT of 512, 257 bins", "--generator.spacing fourier --generator.atoms 257"),
    Row("learned", LEARNED, basis="pairs"),
    Row("learned-tuned", f"{LEARNED}, fine-tuned with the vocoder", TUNED, "pairs"),
    Row("learned-tuned-slowly", f"{LEARNED}, fine-tuned at a tenth of that rate", SLOWLY, "pairs"),
    Row("mixed", f"{GABOR}, half linear, half mel", "--generator.spacing mixed"),
    Row("learned-mixed", f"{LEARNED} from half linear, half mel ones", basis="mixed"),
    Row("learned-longer", "256 pairs of up to 1024 that stage 1 learned from linear ones", _sizes(256, 1024), "longer"),
    Row("taps", f"{GABOR}, every tap learned by stage 1", basis="taps"),
    Row("free", FREE, basis="free"),
    Row("narrow", f"{FREE}, held narrow and near a tight frame by a penalty", basis="narrow"),
    Row("random", "256 random vectors and their Hilbert transforms", basis="random"),
    Row("targets", f"{GABOR}, and weight targets", TARGETS),
    Row("short", "128 Gabor pairs of 256 at twice the rate", _sizes(128, 256) + " --frames.stride 128"),
    Row("half", "128 Gabor pairs of 512, no more weights than samples", HALF),
    Row("half-learned", "128 pairs of 512 that stage 1 learned", HALF, "half"),
    Row("half-taps", "128 Gabor pairs of 512, every tap learned by stage 1", HALF, "half-taps"),
    Row("few", "192 Gabor pairs of up to 1024, half linear, half mel", f"{FEW} --generator.spacing mixed"),
    Row("few-learned", "192 pairs of up to 1024 that stage 1 learned", FEW, "few"),
    Row("long", "512 Gabor pairs of 1024", _sizes(512, 1024)),
    Row("long-stft", "inverse STFT of 1024, 513 bins", _sizes(513, 1024) + " --generator.spacing fourier"),
)


def ablate(corpus: Path, runs: Path, out: Path, rows: list[Row], adversarial: bool) -> None:
    """Train rows by regression, or with discriminators over the last steps, and compare them.

    Args:
        corpus: prepared corpus, or a folder of several.
        runs: folder for the run folders.
        out: folder for the comparison.
        rows: the trainings.
        adversarial: train with discriminators, and measure pitch.
    """
    phase, suffix, quick = (ADVERSARIAL, "-adversarial", []) if adversarial else (REGRESSION, "", ["--quick"])
    bases = [name for name in BASES if any(row.basis == name for row in rows)]
    two_at_a_time(lambda name: train_basis(name, corpus, runs), bases)
    two_at_a_time(lambda row: train_vocoder(row, corpus, runs, runs / f"{row.name}{suffix}", phase), rows)
    folders = {row: runs / f"{row.name}{suffix}" for row in rows}
    systems = [str(runs / f"{folder.name}.safetensors") for folder in folders.values()]
    for folder, system in zip(folders.values(), systems, strict=True):  # a system is named after its file
        shutil.copy(folder / "vocoder.safetensors", system)
    run(*COMMANDS, "compare", *systems, *f"--corpus {corpus} --out {out} --split validation --force".split(), *quick)
    (out / "rows.md").write_text(table(out, folders), encoding="utf-8")


def train_basis(name: str, corpus: Path, runs: Path) -> None:
    """Train a separator for its basis."""
    out = runs / f"basis-{name}"
    train(out, *COMMANDS, "train-separator", str(corpus), str(out), *SEPARATOR.split(), *BASES[name].split())


def train_vocoder(row: Row, corpus: Path, runs: Path, out: Path, phase: str) -> None:
    """Train the vocoder of a row."""
    basis = ["--separator", str(runs / f"basis-{row.basis}" / "separator.safetensors")] if row.basis else []
    options = [*basis, *VOCODER.split(), *phase.split(), *row.options.split()]
    train(out, *COMMANDS, "train-vocoder", str(corpus), str(out), *options)


def table(comparison: Path, folders: dict[Row, Path]) -> str:
    """A Markdown table with minutes, cost and mean scores of each row."""
    results = json.loads((comparison / RESULTS).read_text(encoding="utf-8"))
    columns = [column["name"] for column in results["columns"] if column["name"] in SHOWN]
    systems = {system["name"]: system for system in results["systems"]}
    lines = []
    for row, folder in folders.items():
        means = list(results["summary"][folder.name].values())[-1]
        cost = systems[folder.name]["gmac_per_second"]
        scores = [f"{means[name]['mean']:.3f}" for name in columns]
        lines.append([row.text, f"{minutes(folder):.1f}", cost, *scores])
    return "\n".join(markdown.table(["", "minutes", "GMAC per second of audio", *columns], lines)) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, help="prepared corpus, or a folder of several")
    parser.add_argument("runs", type=Path, help="folder for the trainings")
    parser.add_argument("out", type=Path, help="folder for the comparison")
    parser.add_argument("--rows", nargs="+", choices=[row.name for row in ROWS], metavar="ROW", help="only these")
    parser.add_argument("--adversarial", action="store_true", help="with discriminators over the last steps")
    options = parser.parse_args()
    rows = [row for row in ROWS if options.rows is None or row.name in options.rows]
    ablate(options.corpus, options.runs, options.out, rows, options.adversarial)
