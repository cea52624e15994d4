"""Processes that share work: none outlives the one that started them."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys, time
from basis_melgan.storage.parallel import map_unordered

def work(name):
    print(name, flush=True)
    time.sleep(600)

if __name__ == "__main__":
    list(map_unordered(work, ["a", "b"], 2))
"""


def test_workers_end_with_the_process_that_started_them_even_where_it_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    run = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    assert {run.stdout.readline(), run.stdout.readline()} == {"a\n", "b\n"}
    run.kill()
    run.communicate(timeout=60)  # ends when all who could write there, the workers too, are gone
