"""Dataclasses from JSON values: supported types, and errors that name the place."""

import json
import re
from dataclasses import asdict, dataclass
from typing import Any

import pytest

from basis_melgan.storage.json_decoding import decode


@dataclass(frozen=True)
class Point:
    position: tuple[float, float]
    label: str | None


@dataclass(frozen=True)
class Figure:
    points: tuple[Point, ...]
    counts: dict[str, int]
    visible: bool


FIGURE = Figure((Point((1.0, 2.5), None), Point((3.0, -1.0), "b")), {"a": 1}, visible=True)


def test_decode_inverts_asdict_and_json() -> None:
    assert decode(Figure, json.loads(json.dumps(asdict(FIGURE)))) == FIGURE


def test_integers_are_accepted_as_numbers() -> None:
    position = decode(Point, {"position": [1, 2], "label": "a"}).position
    assert position == (1.0, 2.0)
    assert all(type(number) is float for number in position)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("points",), {}, "points is {}; expected a list"),
        (("points", 1), 3, "points[1] is 3; expected an object"),
        (("points", 0, "position"), [1.0], "points[0].position is [1.0]; expected 2 items"),
        (("points", 0, "position", 1), True, "points[0].position[1] is True; expected a finite number"),
        (("points", 0, "position", 1), float("nan"), "points[0].position[1] is nan; expected a finite number"),
        (("points", 1, "label"), 4, "points[1].label is 4; expected text"),
        (("counts", "a"), 1.5, "counts.a is 1.5; expected an integer"),
        (("visible",), 1, "visible is 1; expected true or false"),
    ],
)
def test_errors_name_place_value_and_expected_type(keys: tuple[Any, ...], value: object, message: str) -> None:
    content: Any = json.loads(json.dumps(asdict(FIGURE)))
    parent = content
    for key in keys[:-1]:
        parent = parent[key]
    parent[keys[-1]] = value
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        decode(Figure, content)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(ValueError, match=r"^points\[0\]\.label is missing$"):
        decode(Figure, {"points": [{"position": [0, 0]}], "counts": {}, "visible": True})
