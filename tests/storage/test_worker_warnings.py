"""Warnings of worker processes appear in the parent process."""

import warnings

import pytest

from basis_melgan.errors import InputWarning
from basis_melgan.storage.parallel import map_unordered


def warn_of_clip(clip: str) -> str:
    warnings.warn(f"{clip}: too loud", InputWarning, stacklevel=1)
    return clip.upper()


@pytest.mark.parametrize("processes", [1, 2])
def test_the_parent_issues_the_warnings_of_its_workers(processes: int) -> None:
    with pytest.warns(InputWarning) as records:
        results = set(map_unordered(warn_of_clip, ["a", "b"], processes))
    assert results == {"A", "B"}
    assert {str(record.message) for record in records} == {"a: too loud", "b: too loud"}
    assert {record.filename for record in records} == {__file__}


def test_a_repeated_warning_of_the_workers_is_shown_once() -> None:
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("default")
        assert list(map_unordered(warn_of_clip, ["a", "a", "a"], 2)) == ["A"] * 3
    assert [str(record.message) for record in records] == ["a: too loud"]
