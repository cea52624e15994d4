"""Fine-tuning: begins with a vocoder and its discriminators, and leaves a vocoder of the same kind."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from basis_melgan.audio import files
from basis_melgan.audio.mel import mel_spectrogram
from basis_melgan.config.schema import Config, FineTuningConfig
from basis_melgan.corpus import manifest
from basis_melgan.errors import ConfigurationError, CorpusError, ModelFileError, TrainingError
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.inference.vocoder import DEFAULT_VOCODER
from basis_melgan.models import model_file
from basis_melgan.training import vocoder
from basis_melgan.training.fine_tuning import fine_tune
from basis_melgan.training.validation_scores import ValidationScores
from basis_melgan.training.vocoder import Sources

FEW = FineTuningConfig(steps=3, adversarial_fraction=1.0, batch_size=2, validate_every=3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, config: Config, corpus: Path, separator: Path) -> Path:
    """A vocoder and its discriminators."""
    folder = tmp_path_factory.mktemp("trained")
    vocoder.train(corpus, folder, Sources(separator), config)
    return folder / "vocoder.safetensors"


@pytest.fixture
def tuning(config: Config) -> Config:
    return replace(config, fine_tuning=FEW)


def weights(path: Path, kind: model_file.Kind) -> dict[str, torch.Tensor]:
    return model_file.read(path, kind)[0]


def test_discriminators_are_released_beside_the_vocoder_once_they_have_learned(
    trained: Path, tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    assert weights(model_file.discriminators_of(trained), "discriminators")
    regression = replace(config, vocoder_training=replace(config.vocoder_training, adversarial_from=6))
    vocoder.train(corpus, tmp_path, Sources(separator), regression)
    assert not model_file.discriminators_of(tmp_path / "vocoder.safetensors").exists()


def test_it_begins_with_the_vocoder_and_the_discriminators_and_moves_both(
    trained: Path, tmp_path: Path, tuning: Config, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = replace(tuning, fine_tuning=replace(FEW, learning_rate=0.0))
    for name, config, moves in (("tuned", tuning, True), ("still", still, False)):
        if not moves:
            monkeypatch.setattr("basis_melgan.training.fine_tuning.DISCRIMINATOR_LEARNING_RATE", 0.0)
        fine_tune(corpus, tmp_path / name, trained, None, config)
        state = torch.load(tmp_path / name / "checkpoint.ckpt", weights_only=True)
        average = {key.removeprefix("module."): value for key, value in state["average"].items()}
        for start, kind, now in (
            (trained, "vocoder", average),
            (model_file.discriminators_of(trained), "discriminators", state["discriminators"]),
        ):
            before = weights(start, kind)
            same = all(torch.allclose(value, now[key], atol=1e-7) for key, value in before.items())
            assert same is not moves, (name, kind)
        assert weights(tmp_path / name / "vocoder.safetensors", "vocoder").keys() == weights(trained, "vocoder").keys()
    assert model_file.load_vocoder(tmp_path / "tuned" / "vocoder.safetensors")[1].generator == tuning.generator


def scores(out: Path) -> dict[int, dict[str, float]]:
    return ValidationScores(out / "validation.jsonl").by_step


def test_the_best_of_all_validations_is_kept_the_starts_among_them(
    tmp_path: Path, tuning: Config, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At a rate that ruins the released vocoder, it is left as it was, and the user is told."""
    ruinous = replace(FEW, adversarial_fraction=0.0, learning_rate=10.0, steps=2, validate_every=1)
    fine_tune(
        corpus, tmp_path, pretrained_path(DEFAULT_VOCODER, ".safetensors"), None, replace(tuning, fine_tuning=ruinous)
    )
    assert scores(tmp_path).keys() == {0, 1, 2}
    assert min(scores(tmp_path)[0][name] - scores(tmp_path)[2][name] for name in ("PESQ-WB", "DistillMOS")) > 0.3
    assert re.search(r"no step made it better .* \(.*PESQ-WB [\d.]+ to [\d.]+", capsys.readouterr().out)
    before, after = (
        weights(path, "vocoder")
        for path in (pretrained_path(DEFAULT_VOCODER, ".safetensors"), tmp_path / "vocoder.safetensors")
    )
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert model_file.discriminators_of(tmp_path / "vocoder.safetensors").is_file()


