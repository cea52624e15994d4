"""The run folder: checkpoints restore state bit for bit, survive interruptions, refuse other settings and inputs."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning_fabric import Fabric

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.config.schema import LOSS_WEIGHTS, Config
from basis_melgan.errors import OutputError, TrainingError
from basis_melgan.training.run import Run, flatten

SECTIONS = ("frames", "seed", "mixture", "separator", "separator_training", "vocoder_training")


@pytest.fixture(scope="module")
def fabric() -> Fabric:
    return Fabric(accelerator="cpu", devices=1)


@pytest.fixture
def run(tmp_path: Path, config: Config) -> Run:
    run = Run(tmp_path / "run", config, SECTIONS, "a" * 64)
    run.prepare(force=False, model_paths=())
    return run


def trained_state(fabric: Fabric, seed: int = 0, width: int = 4) -> dict[str, Any]:
    """A model and an optimizer after a few steps, as a task's state."""
    torch.manual_seed(seed)
    model = torch.nn.Linear(width, 3)
    model, optimizer = fabric.setup(model, torch.optim.RAdam(model.parameters(), lr=0.1))
    for _ in range(seed + 3):
        optimizer.zero_grad()
        fabric.backward(model(torch.randn(5, width)).square().mean())
        optimizer.step()
    return {"model": model, "optimizer": optimizer}


def tensors(state: dict[str, Any]) -> list[torch.Tensor]:
    momenta = [value for entry in state["optimizer"].state_dict()["state"].values() for value in entry.values()]
    return [*state["model"].state_dict().values(), *momenta]


def equal(state: dict[str, Any], other_state: dict[str, Any]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(tensors(state), tensors(other_state), strict=True))


def test_resume_restores_the_state_bit_for_bit(run: Run, fabric: Fabric) -> None:
    state, loaded_state = trained_state(fabric, 0), trained_state(fabric, 1)
    assert not equal(state, loaded_state)
    run.save(fabric, state, 7)
    assert run.resume(fabric, loaded_state) == 7
    assert equal(state, loaded_state)
    assert sorted(path.name for path in run.folder.iterdir()) == ["checkpoint.ckpt"]


def test_model_file_without_a_checkpoint_is_not_overwritten(run: Run, fabric: Fabric) -> None:
    model = run.folder / "vocoder.safetensors"
    model.write_bytes(b"hours of training")
    with pytest.raises(
        OutputError, match=r"vocoder\.safetensors: would be overwritten, since there is no checkpoint\.ckpt"
    ):
        run.prepare(force=False, model_paths=(model,))
    assert model.read_bytes() == b"hours of training"
    run.save(fabric, trained_state(fabric), 7)
    run.prepare(force=False, model_paths=(model,))
    assert model.exists()
    run.prepare(force=True, model_paths=(model,))
    assert not model.exists()


def test_file_as_run_folder_is_refused(tmp_path: Path, config: Config) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(OutputError, match=r"run: cannot be created .*; use another run folder"):
        Run(tmp_path / "run", config, SECTIONS, "a" * 64).prepare(force=False, model_paths=())


def test_training_without_a_checkpoint_starts_at_step_zero(run: Run, fabric: Fabric) -> None:
    state, untouched = trained_state(fabric), trained_state(fabric)
    assert run.resume(fabric, state) == 0
    assert equal(state, untouched)


def test_checkpoint_records_its_origin(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained_state(fabric), 7)
    identity = torch.load(run.checkpoint, weights_only=True)["identity"]
    assert identity["torch"] == torch.__version__
    assert identity["data"] == "a" * 64
    assert '"atoms": 32' in identity["config"]


def test_failed_save_keeps_the_previous_checkpoint(run: Run, fabric: Fabric) -> None:
    state = trained_state(fabric)
    run.save(fabric, state, 7)
    before = run.checkpoint.read_bytes()
    with pytest.raises(Exception, match="pickle"):
        run.save(fabric, {**trained_state(fabric, 1), "unwritable": lambda: None}, 8)
    assert run.checkpoint.read_bytes() == before
    loaded_state = trained_state(fabric, 2)
    assert run.resume(fabric, loaded_state) == 7
    assert equal(state, loaded_state)


def test_unwritable_checkpoint_is_an_error_and_leaves_no_temporary_file(run: Run, fabric: Fabric) -> None:
    run.checkpoint.mkdir()
    with pytest.raises(OutputError, match=r"checkpoint\.ckpt: cannot be written \(.+\); "):
        run.save(fabric, trained_state(fabric), 7)
    assert [path.name for path in run.folder.iterdir()] == ["checkpoint.ckpt"]


def test_temporary_file_of_a_killed_save_is_replaced(run: Run, fabric: Fabric) -> None:
    state = trained_state(fabric)
    run.save(fabric, state, 7)
    temporary = run.folder / ".checkpoint.ckpt.part"
    temporary.write_bytes(run.checkpoint.read_bytes()[:100])
    assert run.resume(fabric, trained_state(fabric, 1)) == 7
    run.save(fabric, state, 8)
    assert run.resume(fabric, trained_state(fabric, 1)) == 8
    assert not temporary.exists()


@pytest.mark.parametrize("damage", ["truncated", "overwritten", "empty", "foreign", "zeroed"])
def test_damaged_checkpoint_is_refused_and_kept(run: Run, fabric: Fabric, damage: str) -> None:
    run.save(fabric, trained_state(fabric), 7)
    content = run.checkpoint.read_bytes()
    if damage == "foreign":
        torch.save({"epoch": 3}, run.checkpoint)
    else:
        middle = len(content) // 2
        damaged = {
            "truncated": content[:middle],
            "overwritten": b"not a checkpoint at all",
            "empty": b"",
            "zeroed": bytes(64) + content[64:],
        }
        run.checkpoint.write_bytes(damaged[damage])
    before = run.checkpoint.read_bytes()
    with pytest.raises(TrainingError, match=r"checkpoint\.ckpt: cannot be resumed \(.+\); start over with --force"):
        run.resume(fabric, trained_state(fabric))
    assert run.checkpoint.read_bytes() == before


