"""Train our generators and peers for equal time with the same data, losses and schedule, then compare them.

    python benchmarks/equal_budget.py data unseen runs/budget results/budget 40
    python benchmarks/equal_budget.py data unseen runs/budget results/small 40 --systems ours-small vocos-small

trains each system (the second command: only the named ones) for 40 minutes with one process of one thread, two at a
time, and writes the comparisons on test clips of both corpora to results/budget/seen and results/budget/unseen. Rerun
the command to resume.
"""

import argparse
import shutil
from pathlib import Path

from trainings import COMMANDS, minutes, run, train, two_at_a_time

from basis_melgan.storage import markdown

PEER = str(Path(__file__).with_name("train_peer.py"))
SMALL = "--generator.channels 160 --generator.blocks 6 --generator.hidden 304"
# Systems of about equal cost follow each other.
OURS = {"ours": "", "ours-small": SMALL}
SYSTEMS = ("ours", "vocos-cut", "vocos", "hifigan-v2", "ours-small", "vocos-small")
TRIAL = 20, 80  # steps of two trials; the difference of their times gives the time of a step
ADVERSARIAL = 0.75  # fraction of the steps after which discriminators join
DECAY = 0.6  # fraction of the steps over which the learning rates fall to 0


def schedule(steps: int) -> list[str]:
    """Options of a training of `steps` steps."""
    settings = {
        "steps": steps,
        "adversarial_from": round(ADVERSARIAL * steps),
        "decay_steps": round(DECAY * steps),
        "warmup_steps": min(100, steps),
        "ema_decay": 0.995,
    }
    return [word for name, value in settings.items() for word in (f"--vocoder_training.{name}", str(value))]


def command(system: str, corpus: Path, out: Path, steps: int) -> list[str]:
    """The command that trains a system for `steps` steps."""
    options = ["--config", "fast", *schedule(steps)]
    if system in OURS:
        return [*COMMANDS, "train-vocoder", str(corpus), str(out), *options, *OURS[system].split()]
    return [PEER, system, str(corpus), str(out), *options]


def race(systems: list[str], seen: Path, unseen: Path, runs: Path, out: Path, budget: float) -> None:
    """Train systems for `budget` minutes each and compare them on test clips."""
    steps = {system: round(budget / duration) for system, duration in minutes_per_step(systems, seen, runs).items()}
    commands = {system: command(system, seen, runs / system, steps[system]) for system in systems}
    two_at_a_time(lambda system: train(runs / system, *commands[system]), systems)
    for name in systems:
        if name in OURS:  # a system is named after its file
            shutil.copy(runs / name / "vocoder.safetensors", runs / f"{name}.safetensors")
        else:  # apart from the training, so that its minutes do not count
            run(*commands[name], "--synthesize", f"{seen},{unseen}")
    results = [str(runs / (f"{name}.safetensors" if name in OURS else f"{name}/waves/{name}")) for name in systems]
    for name, corpus in (("seen", seen), ("unseen", unseen)):
        run(*COMMANDS, "compare", *results, *f"--corpus {corpus} --out {out / name} --quick --force".split())
    lines = [[system, steps[system], f"{minutes(runs / system):.1f}"] for system in systems]
    (out / "steps.md").write_text("\n".join(markdown.table(["", "steps", "minutes"], lines)) + "\n", encoding="utf-8")


def minutes_per_step(systems: list[str], corpus: Path, runs: Path) -> dict[str, float]:
    """Minutes per step of each system, from the difference of two trials."""
    for steps in TRIAL:
        two_at_a_time(lambda trial: train(runs / trial[0], *trial[1]), trials(systems, corpus, runs, steps).items())
    short, long = ({system: minutes(runs / f"{system}-{steps}") for system in systems} for steps in TRIAL)
    return {system: (long[system] - short[system]) / (TRIAL[1] - TRIAL[0]) for system in systems}


def trials(systems: list[str], corpus: Path, runs: Path, steps: int) -> dict[str, list[str]]:
    """The commands that train every system for `steps` steps, by run name."""
    names = {system: f"{system}-{steps}" for system in systems}
    return {name: command(system, corpus, runs / name, steps) for system, name in names.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seen", type=Path, help="prepared corpora to train on, and to compare on their test clips")
    parser.add_argument("unseen", type=Path, help="prepared corpora to compare on only")
    parser.add_argument("runs", type=Path, help="folder for the trainings")
    parser.add_argument("out", type=Path, help="folder for the comparisons")
    parser.add_argument("budget", type=float, help="minutes per training")
    parser.add_argument(
        "--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="SYSTEM", help="only these"
    )
    options = parser.parse_args()
    race(options.systems, options.seen, options.unseen, options.runs, options.out, options.budget)
