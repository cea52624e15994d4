"""Reading of configurations: presets, YAML files, mappings and command-line text, every key and type checked."""

import dataclasses
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, cast, get_args, get_origin, get_type_hints

from basis_melgan.config.schema import Config
from basis_melgan.errors import ConfigurationError

PRESETS = Path(__file__).parent / "presets"
UNIONS = (UnionType, Union)  # origins of `int | None` and of `Literal["a"] | None`
TYPE_NAMES = {int: "integer", float: "number", bool: "true or false", str: "text", Path: "path"}


class Setting(NamedTuple):
    """Type and help of a setting."""

    hint: Any
    help: str


def presets() -> dict[str, Path]:
    """Files of the presets by name."""
    return {path.stem: path for path in sorted(PRESETS.glob("*.yaml"), key=lambda path: path.stem)}


def load(name: str) -> Config:
    """Read a preset or a YAML file; settings that it leaves out have the defaults of `Config`.

    A file may begin with `extends: NAME`: then it contains what differs from that preset or file, which is looked up
    beside it.

    Raises:
        ConfigurationError: no such preset or file, a file that extends itself, no YAML, or no configuration.
    """
    return from_dict(_load_settings(preset_path(name), ()))


def preset_path(name: str, folder: Path = Path()) -> Path:
    """Path of a preset by its name, or of the user's own YAML file in a folder.

    Raises:
        ConfigurationError: `name` is neither.
    """
    path = presets().get(name, folder / name)
    if not path.is_file():
        raise ConfigurationError(f"{name}: neither a configuration file nor one of the presets {', '.join(presets())}")
    return path


def from_dict(settings: Mapping[str, Any]) -> Config:
    """Read a configuration from nested mappings; lists become tuples, and a key left out keeps its default.

    Raises:
        ConfigurationError: an unknown key, a value of the wrong type, or settings that contradict one another.
    """
    return cast(Config, _parse(Config, settings, ""))


def with_changes(config: Config, changes: Mapping[str, Any]) -> Config:
    """Change settings of a configuration, given as nested mappings; a generator of another kind starts from defaults.

    Raises:
        ConfigurationError: as `from_dict`.
    """
    return from_dict(merge(config.to_dict(), changes))


def merge(settings: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Nested mappings with the values of others put over theirs.

    A section that has kinds is replaced as a whole if the changes select another kind.
    """
    return {**settings, **{name: _merge_section(name, settings.get(name), value) for name, value in changes.items()}}


def parse_text(hint: Any, text: str, key: str) -> Any:
    """Parse text of the command line as a value of a type: as YAML, but text and paths as they are.

    Raises:
        ConfigurationError: the text is no such value; the message begins with `key`.
    """
    members = get_args(hint) if get_origin(hint) in UNIONS else (hint,)
    if text == "null" and type(None) in members:
        return None
    if Path in members:
        return Path(text)
    literal = any(member is str or get_origin(member) is Literal for member in members)
    try:
        value = text if literal else parse_yaml(text)
    except ValueError:
        value = text  # not YAML either, so of no type but text
    return _parse(hint, value, key)


def parse_yaml(text: str) -> Any:
    """Values of a YAML document, with 1e-3 as a number, which YAML 1.1 takes for text.

    Raises:
        ValueError: the text is not YAML.
    """
    import yaml  # here, since every command imports this module and few read YAML

    try:
        return yaml.load(text, _yaml_loader())  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())) from error


def describe_type(hint: Any) -> str:
    """Name a type as a user would: `integer`, `one of a, b`, `[number, number]`, `path or null`."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in UNIONS:
        return " or ".join("null" if member is type(None) else describe_type(member) for member in arguments)
    if origin is Literal:
        return f"one of {', '.join(arguments)}"
    if origin is tuple:
        variable = arguments[-1] is Ellipsis
        members = [describe_type(member) for member in (arguments[:1] if variable else arguments)]
        return f"[{', '.join([*members, '…'] if variable else members)}]"
    return TYPE_NAMES.get(hint, "mapping")


def keys() -> list[str]:
    """Every section of a configuration and every dotted key, such as `separator.blocks`."""
    sections = get_type_hints(Config)
    return list(dict.fromkeys(key for section in sections for key in (section, *section_settings(section))))


def section_settings(section: str, *types: Any) -> dict[str, Setting]:
    """Settings of a section by their dotted keys.

    Args:
        section: name of a field of `Config`.
        types: the section's dataclass, or all that it may have unless given.
    """
    hint = get_type_hints(Config, include_extras=True)[section]
    types = types or section_types(section)
    if not dataclasses.is_dataclass(types[0]):
        return {section: Setting(*get_args(hint))}
    hints = {name: hint for member in types for name, hint in get_type_hints(member, include_extras=True).items()}
    settings = {f"{section}.{name}": Setting(*get_args(hint)) for name, hint in hints.items()}
    kinds = tuple(member.kind for member in section_types(section) if len(section_types(section)) > 1)
    return settings | ({f"{section}.kind": Setting(Literal[kinds], settings[f"{section}.kind"].help)} if kinds else {})


def section_types(section: str) -> tuple[Any, ...]:
    """Dataclasses of a section of `Config`, the default first: one, or one per kind where it has kinds."""
    hint = get_type_hints(Config)[section]
    return get_args(hint) if get_origin(hint) in UNIONS else (hint,)


def nearest(word: str, candidates: Iterable[str], prefix: str = "") -> str:
    """End of a message on an unknown word: `; did you mean …?`, or nothing where no candidate is similar.

    A word without a dot may match the last part of up to three dotted ones. `prefix` goes before every candidate.
    """
    from difflib import get_close_matches  # here, since every command imports this module and few make a mistake

    spelling, candidates = word.replace("-", "_"), list(candidates)
    last_parts = [key.rpartition(".")[2].replace("-", "_") for key in candidates]
    matches = [key for key, part in zip(candidates, last_parts, strict=True) if part == spelling][:3]
    if "." in word or not matches:
        matches = get_close_matches(word, candidates, n=1) or matches
    if not matches and (close := get_close_matches(spelling, last_parts, n=1, cutoff=0.75)):
        matches = [key for key, part in zip(candidates, last_parts, strict=True) if part == close[0]][:3]
    return f"; did you mean {' or '.join(prefix + match for match in matches)}?" if matches else ""


@cache
def _yaml_loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        """PyYAML's loader of plain values, which also reads floats of YAML 1.2."""

    Loader.add_implicit_resolver("tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"), None)
    return Loader


