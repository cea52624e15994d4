"""The run folder: checkpoints come back bit for bit, survive interruptions, and refuse what they were not made for."""

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
    made = Run(tmp_path / "run", config, SECTIONS, "a" * 64)
    made.prepare(force=False, released=())
    return made


def trained(fabric: Fabric, seed: int = 0, width: int = 4) -> dict[str, Any]:
    """A model and an optimizer that have taken some steps, as a task's state."""
    torch.manual_seed(seed)
    model = torch.nn.Linear(width, 3)
    model, optimizer = fabric.setup(model, torch.optim.RAdam(model.parameters(), lr=0.1))
    for _ in range(seed + 3):
        optimizer.zero_grad()
        fabric.backward(model(torch.randn(5, width)).square().mean())
        optimizer.step()
    return {"model": model, "optimizer": optimizer}


def tensors(state: dict[str, Any]) -> list[torch.Tensor]:
    momenta = [value for held in state["optimizer"].state_dict()["state"].values() for value in held.values()]
    return [*state["model"].state_dict().values(), *momenta]


def same(one: dict[str, Any], two: dict[str, Any]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(two), strict=True))


def test_a_state_comes_back_bit_for_bit(run: Run, fabric: Fabric) -> None:
    state, other = trained(fabric, 0), trained(fabric, 1)
    assert not same(state, other)
    run.save(fabric, state, 7)
    assert run.resume(fabric, other) == 7
    assert same(state, other)
    assert sorted(path.name for path in run.folder.iterdir()) == ["checkpoint.ckpt"]


def test_a_model_without_the_checkpoint_it_came_from_is_not_replaced(run: Run, fabric: Fabric) -> None:
    model = run.folder / "vocoder.safetensors"
    model.write_bytes(b"hours of training")
    with pytest.raises(OutputError, match=r"vocoder\.safetensors: would be replaced, for no checkpoint\.ckpt lies"):
        run.prepare(force=False, released=(model,))
    assert model.read_bytes() == b"hours of training"
    run.save(fabric, trained(fabric), 7)
    run.prepare(force=False, released=(model,))
    assert model.exists()
    run.prepare(force=True, released=(model,))
    assert not model.exists()


def test_a_file_is_no_run_folder(tmp_path: Path, config: Config) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(OutputError, match=r"run: cannot be made .*; give another run folder"):
        Run(tmp_path / "run", config, SECTIONS, "a" * 64).prepare(force=False, released=())


def test_without_a_checkpoint_a_training_starts_at_step_zero(run: Run, fabric: Fabric) -> None:
    state, untouched = trained(fabric), trained(fabric)
    assert run.resume(fabric, state) == 0
    assert same(state, untouched)


def test_a_checkpoint_says_where_it_is_from(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained(fabric), 7)
    identity = torch.load(run.checkpoint, weights_only=True)["identity"]
    assert identity["torch"] == torch.__version__
    assert identity["data"] == "a" * 64
    assert '"atoms": 32' in identity["config"]


def test_a_failed_save_leaves_the_earlier_checkpoint(run: Run, fabric: Fabric) -> None:
    state = trained(fabric)
    run.save(fabric, state, 7)
    before = run.checkpoint.read_bytes()
    with pytest.raises(Exception, match="pickle"):
        run.save(fabric, {**trained(fabric, 1), "unwritable": lambda: None}, 8)
    assert run.checkpoint.read_bytes() == before
    other = trained(fabric, 2)
    assert run.resume(fabric, other) == 7
    assert same(state, other)


def test_a_checkpoint_that_cannot_be_written_is_told_and_leaves_nothing_aside(run: Run, fabric: Fabric) -> None:
    run.checkpoint.mkdir()
    with pytest.raises(OutputError, match=r"checkpoint\.ckpt: cannot be written .*; make room and go on"):
        run.save(fabric, trained(fabric), 7)
    assert [path.name for path in run.folder.iterdir()] == ["checkpoint.ckpt"]


def test_what_a_killed_save_left_aside_is_no_hindrance(run: Run, fabric: Fabric) -> None:
    state = trained(fabric)
    run.save(fabric, state, 7)
    aside = run.checkpoint.with_suffix(".part")
    aside.write_bytes(run.checkpoint.read_bytes()[:100])
    assert run.resume(fabric, trained(fabric, 1)) == 7
    run.save(fabric, state, 8)
    assert run.resume(fabric, trained(fabric, 1)) == 8
    assert not aside.exists()


@pytest.mark.parametrize("damage", ["cut", "overwritten", "empty", "foreign", "flipped"])
def test_a_damaged_checkpoint_is_refused_and_kept(run: Run, fabric: Fabric, damage: str) -> None:
    run.save(fabric, trained(fabric), 7)
    whole = run.checkpoint.read_bytes()
    if damage == "foreign":
        torch.save({"epoch": 3}, run.checkpoint)
    else:
        middle = len(whole) // 2
        broken = {
            "cut": whole[:middle],
            "overwritten": b"not a checkpoint at all",
            "empty": b"",
            "flipped": bytes(64) + whole[64:],
        }
        run.checkpoint.write_bytes(broken[damage])
    before = run.checkpoint.read_bytes()
    with pytest.raises(TrainingError, match=r"checkpoint\.ckpt: cannot be resumed \(.+\); start afresh with --force"):
        run.resume(fabric, trained(fabric))
    assert run.checkpoint.read_bytes() == before