def test_scores_know_the_best_step_and_what_it_costs(tmp_path: Path) -> None:
    kept = ValidationScores(tmp_path / "validation.jsonl")
    kept.add(0, {"PESQ-WB": 3.0, "DistillMOS": 4.0, "MR-STFT": 0.8})
    kept.add(250, {"PESQ-WB": 3.4, "DistillMOS": 3.9, "MR-STFT": 0.7})
    kept.add(500, {"PESQ-WB": 3.5, "DistillMOS": 3.7, "MR-STFT": 0.6})
    again = ValidationScores(tmp_path / "validation.jsonl")
    assert again.by_step == kept.by_step
    assert (again.best(), again.best(0), again.best(499)) == (250, 0, 250)
    assert again.summary() == (
        "step 250 is the best on the validation clips, and is kept: DistillMOS 4.000 to 3.900, which is worse, "
        "MR-STFT 0.800 to 0.700, PESQ-WB 3.000 to 3.400"
    )
    again.resume(250)
    assert ValidationScores(tmp_path / "validation.jsonl").by_step.keys() == {0, 250}
    again.add(500, {"PESQ-WB": 1.0, "MR-STFT": 2.0})
    assert again.best() == 250


def test_an_interrupted_fine_tuning_goes_on_with_its_best(
    tmp_path: Path, tuning: Config, corpus: Path, trained: Path
) -> None:
    few = replace(FEW, steps=4, validate_every=2)
    for name, stops in (("straight", (4,)), ("resumed", (2, 4))):
        for steps in stops:
            fine_tune(corpus, tmp_path / name, trained, None, replace(tuning, fine_tuning=replace(few, steps=steps)))
    assert scores(tmp_path / "straight").keys() == scores(tmp_path / "resumed").keys() == {0, 2, 4}
    (tmp_path / "resumed" / "validation.jsonl").unlink()  # as where an earlier version began it
    fine_tune(corpus, tmp_path / "resumed", trained, None, replace(tuning, fine_tuning=replace(few, steps=6)))
    assert scores(tmp_path / "resumed").keys() == {6}


@pytest.mark.parametrize(("share", "first"), [(0.0, 3), (0.3, 2), (1.0, 0)])
def test_the_discriminators_judge_over_the_last_share_of_the_steps(
    share: float, first: int, trained: Path, tmp_path: Path, tuning: Config, corpus: Path
) -> None:
    fine_tune(corpus, tmp_path, trained, None, replace(tuning, fine_tuning=replace(FEW, adversarial_fraction=share)))
    made = tmp_path / "vocoder.safetensors"
    assert model_file.read(made, "vocoder")[1].vocoder_training.adversarial_from == first
    before, after = (weights(model_file.discriminators_of(path), "discriminators") for path in (trained, made))
    assert first < 3 or all(torch.equal(before[name], after[name]) for name in before)  # they go along
    with pytest.raises(ConfigurationError, match=r"adversarial_fraction: 1\.5 is not a fraction"):
        replace(FEW, adversarial_fraction=1.5)


