"""How this package was installed, and so how its optional parts are."""

import json
import os
import shlex
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

NAME = "basis-melgan"
ROOT = Path(__file__).parents[1]  # of the repository, where this is a clone of it


def install_command(extra: str = "") -> str:
    """The command that installs this package with an extra, from where this installation came.

    Args:
        extra: an optional part, such as ``train``; nothing for the package alone.
    """
    try:
        origin = distribution(NAME).read_text("direct_url.json")
    except PackageNotFoundError:  # a clone that is run in place
        origin = json.dumps({"url": ROOT.as_uri(), "dir_info": {}}) if (ROOT / "pyproject.toml").is_file() else None
    return f"pip install {requirement(extra, origin)}"


def requirement(extra: str, origin: str | None) -> str:
    """What pip is asked for, quoted for a shell.

    Args:
        extra: as `install_command` takes it.
        origin: what pip noted of the origin (`direct_url.json`, PEP 610); None for an index.
    """
    part = f"[{extra}]" if extra else ""
    record = json.loads(origin) if origin else {}
    url = urlsplit(record.get("url", ""))
    path = url2pathname(url.path)
    if url.scheme == "file" and not Path(path).exists():  # such as a clone that was deleted since
        record = {}
    if "dir_info" in record and url.scheme == "file":
        editable = "-e " if record["dir_info"].get("editable") else ""
        return editable + _quoted(f"{path}{part}")
    if "vcs_info" in record:
        revision = record["vcs_info"].get("requested_revision")
        at = f"@{revision}" if revision else ""
        return _quoted(f"{NAME}{part} @ {record['vcs_info']['vcs']}+{record['url']}{at}")
    if record:
        return _quoted(f"{NAME}{part} @ {record['url']}")
    return _quoted(f"{NAME}{part}")


def _quoted(word: str) -> str:
    """A word in the double quotes that every shell knows, unless it holds what they do not protect."""
    return shlex.quote(word) if set(word) & set('"$`\\!') and os.name == "posix" else f'"{word}"'
