"""Install the package and each of its extras into clean environments, and run the commands that they enable.

These environments contain nothing else, so a missing dependency of an extra fails here. An extra that includes another
is installed on top of it, with the same result as a fresh installation.

    make test-extras
"""

import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parents[1]
CLIPS = ROOT / "examples" / "clips"
SHORT = "--config {root}/tests/short.yaml"
# Recipes that get a small corpus with the layout of the public one.
CORPORA = ("ljspeech", "biaobei", "vctk", "libritts", "aishell3")
# By environment: what is installed, in order, and the commands to run after each step.
ENVIRONMENTS: dict[str, list[tuple[str, list[str]]]] = {
    "core, train, metrics": [
        (
            ".",
            [
                "--version",
                "vocode {clip} out.wav",
                "vocode {clips} folder",
                "vocode {mel} predicted.wav --vocoder speech-24k-live",
                "bench speech-24k speech-24k-small --rounds 1",
            ],
        ),
        (
            ".[train]",
            [
                *(f"prepare {corpus} prepared/{corpus} --source corpora/{corpus}" for corpus in CORPORA),
                f"prepare folder data --source {{clips}} {SHORT}",
                f"train-separator data separator {SHORT}",
                "separate {clip} separated",
                "analyze separator/separator.safetensors data analysis --count 1 --basis",
                f"decompose separator/separator.safetensors data decomposition {SHORT}",
                "train-vocoder data vocoder --separator separator/separator.safetensors "
                f"--decomposition decomposition {SHORT}",
                "train-vocoder data fast --config fast --vocoder_training.steps 2 --vocoder_training.batch_size 2",
                f"fine-tune data tuned {SHORT}",
                "vocode {clip} trained.wav --vocoder vocoder/vocoder.safetensors",
                "evaluate tuned/vocoder.safetensors data --quick --json evaluation.json",
                "compare griffin-lim:4 world recording --corpus data --out comparison --quick",
                "report comparison report.html --runs tuned=tuned --separator separator/separator.safetensors",
                "complexity",
            ],
        ),
        (".[metrics]", ["evaluate speech-24k data --json whole.json"]),
    ],
    "export, openvino": [
        (
            ".[export]",
            [
                f"prepare folder data --source {{clips}} {SHORT}",
                "export speech-24k-small float.onnx",
                "export speech-24k-small int8.onnx --int8 data",
                "vocode {clip} float.wav --vocoder float.onnx",
                "bench float.onnx int8.onnx --rounds 1",
            ],
        ),
        (".[openvino]", ["vocode {clip} openvino.wav --backend openvino"]),
    ],
}


def main() -> int:
    """Create and test all environments; return the exit status."""
    failures = 0
    for name, stages in ENVIRONMENTS.items():
        with TemporaryDirectory() as place:
            failures += check_environment(name, stages, Path(place))
    print(f"{failures} commands failed" if failures else "all commands ran in clean environments")
    return int(failures > 0)


def check_environment(name: str, stages: list[tuple[str, list[str]]], folder: Path) -> int:
    """Create one environment in a folder and run its commands; return the number of failures."""
    venv.create(folder / "venv", with_pip=True)
    scripts = Path(sysconfig.get_path("scripts", "venv", {"base": str(folder / "venv")}))
    work = folder / "work"
    write_corpora(work / "corpora")
    paths = {
        "root": str(ROOT),
        "clips": str(CLIPS),
        "clip": str(sorted(CLIPS.glob("*.flac"))[0]),
        "mel": str(ROOT / "examples" / "predicted.npy"),
    }
    failures = 0
    for extra, commands in stages:
        start = time.monotonic()
        install([str(scripts / "python"), "-m", "pip", "install", "--quiet", f"{ROOT}{extra.removeprefix('.')}"], work)
        print(f"{name}: pip install {extra!r} in {time.monotonic() - start:.0f} s", flush=True)
        for command in commands:
            failures += not succeeds([str(scripts / "basis-melgan"), *shlex.split(command.format(**paths))], work)
    return failures


def install(command: list[str], folder: Path) -> None:
    """Run a command in a folder; exit with its output if it fails."""
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if process.returncode:
        sys.exit(f"{shlex.join(command)}\n{process.stdout}{process.stderr}")


def succeeds(command: list[str], folder: Path) -> bool:
    """Run a command in a folder; print its duration, or its output if it fails."""
    start = time.monotonic()
    process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - start
    print(f"  {shlex.join(command[1:])}: {'ok' if process.returncode == 0 else 'FAILED'}, {seconds:.1f} s", flush=True)
    if process.returncode:
        print(process.stdout + process.stderr, flush=True)
    return process.returncode == 0


def write_corpora(root: Path) -> None:
    """Write a corpus of a few clips in the layout of each public corpus."""
    texts = {
        "ljspeech/metadata.csv": "LJ001-0001|Five pounds.|Five pounds.\n",
        "biaobei/ProsodyLabeling/000001-010000.txt": "000001\t卡尔普#4。\n\tka2 er2 pu3\n",
        "vctk/speaker-info.txt": "ID  AGE  GENDER  ACCENTS  REGION\np225  23  F    English    Southern  England\n",
        "vctk/txt/p225/p225_001.txt": "Please call Stella.\n",
        "libritts/dev-clean/84/121123/84_121123.trans.tsv": "84_121123_000007_000001\tMr.\tMister\n",
        "aishell3/spk-info.txt": "# speaker\tage\tgender\taccent\nSSB0005\tC\tfemale\tnorth\n",
        "aishell3/train/label_train-set.txt": "# header\nSSB00050001|guang3 zhou1|广州%。$\n",
        "aishell3/train/content.txt": "SSB00050001.wav\t广 guang3 州 zhou1\n",
        "aishell3/test/content.txt": "SSB00050002.wav\t广 guang3 州 zhou1\n",
    }
    for name, text in texts.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name in (
        "ljspeech/wavs/LJ001-0001.wav",
        "biaobei/Wave/000001.wav",
        "vctk/wav48_silence_trimmed/p225/p225_001_mic2.flac",
        "libritts/dev-clean/84/121123/84_121123_000007_000001.wav",
        "aishell3/train/wav/SSB0005/SSB00050001.wav",
        "aishell3/test/wav/SSB0005/SSB00050002.wav",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(sorted(CLIPS.glob("*.flac"))[0], path)  # libsndfile detects the format from the content


if __name__ == "__main__":
    sys.exit(main())
