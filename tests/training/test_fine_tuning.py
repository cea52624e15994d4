"""Fine-tuning: starts from a vocoder and its discriminators and saves the best step by metrics."""

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
from basis_melgan.training.vocoder import VocoderInputs

SHORT = FineTuningConfig(steps=3, adversarial_fraction=1.0, batch_size=2, validate_every=3)


@pytest.fixture(scope="module")
def vocoder_path(tmp_path_factory: pytest.TempPathFactory, config: Config, corpus: Path, separator: Path) -> Path:
    """A vocoder and its discriminators."""
    folder = tmp_path_factory.mktemp("vocoder")
    vocoder.train(corpus, folder, VocoderInputs(separator), config)
    return folder / "vocoder.safetensors"


@pytest.fixture
def tuning_config(config: Config) -> Config:
    return replace(config, fine_tuning=SHORT)


def load_weights(path: Path, kind: model_file.Kind) -> dict[str, torch.Tensor]:
    return model_file.read(path, kind)[0]


def test_discriminators_are_saved_beside_the_vocoder_once_trained(
    vocoder_path: Path, tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    assert load_weights(model_file.discriminators_of(vocoder_path), "discriminators")
    regression = replace(config, vocoder_training=replace(config.vocoder_training, adversarial_from=6))
    vocoder.train(corpus, tmp_path, VocoderInputs(separator), regression)
    assert not model_file.discriminators_of(tmp_path / "vocoder.safetensors").exists()


def test_fine_tuning_starts_from_vocoder_and_discriminators_and_trains_both(
    vocoder_path: Path, tmp_path: Path, tuning_config: Config, corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = replace(tuning_config, fine_tuning=replace(SHORT, learning_rate=0.0))
    for name, config, trains in (("tuned", tuning_config, True), ("frozen", frozen, False)):
        if not trains:
            monkeypatch.setattr("basis_melgan.training.fine_tuning.DISCRIMINATOR_LEARNING_RATE", 0.0)
        fine_tune(corpus, tmp_path / name, vocoder_path, None, config)
        state = torch.load(tmp_path / name / "checkpoint.ckpt", weights_only=True)
        average = {key.removeprefix("module."): value for key, value in state["average"].items()}
        for initial, kind, current in (
            (vocoder_path, "vocoder", average),
            (model_file.discriminators_of(vocoder_path), "discriminators", state["discriminators"]),
        ):
            before = load_weights(initial, kind)
            is_equal = all(torch.allclose(value, current[key], atol=1e-7) for key, value in before.items())
            assert is_equal is not trains, (name, kind)
        assert (
            load_weights(tmp_path / name / "vocoder.safetensors", "vocoder").keys()
            == load_weights(vocoder_path, "vocoder").keys()
        )
    assert model_file.load_generator(tmp_path / "tuned" / "vocoder.safetensors")[1].generator == tuning_config.generator


def scores(out: Path) -> dict[int, dict[str, float]]:
    return ValidationScores(out / "validation.jsonl").by_step


def test_best_validation_is_saved_including_the_initial_one(
    tmp_path: Path, tuning_config: Config, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At a learning rate that ruins the pretrained vocoder, it is saved unchanged, with a note."""
    ruinous = replace(SHORT, adversarial_fraction=0.0, learning_rate=10.0, steps=2, validate_every=1)
    initial = pretrained_path(DEFAULT_VOCODER, ".safetensors")
    fine_tune(corpus, tmp_path, initial, None, replace(tuning_config, fine_tuning=ruinous))
    assert scores(tmp_path).keys() == {0, 1, 2}
    assert min(scores(tmp_path)[0][name] - scores(tmp_path)[2][name] for name in ("PESQ-WB", "DistillMOS")) > 0.3
    assert re.search(r"no step improved the scores .* \(.*PESQ-WB [\d.]+ to [\d.]+", capsys.readouterr().out)
    before, after = (load_weights(path, "vocoder") for path in (initial, tmp_path / "vocoder.safetensors"))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert model_file.discriminators_of(tmp_path / "vocoder.safetensors").is_file()


def test_validation_scores_find_the_best_step_and_summarize_it(tmp_path: Path) -> None:
    saved = ValidationScores(tmp_path / "validation.jsonl")
    saved.add(0, {"PESQ-WB": 3.0, "DistillMOS": 4.0, "MR-STFT": 0.8})
    saved.add(250, {"PESQ-WB": 3.4, "DistillMOS": 3.9, "MR-STFT": 0.7})
    saved.add(500, {"PESQ-WB": 3.5, "DistillMOS": 3.7, "MR-STFT": 0.6})
    loaded = ValidationScores(tmp_path / "validation.jsonl")
    assert loaded.by_step == saved.by_step
    assert (loaded.best_step(), loaded.best_step(0), loaded.best_step(499)) == (250, 0, 250)
    assert loaded.summary() == (
        "step 250 has the best scores on the validation clips and is saved: DistillMOS 4.000 to 3.900 (worse), "
        "MR-STFT 0.800 to 0.700, PESQ-WB 3.000 to 3.400"
    )
    loaded.truncate(250)
    assert ValidationScores(tmp_path / "validation.jsonl").by_step.keys() == {0, 250}
    loaded.add(500, {"PESQ-WB": 1.0, "MR-STFT": 2.0})
    assert loaded.best_step() == 250


def test_resumed_fine_tuning_keeps_its_scores(
    tmp_path: Path, tuning_config: Config, corpus: Path, vocoder_path: Path
) -> None:
    four_steps = replace(SHORT, steps=4, validate_every=2)
    for name, stops in (("uninterrupted", (4,)), ("resumed", (2, 4))):
        for steps in stops:
            fine_tune(
                corpus,
                tmp_path / name,
                vocoder_path,
                None,
                replace(tuning_config, fine_tuning=replace(four_steps, steps=steps)),
            )
    assert scores(tmp_path / "uninterrupted").keys() == scores(tmp_path / "resumed").keys() == {0, 2, 4}
    (tmp_path / "resumed" / "validation.jsonl").unlink()  # like a training that a version without scores began
    fine_tune(
        corpus,
        tmp_path / "resumed",
        vocoder_path,
        None,
        replace(tuning_config, fine_tuning=replace(four_steps, steps=6)),
    )
    assert scores(tmp_path / "resumed").keys() == {6}


@pytest.mark.parametrize(("fraction", "first"), [(0.0, 3), (0.3, 2), (1.0, 0)])
def test_last_fraction_of_the_steps_is_adversarial(
    fraction: float, first: int, vocoder_path: Path, tmp_path: Path, tuning_config: Config, corpus: Path
) -> None:
    fine_tune(
        corpus,
        tmp_path,
        vocoder_path,
        None,
        replace(tuning_config, fine_tuning=replace(SHORT, adversarial_fraction=fraction)),
    )
    tuned = tmp_path / "vocoder.safetensors"
    assert model_file.read(tuned, "vocoder")[1].vocoder_training.adversarial_from == first
    before, after = (
        load_weights(model_file.discriminators_of(path), "discriminators") for path in (vocoder_path, tuned)
    )
    assert first < 3 or all(torch.equal(before[name], after[name]) for name in before)  # copied unchanged
    with pytest.raises(ConfigurationError, match=r"adversarial_fraction: 1\.5 is not a fraction"):
        replace(SHORT, adversarial_fraction=1.5)


def test_fine_tuning_without_discriminators_uses_regression_losses(
    vocoder_path: Path, tmp_path: Path, tuning_config: Config, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    initial = tmp_path / "initial.safetensors"
    initial.write_bytes(vocoder_path.read_bytes())
    fine_tune(corpus, tmp_path / "run", initial, None, tuning_config)
    tuned = tmp_path / "run" / "vocoder.safetensors"
    assert tuned.exists()
    assert not model_file.discriminators_of(tuned).exists()
    assert "beside it; training uses regression losses only" in capsys.readouterr().out
    fine_tune(corpus, tmp_path / "adversarial", vocoder_path, None, tuning_config)
    assert "beside it" not in capsys.readouterr().out


def test_pretrained_vocoder_is_fine_tuned_with_its_discriminators(
    tmp_path: Path, tuning_config: Config, corpus: Path
) -> None:
    """A ConvNeXt generator, with the sizes and losses of its own file."""
    one_step = replace(tuning_config, fine_tuning=replace(SHORT, steps=1, validate_every=1))
    initial, tuned = pretrained_path(DEFAULT_VOCODER, ".safetensors"), tmp_path / "vocoder.safetensors"
    fine_tune(corpus, tmp_path, initial, None, one_step)
    assert model_file.read(tuned, "vocoder")[1].generator == model_file.read(initial, "vocoder")[1].generator
    assert model_file.discriminators_of(tuned).exists()


def test_discriminators_with_other_settings_are_refused(
    vocoder_path: Path, tmp_path: Path, tuning_config: Config, corpus: Path
) -> None:
    copy = tmp_path / "v.safetensors"
    copy.write_bytes(vocoder_path.read_bytes())
    state, config = model_file.read(model_file.discriminators_of(vocoder_path), "discriminators")
    config = replace(config, discriminators=replace(config.discriminators, channels=8))
    model_file.save(model_file.discriminators_of(copy), "discriminators", state, config, model_file.Origin(1, ""))
    with pytest.raises(
        ConfigurationError,
        match=r"its discriminators\.channels is 8, but the configuration has 4; use the same settings",
    ):
        fine_tune(corpus, tmp_path / "run", copy, None, tuning_config)


def test_predicted_mels_are_used_and_required_for_every_clip(
    vocoder_path: Path, tmp_path: Path, tuning_config: Config, corpus: Path
) -> None:
    mels = tmp_path / "mels"
    mels.mkdir()
    corpora = manifest.load(corpus)
    clips = [*manifest.load_clips(corpora, "train"), *manifest.load_clips(corpora, "validation")]
    for path, _ in clips:
        mel = mel_spectrogram(files.read(path)[0], "paper", tuning_config.frames)
        np.save(mels / f"{path.stem}.npy", mel[:, :-1])  # one frame less, as in some systems
    fine_tune(corpus, tmp_path / "run", vocoder_path, mels, tuning_config)
    assert (tmp_path / "run" / "vocoder.safetensors").exists()
    with pytest.raises(TrainingError, match=r"another mels \(hash \w{12}, now none\)"):
        fine_tune(corpus, tmp_path / "run", vocoder_path, None, tuning_config)
    other_vocoder = shutil.copy(tmp_path / "run" / "vocoder.safetensors", tmp_path / "other.safetensors")
    with pytest.raises(TrainingError, match=r"another init_from \(hash \w{12}, now \w{12}\)"):
        fine_tune(corpus, tmp_path / "run", other_vocoder, mels, tuning_config)
    (mels / f"{clips[-1][0].stem}.npy").unlink()
    with pytest.raises(CorpusError, match="every clip needs its predicted mel"):
        fine_tune(corpus, tmp_path / "incomplete", vocoder_path, mels, tuning_config)


def test_missing_vocoder_is_refused(tmp_path: Path, tuning_config: Config, corpus: Path) -> None:
    with pytest.raises(ModelFileError, match="no such file"):
        fine_tune(corpus, tmp_path / "run", tmp_path / "none.safetensors", None, tuning_config)


def test_initial_vocoder_is_not_overwritten(
    vocoder_path: Path, tmp_path: Path, tuning_config: Config, corpus: Path
) -> None:
    initial = tmp_path / "vocoder.safetensors"
    shutil.copy(vocoder_path, initial)
    with pytest.raises(ConfigurationError, match=r"would be overwritten by the training; use another run folder"):
        fine_tune(corpus, tmp_path, initial, None, tuning_config, force=True)
    assert initial.read_bytes() == vocoder_path.read_bytes()


def test_initial_discriminators_are_kept_for_a_later_adversarial_phase(
    vocoder_path: Path, tmp_path: Path, config: Config, corpus: Path
) -> None:
    frozen = replace(
        config.vocoder_training,
        adversarial_from=2,
        discriminator_learning_rate=0.0,
        loss_weights=config.vocoder_training.loss_weights | {"weights/l1": 0.0},
    )
    for steps in (2, 4):
        training = replace(frozen, steps=steps)
        vocoder.train(
            corpus, tmp_path, VocoderInputs(init_from=vocoder_path), replace(config, vocoder_training=training)
        )
    before, after = (
        load_weights(model_file.discriminators_of(path), "discriminators")
        for path in (vocoder_path, tmp_path / "vocoder.safetensors")
    )
    assert all(torch.equal(after[name], value) for name, value in before.items())
