"""Worker processes exit with the process that started them."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import time
from basis_melgan.storage.parallel import map_unordered

def work(name):
    print(name, flush=True)
    time.sleep(600)

if __name__ == "__main__":
    list(map_unordered(work, ["a", "b"], 2))
"""


def test_workers_exit_when_the_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert {run.stdout.readline(), run.stdout.readline()} == {"a\n", "b\n"}
    run.kill()
    run.communicate(timeout=60)  # returns when every process that could write there, workers included, is gone
