"""Run the numerical tests under every instruction set of this processor, on one thread and on two.

ATEN_CPU_CAPABILITY selects the kernels of PyTorch, ONEDNN_MAX_CPU_ISA those of oneDNN, which multiplies matrices. A
test that passes under all combinations does not depend on rounding. OpenVINO reads the second variable too and returns
no samples if it is limited to SSE41 on a newer processor, so its tests run only without that limit. Prints a table; the
exit status is 1 if a test failed.

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
ATEN = ("default", "avx2", "avx512")  # in increasing order
ONEDNN = ("SSE41", "AVX2", "DEFAULT")
THREADS = ("1", "2")
# Tests that compare values computed by PyTorch.
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
    """Run all combinations; return the exit status."""
    widest = torch.backends.cpu.get_cpu_capability().lower()
    sets = ATEN[: ATEN.index(widest) + 1] if widest in ATEN else ATEN[:1]
    print(f"PyTorch {torch.__version__}; this processor supports up to {sets[-1]}\n", flush=True)
    print("| ATEN_CPU_CAPABILITY | ONEDNN_MAX_CPU_ISA | threads | result |\n|---|---|---:|---|", flush=True)
    failures = 0
    for aten, onednn, threads in itertools.product(sets, ONEDNN, THREADS):
        failed_tests, summary = run_tests(aten, onednn, threads)
        failures += len(failed_tests)
        print(f"| {aten} | {onednn} | {threads} | {' '.join([summary, *failed_tests])} |", flush=True)
    return int(failures > 0)


def run_tests(aten: str, onednn: str, threads: str) -> tuple[list[str], str]:
    """Run the tests under an instruction set; return the names of failed tests and the last line of pytest."""
    settings = {
        "ATEN_CPU_CAPABILITY": aten,
        "ONEDNN_MAX_CPU_ISA": onednn,
        "OMP_NUM_THREADS": threads,
        "OMP_WAIT_POLICY": "PASSIVE",  # because two workers share the cores
    }
    exclusions = [] if onednn == "DEFAULT" else ["-k", "not openvino"]
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "-n", "2", *exclusions, *NUMERICAL]
    process = subprocess.run(command, cwd=ROOT, env=os.environ | settings, capture_output=True, text=True, check=False)
    failed_tests = FAILED.findall(process.stdout)
    summary = (process.stdout.strip().splitlines() or ["pytest did not run"])[-1]
    return failed_tests or ([f"exit status {process.returncode}"] if process.returncode else []), summary


if __name__ == "__main__":
    sys.exit(main())
