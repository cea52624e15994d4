"""Dataclasses from JSON values, checked against their type hints."""

import math
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Record = TypeVar("Record")

NAMES: dict[Any, str] = {dict: "an object", tuple: "a list", str: "text", int: "an integer", bool: "true or false"}


def decode(kind: type[Record], value: object, place: str = "") -> Record:
    """Build a dataclass from a JSON object.

    Args:
        kind: a dataclass whose fields are dataclasses, `dict[str, …]`, tuples, texts, integers, finite numbers,
            booleans, or one of these or None.
        value: the JSON object.
        place: path of the value in its file, such as `clips[0]`; empty for the file itself.

    Raises:
        ValueError: a field is missing or of another type; the message names its place.
    """
    table = _require(dict, value, place)
    hints = get_type_hints(kind)
    arguments = {}
    for field in fields(kind):  # type: ignore[arg-type]
        field_place = f"{place}.{field.name}".lstrip(".")
        if field.name not in table:
            raise ValueError(f"{field_place} is missing")
        arguments[field.name] = _decode(hints[field.name], table[field.name], field_place)
    return kind(**arguments)


def _decode(kind: Any, value: object, place: str) -> Any:
    """A value of any of the supported kinds."""
    if is_dataclass(kind):
        return decode(kind, value, place)  # type: ignore[arg-type]
    origin, parts = get_origin(kind), get_args(kind)
    if origin is UnionType:
        (required,) = (part for part in parts if part is not NoneType)
        return None if value is None else _decode(required, value, place)
    if origin is dict:
        return {name: _decode(parts[1], item, f"{place}.{name}") for name, item in _require(dict, value, place).items()}
    if origin is tuple:
        items = _require(tuple, value, place)
        kinds = [parts[0]] * len(items) if parts[-1] is Ellipsis else parts
        if len(kinds) != len(items):
            raise ValueError(f"{place} is {items!r:.40}; expected {len(kinds)} items")
        return tuple(_decode(*item, f"{place}[{index}]") for index, item in enumerate(zip(kinds, items, strict=True)))
    if kind is float:
        if type(value) not in (int, float) or not math.isfinite(float(value)):  # type: ignore[arg-type]
            raise ValueError(f"{place} is {value!r:.40}; expected a finite number")
        return float(value)  # type: ignore[arg-type]
    return _require(kind, value, place)


def _require(kind: Any, value: object, place: str) -> Any:
    """The value if it has a JSON type; `tuple` stands for a list."""
    if type(value) is not (list if kind is tuple else kind):
        raise ValueError(f"{place or 'the file'} is {value!r:.40}; expected {NAMES[kind]}")
    return value
