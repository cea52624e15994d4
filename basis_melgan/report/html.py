"""The report as one HTML file: the page's template with data, style and scripts inside."""

import json
import re
from pathlib import Path
from typing import Any

from basis_melgan.evaluation.results import Results
from basis_melgan.progress import track
from basis_melgan.report.basis_data import basis_data
from basis_melgan.report.clip_data import clip_data
from basis_melgan.report.comparison import Comparison
from basis_melgan.report.curves import learning_curves, parse_runs
from basis_melgan.report.images import DYNAMIC_RANGE, color_stops
from basis_melgan.report.published_results import PEERS
from basis_melgan.storage.atomic import write_text
from basis_melgan.storage.paths import require_new_file, require_writable_file

PAGE = Path(__file__).parent / "page"
SCRIPTS = ("base.js", "charts.js", "heatmap.js", "tables.js", "listen.js", "blind.js", "page.js")


def write_report(
    folder: Path, out: Path, runs: str | None = None, separator: Path | None = None, count: int = 8, force: bool = False
) -> str:
    """Write one self-contained HTML file that shows a comparison and plays its clips.

    Args:
        folder: what `compare` wrote.
        out: the HTML file to write.
        runs: trainings whose learning curves to draw, as `NAME=FOLDER,NAME=FOLDER`.
        separator: separator whose basis to draw.
        count: number of clips to play.
        force: replace `out` if it exists.

    Returns:
        A line that describes the file.

    Raises:
        ConfigurationError: the comparison, the runs or the count cannot be used.
        AudioError: a wave is missing or damaged.
        ModelFileError: the separator or a vocoder cannot be read.
        OutputError: `out` exists, or cannot be written.
    """
    require_new_file(out, force)
    require_writable_file(out)
    comparison = Comparison.load(folder)
    data = {
        **_results_data(comparison.results),
        "curves": learning_curves(parse_runs(runs)) if runs is not None else [],
        "bases": basis_data(comparison, separator),
        "clips": [clip_data(comparison, clip) for clip in track(comparison.select_clips(count), "report")],
        "peers": [peer._asdict() for peer in PEERS],
        "colors": color_stops(),
        "range": DYNAMIC_RANGE,
    }
    text = render_page(data)
    write_text(out, text)
    size = len(text.encode()) / 1e6
    return f"{out}: {len(comparison.results.systems)} systems, {len(data['clips'])} clips to listen to, {size:.1f} MB"


def render_page(data: dict[str, Any]) -> str:
    """The page as HTML text, with everything that it loads inside."""
    # In a script element, only < could end the data early.
    data_json = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "style": (PAGE / "page.css").read_text(encoding="utf-8"),
        "script": "\n".join((PAGE / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "data": data_json,
    }
    template = (PAGE / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda placeholder: parts[placeholder[1]], template)


def _results_data(results: Results) -> dict[str, Any]:
    """The results with counts of clips and a list of missing scores in place of the scores of every clip."""
    content = results.to_dict()
    del content["clips"]
    clips = results.by_clip()
    return content | {
        "clip_count": len(clips),
        "seconds": sum(next(iter(clip.values())).seconds for clip in clips),
        "corpora": sorted({scores.corpus for scores in results.clips}),
        "failures": [
            {"system": scores.system, "corpus": scores.corpus, "clip": scores.clip, "metric": metric, "reason": reason}
            for clip in clips
            for scores in clip.values()
            for metric, reason in scores.failures.items()
        ],
    }
