"""Labels of systems: short and unique."""

import pytest

from basis_melgan.errors import ConfigurationError
from basis_melgan.evaluation.labels import system_labels


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (
            "a/b/paper-24k.safetensors waves/hifigan griffin-lim:4 recording",
            "paper-24k hifigan griffin-lim:4 recording",
        ),
        ("a/vocoder.safetensors b/vocoder.safetensors", "a b"),
        ("a/vocoder.onnx b/vocoder.onnx a/vocoder.safetensors", "a b vocoder"),
        ("x/a/vocoder.safetensors y/a/vocoder.safetensors y/b/vocoder.safetensors", "x-a y-a b"),
        ("x/v.onnx y/v.onnx x/v.safetensors y/v.safetensors", "x-v.onnx y-v.onnx x-v y-v"),
        ("x/a/v.safetensors y/b/v.safetensors waves/a", "x-a b a"),
        ("speech-24k mine/speech-24k.safetensors", "speech-24k mine"),
        ("mine/world.safetensors world", "mine world"),
        ("A/v.onnx b/V.onnx", "A b"),
        ("first/waves second/waves", "first second"),
    ],
)
def test_labels_are_short_and_unique(names: str, expected: str) -> None:
    assert system_labels(names.split()) == expected.split()


def test_a_relative_path_is_labeled_by_its_folders_name(tmp_path, monkeypatch) -> None:
    (tmp_path / "hifigan" / "deep").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "hifigan")
    assert system_labels([".", "deep", "deep/../../hifigan/other"]) == ["hifigan", "deep", "other"]


@pytest.mark.parametrize("names", ["world world", "a/b.onnx a/../a/b.onnx", "a.onnx ./a.onnx c", "a/b.onnx a/B.onnx"])
def test_a_repeated_system_raises(names: str) -> None:
    with pytest.raises(ConfigurationError, match=r"systems: two have the label .*; name each system once, or"):
        system_labels(names.split())
