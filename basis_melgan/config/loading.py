"""Reading of configurations: presets, YAML files and mappings, every key and type checked."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Literal, cast, get_args, get_origin, get_type_hints

from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError

PRESETS = Path(__file__).parent / "presets"


def presets() -> dict[str, Path]:
    """Files of the presets by name."""
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
    """Read a configuration from nested mappings; lists become tuples, and a key left out keeps its default.

    Raises:
        ConfigurationError: an unknown key, a value of the wrong type, or settings that contradict one another.
    """
    return cast(Config, _parse(Config, settings, ""))


def keys() -> list[str]:
    """Every section of a configuration and every dotted key, such as `separator.blocks`."""
    return list(dict.fromkeys(_keys(Config, "")))


def section_types(section: str) -> tuple[Any, ...]:
    """Dataclasses of a section of `Config`, the default first: one, or one per kind where it has kinds."""
    hint = get_type_hints(Config)[section]
    return get_args(hint) if get_origin(hint) is UnionType else (hint,)


def nearest(word: str, candidates: Iterable[str]) -> str:
    """End of a message on an unknown word: `; did you mean …?`, or nothing where no candidate is similar.

    A word without a dot may match the last part of up to three dotted ones.
    """
    from difflib import get_close_matches  # here, since every command imports this module and few make a mistake

    spelling, candidates = word.replace("-", "_"), list(candidates)
    last_parts = [key.rpartition(".")[2] for key in candidates]
    matches = [key for key, part in zip(candidates, last_parts, strict=True) if part == spelling][:3]
    if "." in word or not matches:
        matches = get_close_matches(word, candidates, n=1) or matches
    if not matches and (close := get_close_matches(spelling, last_parts, n=1)):
        matches = [key for key, part in zip(candidates, last_parts, strict=True) if part == close[0]][:3]
    return f"; did you mean {' or '.join(matches)}?" if matches else ""


def _keys(hint: Any, prefix: str) -> Iterator[str]:
    for member in get_args(hint) if get_origin(hint) is UnionType else (hint,):
        for name, inner in get_type_hints(member).items() if dataclasses.is_dataclass(member) else ():
            yield prefix + name
            yield from _keys(inner, f"{prefix}{name}.")


def _parse(hint: Any, value: Any, key: str) -> Any:
    """Value of the type `hint`; JSON's and YAML's lists become tuples, and integers floats where floats belong."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return _parse_section(hint, value, key)
    if origin is UnionType:
        return _parse_union(arguments, value, key)
    if origin is tuple and isinstance(value, list | tuple):
        hints = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(hints) == len(value):
            return tuple(_parse(inner, item, key) for inner, item in zip(hints, value, strict=True))
    if origin is dict and isinstance(value, Mapping):
        return {name: _parse(arguments[1], item, f"{key}.{name}") for name, item in value.items()}
    if type(value) is hint or (origin is Literal and value in arguments):
        return value
    if hint is float and type(value) is int:
        return float(value)
    expected = hint.__name__ if isinstance(hint, type) else str(hint).replace("typing.", "")
    if origin is Literal:
        expected = f"one of {', '.join(arguments)}"
    raise ConfigurationError(f"{key or 'configuration'}: {value!r} is not {expected}")


def _parse_section(section: Any, values: Mapping[str, Any], key: str) -> Any:
    hints = get_type_hints(section)
    for name in values:
        path = f"{key}.{name}".lstrip(".")
        if name not in hints and path in keys():
            raise ConfigurationError(f"{path}: not a setting of {key}.kind {section.kind}; it has {', '.join(hints)}")
        if name not in hints:
            raise ConfigurationError(f"unknown key {path}{nearest(path, keys())}")
    return section(**{name: _parse(hints[name], value, f"{key}.{name}".lstrip(".")) for name, value in values.items()})


def _parse_union(members: tuple[Any, ...], value: Any, key: str) -> Any:
    """Value of a union: of a type or None, or of dataclasses that `kind` tells apart, the default first."""
    default = members[0]
    if not dataclasses.is_dataclass(default):
        return None if value is None else _parse(default, value, key)
    kinds = {get_args(get_type_hints(member)["kind"])[0]: member for member in members}
    kind = value.get("kind", next(iter(kinds))) if isinstance(value, Mapping) else next(iter(kinds))
    if kind not in kinds:
        raise ConfigurationError(f"{key}.kind: {kind!r} is not one of {', '.join(kinds)}")
    return _parse(kinds[kind], value, key)