def with_settings(config: Config, section: str, **values: Any) -> Config:
    return replace(config, **{section: replace(getattr(config, section), **values)})


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("separator", "hidden", 25),
        ("separator_training", "batch_size", 4),
        ("mixture", "snr", (0.0, 1.0)),
        ("vocoder_training", "loss_weights", {**LOSS_WEIGHTS, "weights/l1": 2.0}),
    ],
)
def test_changed_setting_is_named(run: Run, fabric: Fabric, section: str, key: str, value: Any) -> None:
    run.save(fabric, trained_state(fabric), 7)
    changed_run = replace(run, config=with_settings(run.config, section, **{key: value}))
    state, untouched = trained_state(fabric, 1), trained_state(fabric, 1)
    with pytest.raises(TrainingError, match=rf"{section}\.{key}\S* was .*, now .*; use the same setting, another run"):
        changed_run.resume(fabric, state)
    assert equal(state, untouched)


def test_changed_setting_is_named_even_if_weights_have_another_shape(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained_state(fabric, width=4), 7)
    changed_run = replace(run, config=with_settings(run.config, "separator", channels=17))
    with pytest.raises(TrainingError, match=r"separator\.channels was 16, now 17"):
        changed_run.resume(fabric, trained_state(fabric, width=5))
    changed_run = replace(run, config=replace(run.config, seed=2))
    with pytest.raises(TrainingError, match=r"seed was 1, now 2"):
        changed_run.resume(fabric, trained_state(fabric))
    changed_run = replace(run, config=replace(run.config, frames=FrameGeometry(hop=120)))
    with pytest.raises(TrainingError, match=r"frames\.hop was 240, now 120"):
        changed_run.resume(fabric, trained_state(fabric))


def test_changeable_settings_do_not_prevent_resuming(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained_state(fabric), 7)
    config = with_settings(run.config, "separator_training", steps=99, decay_steps=5, validate_every=1)
    config = with_settings(config, "trainer", workers=1, precision="bf16")
    assert replace(run, config=config).resume(fabric, trained_state(fabric)) == 7


def test_setting_missing_in_the_checkpoint_has_its_default(run: Run, fabric: Fabric) -> None:
    run.save(fabric, {"weights": torch.ones(3)}, 7)
    checkpoint = torch.load(run.checkpoint, weights_only=True)
    old_config = json.loads(checkpoint["identity"]["config"])
    del old_config["generator"]["kind"]
    identity = checkpoint["identity"] | {"config": json.dumps(old_config)}
    torch.save(checkpoint | {"identity": identity}, run.checkpoint)
    assert run.resume(fabric, {"weights": torch.zeros(3)}) == 7


def test_checkpoint_of_other_clips_is_refused(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained_state(fabric), 7)
    with pytest.raises(TrainingError, match=r"another data \(hash a{12}, now b{12}\); use the same data"):
        replace(run, data_hash="b" * 64).resume(fabric, trained_state(fabric))


def test_checkpoint_of_another_separator_is_refused(run: Run, fabric: Fabric) -> None:
    run = replace(run, source_hashes={"separator": "c" * 64, "init_from": ""})
    run.save(fabric, trained_state(fabric), 7)
    assert run.resume(fabric, trained_state(fabric)) == 7
    with pytest.raises(TrainingError, match=r"another separator \(hash c{12}, now d{12}\); use the same separator"):
        replace(run, source_hashes={"separator": "d" * 64, "init_from": ""}).resume(fabric, trained_state(fabric))
    with pytest.raises(TrainingError, match=r"another init_from \(hash none, now e{12}\); use the same init_from"):
        replace(run, source_hashes={"separator": "c" * 64, "init_from": "e" * 64}).resume(fabric, trained_state(fabric))


def test_input_missing_in_the_checkpoint_is_accepted(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained_state(fabric), 7)
    assert replace(run, source_hashes={"init_from": "e" * 64}).resume(fabric, trained_state(fabric)) == 7


def test_settings_of_other_stages_may_change(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained_state(fabric), 7)
    config = with_settings(run.config, "generator", stacks=2)
    assert replace(run, config=config).resume(fabric, trained_state(fabric)) == 7


def test_force_deletes_an_earlier_training_and_nothing_else(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained_state(fabric), 7)
    (run.folder / "log").mkdir()
    (run.folder / "log" / "events").write_text("old")
    (run.folder / "notes.txt").write_text("mine")
    vocoder = run.folder / "vocoder.safetensors"
    vocoder.write_text("old")
    run.prepare(force=False, model_paths=(vocoder,))
    assert run.checkpoint.is_file()
    assert vocoder.is_file()
    run.prepare(force=True, model_paths=(vocoder,))
    assert [path.name for path in run.folder.iterdir()] == ["notes.txt"]
    assert run.resume(fabric, trained_state(fabric)) == 0
    shutil.rmtree(run.folder)
    run.prepare(force=True, model_paths=(vocoder,))
    assert run.folder.is_dir()


def test_flatten_gives_dotted_keys() -> None:
    assert flatten({"a": 1, "b": {"c": [2], "d": {"e/f": None}}}) == {"a": 1, "b.c": [2], "b.d.e/f": None}
