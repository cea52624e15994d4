"""A hook of MkDocs: replaces a line `::: help COMMAND` or `::: settings COMMAND` by what the command line prints."""

import contextlib
import io
import os
import re
from typing import Any

from basis_melgan.cli.main import main

WIDTH = "100"  # columns


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Insert the command line's own help into a page."""
    return re.sub(
        r"^::: (help|settings) ([\w-]+)$", lambda match: _block(match[2], match[1]), markdown, flags=re.MULTILINE
    )


def _block(command: str, kind: str) -> str:
    option = {"help": "--help", "settings": "--help-config"}[kind]
    text = _output(command, option) or _output(command, "--help")
    return f"```text\n{text.strip()}\n```"


def _output(*words: str) -> str:
    columns, output = os.environ.get("COLUMNS"), io.StringIO()
    os.environ["COLUMNS"] = WIDTH
    try:
        with (
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(io.StringIO()),
            contextlib.suppress(SystemExit),
        ):
            main(list(words))
    finally:
        os.environ.pop("COLUMNS")
        if columns is not None:
            os.environ["COLUMNS"] = columns
    return output.getvalue()