def changed(config: Config, section: str, **values: Any) -> Config:
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
def test_another_setting_is_named(run: Run, fabric: Fabric, section: str, key: str, value: Any) -> None:
    run.save(fabric, trained(fabric), 7)
    other = replace(run, config=changed(run.config, section, **{key: value}))
    state, untouched = trained(fabric, 1), trained(fabric, 1)
    with pytest.raises(TrainingError, match=rf"{section}\.{key}\S* was .*, now .*; use the same setting, another run"):
        other.resume(fabric, state)
    assert same(state, untouched)


def test_another_setting_is_named_even_where_the_weights_have_another_shape(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained(fabric, width=4), 7)
    other = replace(run, config=changed(run.config, "separator", channels=17))
    with pytest.raises(TrainingError, match=r"separator\.channels was 16, now 17"):
        other.resume(fabric, trained(fabric, width=5))
    other = replace(run, config=replace(run.config, seed=2))
    with pytest.raises(TrainingError, match=r"seed was 1, now 2"):
        other.resume(fabric, trained(fabric))
    other = replace(run, config=replace(run.config, frames=FrameGeometry(hop=120)))
    with pytest.raises(TrainingError, match=r"frames\.hop was 240, now 120"):
        other.resume(fabric, trained(fabric))


def test_settings_that_a_training_may_change_on_the_way(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained(fabric), 7)
    config = changed(run.config, "separator_training", steps=99, decay_steps=5, validate_every=1)
    config = changed(config, "trainer", workers=1, precision="bf16")
    assert replace(run, config=config).resume(fabric, trained(fabric)) == 7


def test_a_setting_that_the_checkpoint_did_not_know_has_its_default(run: Run, fabric: Fabric) -> None:
    run.save(fabric, {"weights": torch.ones(3)}, 7)
    kept = torch.load(run.checkpoint, weights_only=True)
    older = json.loads(kept["identity"]["config"])
    del older["generator"]["kind"]
    torch.save(kept | {"identity": kept["identity"] | {"config": json.dumps(older)}}, run.checkpoint)
    assert run.resume(fabric, {"weights": torch.zeros(3)}) == 7


def test_other_clips_are_refused(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained(fabric), 7)
    with pytest.raises(TrainingError, match=r"another data \(hash a{12}, now b{12}\); give the same data"):
        replace(run, data_hash="b" * 64).resume(fabric, trained(fabric))


def test_another_separator_is_refused(run: Run, fabric: Fabric) -> None:
    run = replace(run, origins={"separator": "c" * 64, "start": ""})
    run.save(fabric, trained(fabric), 7)
    assert run.resume(fabric, trained(fabric)) == 7
    with pytest.raises(TrainingError, match=r"another separator \(hash c{12}, now d{12}\); give the same separator"):
        replace(run, origins={"separator": "d" * 64, "start": ""}).resume(fabric, trained(fabric))
    with pytest.raises(TrainingError, match=r"another start \(hash none, now e{12}\); give the same start"):
        replace(run, origins={"separator": "c" * 64, "start": "e" * 64}).resume(fabric, trained(fabric))


def test_an_origin_that_the_checkpoint_did_not_name_is_taken_on_trust(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained(fabric), 7)
    assert replace(run, origins={"start": "e" * 64}).resume(fabric, trained(fabric)) == 7


def test_settings_of_other_stages_do_not_matter(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained(fabric), 7)
    config = changed(run.config, "generator", stacks=2)
    assert replace(run, config=config).resume(fabric, trained(fabric)) == 7


def test_force_removes_an_earlier_training_and_nothing_else(run: Run, fabric: Fabric) -> None:
    run.save(fabric, trained(fabric), 7)
    (run.folder / "log").mkdir()
    (run.folder / "log" / "events").write_text("old")
    (run.folder / "notes.txt").write_text("mine")
    vocoder = run.folder / "vocoder.safetensors"
    vocoder.write_text("old")
    run.prepare(force=False, released=(vocoder,))
    assert run.checkpoint.is_file()
    assert vocoder.is_file()
    run.prepare(force=True, released=(vocoder,))
    assert [path.name for path in run.folder.iterdir()] == ["notes.txt"]
    assert run.resume(fabric, trained(fabric)) == 0
    shutil.rmtree(run.folder)
    run.prepare(force=True, released=(vocoder,))
    assert run.folder.is_dir()


def test_flatten_gives_dotted_keys() -> None:
    assert flatten({"a": 1, "b": {"c": [2], "d": {"e/f": None}}}) == {"a": 1, "b.c": [2], "b.d.e/f": None}
