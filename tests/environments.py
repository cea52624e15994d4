"""Install the package and each of its extras as a user would, and run there every command that the README promises.

Nothing else is in those environments: what a command imports beside what its extra brings, only this finds. An extra
that holds another is installed over it, which leaves what pip would have made of it alone.

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
# What is laid out as each corpus is, for its recipe to list.
CORPORA = ("ljspeech", "biaobei", "vctk", "libritts", "aishell3")
# By environment, in turn: what is installed over what is there already, and what runs then.
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
                *(f"prepare {corpus} prepared/{corpus} --source laid/{corpus}" for corpus in CORPORA),
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
    """Make all environments; returns the exit status."""
    failures = 0
    for name, stages in ENVIRONMENTS.items():
        with TemporaryDirectory() as place:
            failures += environment(name, stages, Path(place))
    print(f"{failures} commands failed" if failures else "every command ran in an environment of its extra alone")
    return int(failures > 0)


def environment(name: str, stages: list[tuple[str, list[str]]], folder: Path) -> int:
    """Install and run the stages of one environment in a folder; returns how many commands failed."""
    venv.create(folder / "venv", with_pip=True)
    scripts = Path(sysconfig.get_path("scripts", "venv", {"base": str(folder / "venv")}))
    work = folder / "work"
    lay_out(work / "laid")
    words = {
        "root": str(ROOT),
        "clips": str(CLIPS),
        "clip": str(sorted(CLIPS.glob("*.flac"))[0]),
        "mel": str(ROOT / "examples" / "predicted.npy"),
    }
    failures = 0
    for extra, commands in stages:
        began = time.monotonic()
        run([str(scripts / "python"), "-m", "pip", "install", "--quiet", f"{ROOT}{extra.removeprefix('.')}"], work)
        print(f"{name}: pip install {extra!r} in {time.monotonic() - began:.0f} s", flush=True)
        for command in commands:
            failures += not ran([str(scripts / "basis-melgan"), *shlex.split(command.format(**words))], work)
    return failures


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder, and end with what it said where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{shlex.join(command)}\n{done.stdout}{done.stderr}")
    return done


def ran(command: list[str], folder: Path) -> bool:
    """Whether a command ends well; tells how long it took, or what it said."""
    began = time.monotonic()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    took = time.monotonic() - began
    print(f"  {shlex.join(command[1:])}: {'ok' if done.returncode == 0 else 'FAILED'}, {took:.1f} s", flush=True)
    if done.returncode:
        print(done.stdout + done.stderr, flush=True)
    return done.returncode == 0


def lay_out(root: Path) -> None:
    """A corpus of one clip for every recipe of a public corpus."""
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
        shutil.copyfile(sorted(CLIPS.glob("*.flac"))[0], path)  # libsndfile goes by the content


if __name__ == "__main__":
    sys.exit(main())
