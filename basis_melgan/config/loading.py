"""A configuration read: from presets and files of settings, from mappings, with every key and type checked."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError

PRESETS = Path(__file__).parent / "presets"


def presets() -> dict[str, Path]:
    """The presets' files, by name."""
    return {path.stem: path for path in sorted(PRESETS.glob("*.yaml"))}


def preset_path(name: str) -> Path:
    """Path of a preset by its name, or of the user's own YAML file.

    Raises:
        ConfigurationError: `name` is neither.
    """
    path = presets().get(name, Path(name))
    if not path.is_file():
        raise ConfigurationError(f"{name}: neither a configuration file nor one of the presets {', '.join(presets())}")
    return path


def from_dict(settings: Mapping[str, Any]) -> Config:
    """Read a configuration from nested mappings, lists for tuples; a setting left out keeps its default.

    Raises:
        ConfigurationError: an unknown key, a value of the wrong type, or settings that cannot be.
    """
    return cast(Config, _read(Config, settings, ""))


def keys(kind: Any = Config, prefix: str = "") -> list[str]:
    """Every section of a configuration and every dotted key, such as `separator.blocks`."""
    fields = get_type_hints(kind) if dataclasses.is_dataclass(kind) else {}
    return [key for name, inner in fields.items() for key in (prefix + name, *keys(inner, f"{prefix}{name}."))]


def nearest(word: str, known: Iterable[str]) -> str:
    """How a message on an unknown word ends: `; did you mean …?`, or nothing where none is near.

    A word without a dot may be the last part of up to three dotted ones.
    """
    from difflib import get_close_matches  # here, since every command reads this module and few hold a mistake

    spelled, known = word.replace("-", "_"), list(known)
    last = [key.rpartition(".")[2] for key in known]
    matches = [key for key, part in zip(known, last, strict=True) if part == spelled][:3]
    if "." in word or not matches:
        matches = get_close_matches(word, known, n=1) or matches
    if not matches and (near := get_close_matches(spelled, last, n=1)):
        matches = [key for key, part in zip(known, last, strict=True) if part == near[0]][:3]
    return f"; did you mean {' or '.join(matches)}?" if matches else ""


def _read(kind: Any, value: Any, key: str) -> Any:
    """Check that `value` is of the type `kind`; JSON's and YAML's lists become tuples, and whole numbers floats."""
    origin, inner = get_origin(kind), get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(value, Mapping):
        kinds, named = get_type_hints(kind), {f"{key}.{name}".lstrip("."): name for name in value}
        for path, name in named.items():
            if name not in kinds:
                raise ConfigurationError(f"unknown key {path}{nearest(path, keys())}")
        return kind(**{name: _read(kinds[name], value[name], path) for path, name in named.items()})  # type: ignore[operator]
    if origin is UnionType:  # always `something | None` here
        return None if value is None else _read(inner[0], value, key)
    if origin is tuple and isinstance(value, list | tuple):
        each = inner[:1] * len(value) if inner[-1] is Ellipsis else inner
        if len(each) == len(value):
            return tuple(_read(one, item, key) for one, item in zip(each, value, strict=True))
    if origin is dict and isinstance(value, Mapping):
        return {name: _read(inner[1], item, f"{key}.{name}") for name, item in value.items()}
    if type(value) is kind or (origin is Literal and value in inner):
        return value
    if kind is float and type(value) is int:
        return float(value)
    wanted = kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
    if origin is Literal:
        wanted = f"one of {', '.join(inner)}"
    raise ConfigurationError(f"{key or 'configuration'}: {value!r} is not {wanted}")
