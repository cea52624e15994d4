"""The documentation site: it builds without warnings and loads no external resources."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    process = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return folder


def test_pages_load_no_external_resources(site: Path) -> None:
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 15
    resources = re.compile(r"<(?:script|img|link|iframe)[^>]+(?:src|href)=\"?(https?:)?//")
    assert [page.name for page in pages if resources.search(page.read_text(encoding="utf-8"))] == []


def test_reference_has_the_help_of_every_command(site: Path) -> None:
    from basis_melgan.cli.commands import COMMANDS

    page = (site / "reference" / "command-line.html").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"usage: basis-melgan {name} " not in page] == []


def test_reference_documents_the_public_interface(site: Path) -> None:
    page = (site / "reference" / "python.html").read_text(encoding="utf-8")
    for name in ("Vocoder.load", "Stream.push", "Stream.flush", "ConvNeXtGenerator.forward", "MelError"):
        assert re.search(rf'id="basis_melgan\.[\w.]*{re.escape(name)}"', page), name
