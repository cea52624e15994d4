"""Clip ids: safe, unique file names derived from the names of recordings."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from basis_melgan.corpus.listing import Entry

MAX_ID_BYTES = 150  # file systems allow 255; suffixes and temporary names need some


def assign_ids(entries: Iterable[Entry]) -> list[Entry]:
    """Give every entry an id that is a safe and unique file name, and sort by the file names of the clips.

    Sub-folders are joined with `__`; characters other than letters, digits, `.`, `-` and `_` become `_`. A name that
    was changed in length, or collides with an earlier one on a case-insensitive file system, gets a hash suffix.
    """
    used_names: set[str] = set()
    renamed = []
    for entry in sorted(entries, key=lambda entry: (entry.id, entry.path.as_posix())):
        flat = re.sub(r"[^\w.-]", "_", unicodedata.normalize("NFC", entry.id).replace("/", "__")).lstrip(".") or "_"
        name = flat.encode()[:MAX_ID_BYTES].decode(errors="ignore")
        if name.casefold() in used_names or name != flat:
            digest = hashlib.sha256(f"{entry.id}\n{entry.path.suffix}".encode("utf-8", "backslashreplace"))
            name = f"{name}-{digest.hexdigest()[:8]}"
        used_names.add(name.casefold())
        renamed.append(replace(entry, id=name))
    return sorted(renamed, key=lambda entry: f"{entry.id}.flac")