def test_without_discriminators_it_goes_on_by_regression_and_says_so(
    trained: Path, tmp_path: Path, tuning: Config, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(trained.read_bytes())
    fine_tune(corpus, tmp_path / "run", alone, None, tuning)
    made = tmp_path / "run" / "vocoder.safetensors"
    assert made.exists()
    assert not model_file.discriminators_of(made).exists()
    assert "lie beside it, so it learns by regression alone" in capsys.readouterr().out
    fine_tune(corpus, tmp_path / "judged", trained, None, tuning)
    assert "beside it" not in capsys.readouterr().out


def test_the_released_vocoder_is_tuned_with_its_discriminators(tmp_path: Path, tuning: Config, corpus: Path) -> None:
    """That of the frame rate, whose sizes and losses its own file says."""
    few = replace(tuning, fine_tuning=replace(FEW, steps=1, validate_every=1))
    released, made = pretrained_path(DEFAULT_VOCODER, ".safetensors"), tmp_path / "vocoder.safetensors"
    fine_tune(corpus, tmp_path, released, None, few)
    assert model_file.read(made, "vocoder")[1].generator == model_file.read(released, "vocoder")[1].generator
    assert model_file.discriminators_of(made).exists()


def test_discriminators_of_other_sizes_are_refused(trained: Path, tmp_path: Path, tuning: Config, corpus: Path) -> None:
    copy = tmp_path / "v.safetensors"
    copy.write_bytes(trained.read_bytes())
    state, config = model_file.read(model_file.discriminators_of(trained), "discriminators")
    config = replace(config, discriminators=replace(config.discriminators, channels=8))
    model_file.save(model_file.discriminators_of(copy), "discriminators", state, config, model_file.Origin(1, ""))
    with pytest.raises(ConfigurationError, match="give those that were trained with the vocoder"):
        fine_tune(corpus, tmp_path / "run", copy, None, tuning)


def test_it_takes_predicted_mels_and_misses_none(trained: Path, tmp_path: Path, tuning: Config, corpus: Path) -> None:
    mels = tmp_path / "mels"
    mels.mkdir()
    corpora = manifest.load(corpus)
    clips = [*manifest.load_clips(corpora, "train"), *manifest.load_clips(corpora, "validation")]
    for path, _ in clips:
        mel = mel_spectrogram(files.read(path)[0], "paper", tuning.frames)
        np.save(mels / f"{path.stem}.npy", mel[:, :-1])  # a frame less, as some systems count
    fine_tune(corpus, tmp_path / "run", trained, mels, tuning)
    assert (tmp_path / "run" / "vocoder.safetensors").exists()
    with pytest.raises(TrainingError, match=r"another mels \(hash \w{12}, now none\)"):
        fine_tune(corpus, tmp_path / "run", trained, None, tuning)
    other = shutil.copy(tmp_path / "run" / "vocoder.safetensors", tmp_path / "other.safetensors")
    with pytest.raises(TrainingError, match=r"another start \(hash \w{12}, now \w{12}\)"):
        fine_tune(corpus, tmp_path / "run", other, mels, tuning)
    (mels / f"{clips[-1][0].stem}.npy").unlink()
    with pytest.raises(CorpusError, match="every clip needs its predicted mel"):
        fine_tune(corpus, tmp_path / "again", trained, mels, tuning)


def test_no_vocoder_no_fine_tuning(tmp_path: Path, tuning: Config, corpus: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        fine_tune(corpus, tmp_path / "run", tmp_path / "none.safetensors", None, tuning)


def test_a_vocoder_is_not_replaced_by_what_starts_from_it(
    trained: Path, tmp_path: Path, tuning: Config, corpus: Path
) -> None:
    mine = tmp_path / "vocoder.safetensors"
    shutil.copy(trained, mine)
    with pytest.raises(
        ConfigurationError, match="holds the vocoder to start from, which would be replaced; use another"
    ):
        fine_tune(corpus, tmp_path, mine, None, tuning, force=True)
    assert mine.read_bytes() == trained.read_bytes()


def test_discriminators_of_the_start_wait_for_a_phase_that_comes_by_going_on(
    trained: Path, tmp_path: Path, config: Config, corpus: Path
) -> None:
    still = replace(
        config.vocoder_training,
        adversarial_from=2,
        discriminator_learning_rate=0.0,
        loss_weights=config.vocoder_training.loss_weights | {"weights/l1": 0.0},
    )
    for steps in (2, 4):
        training = replace(still, steps=steps)
        vocoder.train(corpus, tmp_path, Sources(start=trained), replace(config, vocoder_training=training))
    was, now = (
        weights(model_file.discriminators_of(each), "discriminators")
        for each in (trained, tmp_path / "vocoder.safetensors")
    )
    assert all(torch.equal(now[name], value) for name, value in was.items())
