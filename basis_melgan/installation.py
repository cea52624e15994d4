"""Hints on how to install optional dependencies, matching how this package was installed."""

import json
import os
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

NAME = "basis-melgan"
ROOT = Path(__file__).parents[1]  # of the repository, if this is a clone


def install_command(extra: str = "") -> str:
    """Return the command that installs this package with an extra, from the origin of this installation.

    Args:
        extra: an optional set of dependencies, such as ``train``; empty for the package alone.
    """
    try:
        origin = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:  # a clone that is run in place
        origin = json.dumps({"url": ROOT.as_uri(), "dir_info": {}}) if (ROOT / "pyproject.toml").is_file() else None
    return f"pip install {requirement(extra, origin)}"


def requirement(extra: str, origin: str | None) -> str:
    """Return the requirement to give to pip, quoted for a shell.

    Args:
        extra: as in `install_command`.
        origin: the origin that pip recorded (`direct_url.json`, PEP 610); None for a package index.
    """
    suffix = f"[{extra}]" if extra else ""
    record = json.loads(origin) if origin else {}
    url = urlsplit(record.get("url", ""))
    path = url2pathname(url.path)
    if url.scheme == "file" and not Path(path).exists():  # such as a clone that was deleted since
        record = {}
    if "dir_info" in record and url.scheme == "file":
        option = "-e " if record["dir_info"].get("editable") else ""
        return option + _quote(f"{path}{suffix}")
    if "vcs_info" in record:
        revision = record["vcs_info"].get("requested_revision")
        revision_suffix = f"@{revision}" if revision else ""
        return _quote(f"{NAME}{suffix} @ {record['vcs_info']['vcs']}+{record['url']}{revision_suffix}")
    if record:
        return _quote(f"{NAME}{suffix} @ {record['url']}")
    return _quote(f"{NAME}{suffix}")


def _quote(word: str) -> str:
    """Put a word in double quotes, which every shell has; use shlex if it holds characters they do not protect."""
    return shlex.quote(word) if set(word) & set('"$`\\!') and os.name == "posix" else f'"{word}"'
