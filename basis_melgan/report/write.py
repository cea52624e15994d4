"""Write the report: gather what there is to show, and put it into the page with its style and its scripts."""

import json
import re
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

from basis_melgan.audio import files
from basis_melgan.report import bases, clips, curves, pictures
from basis_melgan.report.comparison import Comparison, failures, load
from basis_melgan.report.published import PEERS
from basis_melgan.storage.atomic import write_text
from basis_melgan.storage.paths import require_file

PAGE = Path(__file__).parent / "page"
SCRIPTS = ("base.js", "charts.js", "heatmap.js", "tables.js", "listen.js", "blind.js", "page.js")
PASSED = ("basis_melgan", "split", "data", "baseline", "columns", "systems", "summary", "differences", "timing")


def report(
    folder: Path, out: Path, runs: str | None = None, separator: Path | None = None, count: int = 8, force: bool = False
) -> None:
    """Write one HTML file that shows a comparison, plays its clips, and needs nothing beside it.

    Args:
        folder: what `compare` wrote.
        out: the HTML file to write.
        runs: trainings whose curves to draw, as `NAME=FOLDER,NAME=FOLDER`.
        separator: separator whose basis to draw.
        count: how many clips to listen to.
        force: replace `out` if it exists.

    Raises:
        ConfigurationError: the comparison, the runs or the count cannot be used.
        AudioError: a wave is missing or damaged.
        ModelFileError: the separator or a vocoder cannot be read.
        OutputError: `out` exists already, or cannot be written.
    """
    files.require_new_file(out, force)
    require_file(out)
    comparison = load(folder)
    content = {
        **{name: comparison.content[name] for name in PASSED},
        "clips_measured": len(comparison.clips),
        "seconds_measured": sum(clip.seconds for clip in comparison.clips),
        "corpora": sorted({clip.corpus for clip in comparison.clips}),
        "failures": failures(comparison.clips),
        "curves": curves.gather(curves.named_folders(runs)) if runs is not None else [],
        "bases": bases.gather(comparison, separator),
        "clips": _clips(comparison, count),
        "peers": [peer._asdict() for peer in PEERS],
        "colors": pictures.colors(),
        "range": pictures.RANGE,
    }
    text = page(content)
    write_text(out, text)
    size = len(text.encode()) / 1e6
    print(f"{out}: {len(comparison.systems)} systems, {len(content['clips'])} clips to listen to, {size:.1f} MB")


def page(content: dict[str, Any]) -> str:
    """The page of a report as HTML text, with everything it loads inside it."""
    # In a script element, only < could end the data early.
    data = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "style": (PAGE / "page.css").read_text(encoding="utf-8"),
        "script": "\n".join((PAGE / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "data": data,
    }
    template = (PAGE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _clips(comparison: Comparison, count: int) -> list[dict[str, Any]]:
    chosen = comparison.choose(count)
    return [clips.gather(comparison, clip) for clip in track(chosen, "report", console=Console(stderr=True))]
