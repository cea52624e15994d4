"""Run the numerical tests under every instruction set that this processor has, on one thread and on two.

PyTorch's own kernels take theirs from ATEN_CPU_CAPABILITY, oneDNN's, which multiply matrices, from ONEDNN_MAX_CPU_ISA:
what passes under all of them depends on no rounding. OpenVINO reads the second too, and held to SSE41 gives no samples
on a processor that has more; it is left out wherever the second holds it. Prints a table; ends with 1 where a test
failed.

    make test-isa
"""

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import torch

ROOT = Path(__file__).parents[1]
ATEN = ("default", "avx2", "avx512")  # the lesser before the greater
ONEDNN = ("SSE41", "AVX2", "DEFAULT")
THREADS = ("1", "2")
# Where PyTorch computes something that a test compares.
NUMERICAL = (
    "tests/training/test_decompose.py",
    "tests/analysis/test_separator.py",
    "tests/analysis/test_basis_study.py",
    "tests/analysis/test_resynthesis.py",
    "tests/export/test_onnx.py",
    "tests/metrics/test_neural.py",
    "tests/metrics/test_pitch.py",
    "tests/models",
    "tests/test_pipeline.py",
    "tests/training",
)
FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


def main() -> int:
    """Run them all; returns the exit status."""
    widest = torch.backends.cpu.get_cpu_capability().lower()
    sets = ATEN[: ATEN.index(widest) + 1] if widest in ATEN else ATEN[:1]
    print(f"PyTorch {torch.__version__}, up to {sets[-1]} here\n", flush=True)
    print("| ATEN_CPU_CAPABILITY | ONEDNN_MAX_CPU_ISA | threads | |\n|---|---|---:|---|", flush=True)
    failures = 0
    for aten, onednn, threads in itertools.product(sets, ONEDNN, THREADS):
        failed, summary = outcome(aten, onednn, threads)
        failures += len(failed)
        print(f"| {aten} | {onednn} | {threads} | {' '.join([summary, *failed])} |", flush=True)
    return int(failures > 0)


def outcome(aten: str, onednn: str, threads: str) -> tuple[list[str], str]:
    """Which tests fail under an instruction set, and pytest's last line."""
    settings = {
        "ATEN_CPU_CAPABILITY": aten,
        "ONEDNN_MAX_CPU_ISA": onednn,
        "OMP_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "PASSIVE",  # two workers share the cores
    }
    openvino = [] if onednn == "DEFAULT" else ["-k", "not openvino"]
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "-n", "2", *openvino, *NUMERICAL]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False)
    failed = FAILED.findall(done.stdout)
    summary = (done.stdout.strip().splitlines() or ["pytest did not run"])[-1]
    return failed or ([f"exit status {done.returncode}"] if done.returncode else []), summary


if __name__ == "__main__":
    sys.exit(main())
