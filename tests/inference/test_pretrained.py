"""Names and paths of pretrained models."""

from pathlib import Path

import pytest

from basis_melgan.errors import ModelFileError
from basis_melgan.inference import pretrained as module
from basis_melgan.inference.pretrained import pretrained_path, resolve_model


@pytest.mark.parametrize("suffix", [".onnx", ".safetensors"])
def test_package_folder_takes_precedence_over_the_repository(suffix: str, tmp_path: Path, monkeypatch) -> None:
    package = tmp_path / "basis_melgan"
    monkeypatch.setattr(module, "PACKAGE", package)
    with pytest.raises(ModelFileError, match=r"paper-24k: neither a file nor a model .* this package \(\)$"):
        pretrained_path("paper-24k", suffix)
    for folder in (tmp_path / "pretrained", package / "pretrained"):
        folder.mkdir(parents=True)
        (folder / f"paper-24k{suffix}").touch()
        assert pretrained_path("paper-24k", suffix) == folder / f"paper-24k{suffix}"


def test_unknown_name_lists_the_pretrained_models(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    (tmp_path / "pretrained").mkdir()
    for name in ("b.safetensors", "a.safetensors", "a.discriminators.safetensors", "c.onnx"):
        (tmp_path / "pretrained" / name).touch()
    with pytest.raises(ModelFileError, match=r"speech: neither a file nor a model .* \(a, b\)"):
        pretrained_path("speech", ".safetensors")


def test_resolve_model_keeps_paths_and_resolves_names(tmp_path: Path, monkeypatch) -> None:
    assert resolve_model("speech-24k", ".safetensors") == pretrained_path("speech-24k", ".safetensors")
    # A missing file is reported when it is opened.
    assert resolve_model("absent/mine.onnx", ".safetensors") == Path("absent/mine.onnx")
    monkeypatch.chdir(tmp_path)
    Path("speech-24k").touch()
    assert resolve_model("speech-24k", ".onnx") == Path("speech-24k")
    with pytest.raises(ModelFileError, match="absent: neither a file nor a model"):
        resolve_model("absent", ".onnx")


def test_package_folder_contains_this_module() -> None:
    assert Path(module.__file__) == module.PACKAGE / "inference" / "pretrained.py"