def _load_settings(path: Path, children: tuple[Path, ...]) -> Mapping[str, Any]:
    """Settings of a file over those of the file that it extends; `children` are the files that extend this one."""
    if path.resolve() in children:
        raise ConfigurationError(f"{path}: extends itself; remove one `extends`")
    try:
        settings = parse_yaml(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(f"{path}: not YAML ({error}); correct the file") from error
    if not isinstance(settings, dict) or "extends" not in settings:
        return {} if settings is None else cast(Mapping[str, Any], settings)
    parent = _parse(str, settings.pop("extends"), "extends")
    return merge(_load_settings(preset_path(parent, path.parent), (*children, path.resolve())), settings)


def _merge_section(name: str, settings: Any, changes: Any) -> Any:
    """Settings of a section, or of a mapping in one, with changes."""
    if not isinstance(settings, Mapping) or not isinstance(changes, Mapping):
        return changes
    types = section_types(name) if name in get_type_hints(Config) else ()
    if len(types) > 1 and "kind" in changes and changes["kind"] != settings.get("kind", types[0].kind):
        return changes
    return merge(settings, changes)


def _parse(hint: Any, value: Any, key: str) -> Any:
    """Value of the type `hint`; JSON's and YAML's lists become tuples, and integers floats where floats belong."""
    origin, arguments = get_origin(hint), get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return _parse_section(hint, value, key)
    if origin in UNIONS:
        return _parse_union(hint, value, key)
    if origin is tuple and isinstance(value, list | tuple):
        hints = arguments[:1] * len(value) if arguments[-1] is Ellipsis else arguments
        if len(hints) == len(value):
            return tuple(_parse(inner, item, key) for inner, item in zip(hints, value, strict=True))
    if origin is dict and isinstance(value, Mapping):
        return {str(name): _parse(arguments[1], item, f"{key}.{name}") for name, item in value.items()}
    if type(value) is hint or (origin is Literal and value in arguments):
        return value
    if hint is float and type(value) is int and abs(value) <= sys.float_info.max:
        return float(value)
    raise ConfigurationError(f"{key or 'configuration'}: {value!r}; expected {describe_type(hint)}")


def _parse_section(section: Any, values: Mapping[str, Any], key: str) -> Any:
    hints = get_type_hints(section)
    for name in values:
        path = f"{key}.{name}".lstrip(".")
        if name not in hints and path in keys():
            raise ConfigurationError(f"{path}: not a setting of {key}.kind {section.kind}; it has {', '.join(hints)}")
        if name not in hints:
            raise ConfigurationError(f"unknown key {path}{nearest(path, keys())}")
    return section(**{name: _parse(hints[name], value, f"{key}.{name}".lstrip(".")) for name, value in values.items()})


def _parse_union(hint: Any, value: Any, key: str) -> Any:
    """Value of a union: of a type or None, or of dataclasses that `kind` tells apart, the default first."""
    members = get_args(hint)
    if not dataclasses.is_dataclass(members[0]):
        if value is None:
            return None
        try:
            return _parse(members[0], value, key)
        except ConfigurationError as error:
            raise ConfigurationError(f"{key}: {value!r}; expected {describe_type(hint)}") from error
    kinds = {get_args(get_type_hints(member)["kind"])[0]: member for member in members}
    kind = value.get("kind", next(iter(kinds))) if isinstance(value, Mapping) else next(iter(kinds))
    if kind not in list(kinds):
        raise ConfigurationError(f"{key}.kind: {kind!r}; expected one of {', '.join(kinds)}")
    return _parse(kinds[kind], value, key)
