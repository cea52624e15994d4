"""Train generators of ours and peers equally long, by the same data, losses, discriminators and schedule; compare them.

    python benchmarks/equal_budget.py data unseen runs/budget results/budget 40
    python benchmarks/equal_budget.py data unseen runs/budget results/small 40 --systems ours-small vocos-small

gives each (the second: those named alone) 40 minutes of one process of one thread, two at a time, and leaves the
comparisons on test clips of both corpora in results/budget/seen and results/budget/unseen. A training that was
interrupted goes on.
"""

import argparse
import shutil
from pathlib import Path

from trainings import COMMANDS, minutes, run, train, two_at_a_time

from basis_melgan.storage import markdown

PEER = str(Path(__file__).with_name("train_peer.py"))
SMALL = "--generator.channels 160 --generator.blocks 6 --generator.hidden 304"
# Those of about one cost beside each other.
OURS = {"ours": "", "ours-small": SMALL}
SYSTEMS = ("ours", "vocos-cut", "vocos", "hifigan-v2", "ours-small", "vocos-small")
TRIAL = 20, 80  # steps of two trials, whose difference says how long a step takes
ADVERSARIAL = 0.75  # of the steps are by regression alone
FALLING = 0.6  # of the steps are at rates that fall to 0


def schedule(steps: int) -> list[str]:
    """Settings of a training of so many steps."""
    settings = {
        "steps": steps,
        "adversarial_from": round(ADVERSARIAL * steps),
        "decay_steps": round(FALLING * steps),
        "warmup_steps": min(100, steps),
        "ema_decay": 0.995,
    }
    return [word for name, value in settings.items() for word in (f"--vocoder_training.{name}", str(value))]


def command(system: str, corpus: Path, out: Path, steps: int) -> list[str]:
    """Words that train a system for so many steps."""
    options = ["--config", "fast", *schedule(steps)]
    if system in OURS:
        return [*COMMANDS, "train-vocoder", str(corpus), str(out), *options, *OURS[system].split()]
    return [PEER, system, str(corpus), str(out), *options]


def race(systems: list[str], seen: Path, unseen: Path, runs: Path, out: Path, budget: float) -> None:
    """Train systems for `budget` minutes each and compare them on test clips."""
    steps = {system: round(budget / each) for system, each in minutes_a_step(systems, seen, runs).items()}
    commands = {system: command(system, seen, runs / system, steps[system]) for system in systems}
    two_at_a_time(lambda system: train(runs / system, *commands[system]), systems)
    for name in systems:
        if name in OURS:  # systems are called as their files are
            shutil.copy(runs / name / "vocoder.safetensors", runs / f"{name}.safetensors")
        else:  # after its training, whose minutes are counted
            run(*commands[name], "--speak", f"{seen},{unseen}")
    spoken = [str(runs / (f"{each}.safetensors" if each in OURS else f"{each}/waves/{each}")) for each in systems]
    for name, corpus in (("seen", seen), ("unseen", unseen)):
        run(*COMMANDS, "compare", *spoken, *f"--corpus {corpus} --out {out / name} --quick --force".split())
    lines = [[system, steps[system], f"{minutes(runs / system):.1f}"] for system in systems]
    (out / "steps.md").write_text("\n".join(markdown.table(["", "steps", "minutes"], lines)) + "\n", encoding="utf-8")


def minutes_a_step(systems: list[str], corpus: Path, runs: Path) -> dict[str, float]:
    """What a step of each system takes, by the difference of two trials."""
    for steps in TRIAL:
        two_at_a_time(lambda trial: train(runs / trial[0], *trial[1]), trials(systems, corpus, runs, steps).items())
    less, more = ({system: minutes(runs / f"{system}-{steps}") for system in systems} for steps in TRIAL)
    return {system: (more[system] - less[system]) / (TRIAL[1] - TRIAL[0]) for system in systems}


def trials(systems: list[str], corpus: Path, runs: Path, steps: int) -> dict[str, list[str]]:
    """Words that train every system for so many steps, by the name of the run."""
    names = {system: f"{system}-{steps}" for system in systems}
    return {name: command(system, corpus, runs / name, steps) for system, name in names.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seen", type=Path, help="prepared corpora to train on, and to compare on their test clips")
    parser.add_argument("unseen", type=Path, help="prepared corpora to compare on alone")
    parser.add_argument("runs", type=Path, help="folder for the trainings")
    parser.add_argument("out", type=Path, help="folder for the comparisons")
    parser.add_argument("budget", type=float, help="minutes of each training")
    parser.add_argument(
        "--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), metavar="SYSTEM", help="these alone"
    )
    given = parser.parse_args()
    race(given.systems, given.seen, given.unseen, given.runs, given.out, given.budget)
