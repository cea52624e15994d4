"""Model files: round trip, metadata, and one-line errors for files that cannot be loaded."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.utils.parametrize import is_parametrized

import basis_melgan
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.networks import MelGANConfig, SeparatorConfig
from basis_melgan.config.schema import Config
from basis_melgan.errors import ModelFileError, OutputError
from basis_melgan.models import model_file
from basis_melgan.models.tasnet import Separator

CONFIG = Config(
    frames=FrameGeometry(hop=16, basis_length=8, stride=4),
    separator=SeparatorConfig(atoms=8, channels=4, hidden=6, blocks=2, repeats=1),
    generator=MelGANConfig(channels=8, upsampling=(2, 2), stacks=1),
)
ORIGIN = model_file.Origin(step=321, data_hash="c0ffee", source_hashes={"start": "cafe", "mels": ""})
KINDS: tuple[model_file.Kind, ...] = ("separator", "vocoder")
LOADERS: dict[str, Any] = {"separator": model_file.load_separator, "vocoder": model_file.load_generator}


def untrained(kind: model_file.Kind, config: Config = CONFIG) -> torch.nn.Module:
    torch.manual_seed(0)
    if kind == "separator":
        return Separator(config.separator, config.frames).eval()
    generator = model_file.new_generator(config).eval()
    for name, parameter in generator.network.named_parameters():
        if name.endswith("original0"):
            parameter.data.fill_(0.7)  # differs from the norm of the direction
    return generator


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> model_file.Kind:
    model_kind: model_file.Kind = request.param
    return model_kind


@pytest.fixture
def path(kind: model_file.Kind, tmp_path: Path) -> Path:
    path = tmp_path / f"{kind}.safetensors"
    model_file.save(path, kind, untrained(kind).state_dict(), CONFIG, ORIGIN)
    return path


def rewrite(path: Path, tensors: dict[str, Tensor] | None = None, **changes: str | None) -> Path:
    """Copy a model file with other tensors or changed metadata; None removes an entry."""
    merged: dict[str, str | None] = {**model_file.metadata(path), **changes}
    metadata = {name: text for name, text in merged.items() if text is not None}
    copy = path.with_name("rewritten.safetensors")
    save_file(tensors if tensors is not None else load_file(path), copy, metadata)
    return copy


# Round trip


def test_separator_round_trip(tmp_path: Path) -> None:
    module = untrained("separator")
    model_file.save(tmp_path / "model.safetensors", "separator", module.state_dict(), CONFIG, ORIGIN)
    loaded, config = model_file.load_separator(tmp_path / "model.safetensors")
    assert config == CONFIG
    mixture = torch.randn(2, 333)
    assert torch.equal(loaded(mixture).waves, module(mixture).waves)


def test_vocoder_round_trip_folds_weight_norm(tmp_path: Path) -> None:
    module = untrained("vocoder")
    model_file.save(tmp_path / "model.safetensors", "vocoder", module.state_dict(), CONFIG, ORIGIN)
    loaded, config = model_file.load_generator(tmp_path / "model.safetensors")
    assert config == CONFIG
    mel = torch.rand(2, 80, 23)
    expected, wave = module(mel).wave, loaded(mel).wave
    assert expected.std() > 1e-3
    torch.testing.assert_close(wave, expected, atol=1e-5 * expected.abs().max().item(), rtol=0.0)
    convolutions = [m for m in loaded.network.modules() if isinstance(m, torch.nn.Conv1d | torch.nn.ConvTranspose1d)]
    names = {name for name, _ in loaded.named_parameters()}
    assert len(names) == 2 * len(convolutions) + 1  # a weight and a bias each, and the basis
    assert not any(is_parametrized(m) for m in convolutions)
    assert list(loaded.buffers()) == []


def test_loaded_model_is_in_evaluation_mode_without_gradients(kind: model_file.Kind, path: Path) -> None:
    module, _ = LOADERS[kind](path)
    assert not any(part.training for part in module.modules())
    assert not any(parameter.requires_grad for parameter in module.parameters())


def test_half_precision_is_loaded_as_float32(kind: model_file.Kind, path: Path) -> None:
    halves = {name: tensor.half() for name, tensor in load_file(path).items()}
    module, _ = LOADERS[kind](rewrite(path, halves))
    assert {parameter.dtype for parameter in module.parameters()} == {torch.float32}
    exact, _ = LOADERS[kind](path)
    for rounded, full in zip(module.parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(rounded, full, atol=1e-3, rtol=2e-3)


def test_metadata_records_the_origin(kind: model_file.Kind, path: Path) -> None:
    metadata = model_file.metadata(path)
    assert json.loads(metadata.pop("config")) == json.loads(json.dumps(CONFIG.to_dict()))
    assert metadata == {
        "format": "2",
        "kind": kind,
        "step": "321",
        "data": "c0ffee",
        "origins": '{"start": "cafe"}',
        "basis_melgan": basis_melgan.__version__,
        "torch": torch.__version__,
    }


def test_save_replaces_an_earlier_file_and_leaves_no_other(kind: model_file.Kind, path: Path) -> None:
    model_file.save(path, kind, untrained(kind).state_dict(), CONFIG, model_file.Origin(999, "tea"))
    assert model_file.metadata(path)["step"] == "999"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_model_file_has_default_permissions(path: Path) -> None:
    reference = path.parent / "reference"
    reference.touch()
    assert path.stat().st_mode == reference.stat().st_mode


# Refusals


def test_missing_file_is_refused(kind: model_file.Kind, tmp_path: Path) -> None:
    for missing in (tmp_path / "gone.safetensors", tmp_path):
        with pytest.raises(ModelFileError, match=r"no such file; expected a model file \(\.safetensors\)"):
            LOADERS[kind](missing)


@pytest.mark.parametrize("content", [b"", b"\0" * 7, b"\xff" * 64, b"a model? no, a letter to a friend"])
def test_other_content_is_refused(kind: model_file.Kind, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "letter.safetensors"
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"letter\.safetensors: damaged or no model file"):
        LOADERS[kind](path)


def test_model_of_another_kind_is_refused(kind: model_file.Kind, path: Path) -> None:
    expected_kind = next(name for name in KINDS if name != kind)
    with pytest.raises(ModelFileError, match=f"holds a {kind}; expected a {expected_kind}"):
        LOADERS[expected_kind](path)


@pytest.mark.parametrize("number", ["3", "17", "next", "-1", ""])
def test_later_format_is_refused(kind: model_file.Kind, number: str, path: Path) -> None:
    with pytest.raises(ModelFileError, match=f"has format {number}, this version reads 2; update basis-melgan"):
        LOADERS[kind](rewrite(path, format=number))


def test_earlier_format_is_refused(kind: model_file.Kind, path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"has format 1, this version reads 2; train or download the model again"):
        LOADERS[kind](rewrite(path, format="1"))


@pytest.mark.parametrize("missing", ["kind", "format", "config"])
def test_missing_metadata_is_refused(kind: model_file.Kind, missing: str, path: Path) -> None:
    with pytest.raises(ModelFileError, match="metadata names no kind of model"):
        LOADERS[kind](rewrite(path, None, **{missing: None}))


def test_file_without_metadata_is_refused(kind: model_file.Kind, path: Path) -> None:
    save_file(load_file(path), path)
    with pytest.raises(ModelFileError, match="metadata names no kind of model"):
        LOADERS[kind](path)


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("{", "damaged"),
        ("[]", "configuration cannot be read"),
        ('{"frames": {"hop": 17}}', "frames.stride: 15 does not divide frames.hop 17"),
        ('{"loudness": 11}', "unknown key loudness"),
        ('{"separator": {"blocks": "many"}}', "separator.blocks"),
        ('{"separator": {"channels": -4}}', "separator.channels: -4; use 1 or more"),
    ],
)
def test_invalid_configuration_is_refused(kind: model_file.Kind, config: str, reason: str, path: Path) -> None:
    with pytest.raises(ModelFileError, match=reason):
        LOADERS[kind](rewrite(path, config=config))


def test_unwritable_path_is_refused_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(OutputError, match=r"model\.safetensors: cannot be written .*; choose a writable place"):
        model_file.save(tmp_path / "model.safetensors", "vocoder", {}, CONFIG, model_file.Origin(1, ""))
    assert [path.name for path in tmp_path.iterdir()] == ["model.safetensors"]


@pytest.mark.parametrize(
    "config",
    [
        replace(
            CONFIG,
            separator=replace(CONFIG.separator, atoms=9),
            generator=replace(CONFIG.generator, channels=9),
        ),
        replace(
            CONFIG,
            separator=replace(CONFIG.separator, channels=CONFIG.separator.channels + 1),
            generator=replace(CONFIG.generator, upsampling=(2, 4)),
        ),
        replace(CONFIG, frames=FrameGeometry(hop=16, basis_length=16, stride=4)),
        Config(),
    ],
)
def test_weights_of_another_configuration_are_refused(kind: model_file.Kind, config: Config, path: Path) -> None:
    with pytest.raises(ModelFileError, match="weights do not fit its configuration"):
        LOADERS[kind](rewrite(path, config=json.dumps(config.to_dict())))


def test_missing_or_additional_tensor_is_refused(kind: model_file.Kind, path: Path) -> None:
    tensors = load_file(path)
    with pytest.raises(ModelFileError, match=r"weights do not fit .*Unexpected key"):
        LOADERS[kind](rewrite(path, {**tensors, "extra": torch.zeros(3)}))
    del tensors["basis.atoms"]
    with pytest.raises(ModelFileError, match=r"weights do not fit .*Missing key"):
        LOADERS[kind](rewrite(path, tensors))


def test_damage_of_any_byte_is_loaded_or_refused_in_one_line(kind: model_file.Kind, path: Path) -> None:
    content, rng = path.read_bytes(), random.Random(1)
    header = 8 + int.from_bytes(content[:8], "little")
    configuration = range(content.index(b"config"), content.index(b"config") + 1_500)
    damaged = path.with_name("damaged.safetensors")
    refusals = []
    for case in range(40):
        damaged_content = bytearray(content)
        region = [range(8), range(8, header), configuration, range(header, len(content))][case % 4]
        damaged_content[rng.choice(region)] ^= 1 << rng.randrange(8)
        damaged.write_bytes(damaged_content)
        try:
            LOADERS[kind](damaged)
        except ModelFileError as error:
            refusals.append(str(error))
    assert len(refusals) >= 15
    assert all(text.startswith(f"{damaged}: ") and "\n" not in text for text in refusals)


def test_truncation_at_any_size_is_refused(kind: model_file.Kind, path: Path) -> None:
    content = path.read_bytes()
    for size in range(0, len(content), len(content) // 20):
        path.write_bytes(content[:size])
        with pytest.raises(ModelFileError, match="damaged or no model file"):
            LOADERS[kind](path)
