"""Digital silence gives finite values and gradients in every loss, every discriminator and both stages."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from short_trainings import separator_task, vocoder_task, with_settings
from torch import Tensor, nn

from basis_melgan.config.networks import DiscriminatorConfig
from basis_melgan.config.schema import LOSS_WEIGHTS, Config
from basis_melgan.inference.pretrained import pretrained_path
from basis_melgan.models import model_file
from basis_melgan.models.discriminators import Discriminators
from basis_melgan.training import losses
from basis_melgan.training.spectra import Spectra
from basis_melgan.training.vocoder_task import VocoderTask

RESOLUTIONS = ((512, 128, 512), (256, 60, 240))
SAMPLES = 4_800
WAVES = {
    "silence": torch.zeros(2, SAMPLES),
    "nearly silence": 1e-20 * torch.randn(2, SAMPLES, generator=torch.Generator().manual_seed(0)),
    "half silence": torch.cat([torch.zeros(2, SAMPLES // 2), 0.1 * torch.ones(2, SAMPLES // 2)], dim=1),
    "noise": 0.1 * torch.randn(2, SAMPLES, generator=torch.Generator().manual_seed(1)),
}


def every_loss(estimate: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Losses of stage 2 between waves (2, T), and of stage 1 with the waves as speech and noise."""
    spectra, target_spectra = Spectra(estimate), Spectra(target)
    sources, target_sources = estimate[None], target[None]
    return {
        **losses.stft_losses(spectra, target_spectra, RESOLUTIONS),
        "mel/l1": losses.mel_loss(spectra, target_spectra, 24_000),
        "si-snr": losses.speech_si_snr_loss(sources, target_sources, 25.0),
        "pit-si-snr": losses.permutation_invariant_si_snr_loss(sources, target_sources),
        **losses.quadrature_losses(estimate.view(2, 48, -1), target.view(2, 48, -1)),
    }


@pytest.mark.parametrize("target", WAVES)
@pytest.mark.parametrize("estimate", WAVES)
def test_every_loss_has_a_finite_value_and_gradient(estimate: str, target: str) -> None:
    wave = WAVES[estimate].clone().requires_grad_(True)
    for name, loss in every_loss(wave, WAVES[target]).items():
        (gradient,) = torch.autograd.grad(loss, wave, retain_graph=True)
        assert bool(loss.isfinite()), name
        assert bool(gradient.isfinite().all()), name


@pytest.mark.parametrize("wave", WAVES)
def test_every_discriminator_has_a_finite_output_and_gradient(wave: str) -> None:
    config = DiscriminatorConfig(
        channels=4, stft_channels=4, periods=(2, 3), period_channels=4, resolutions=RESOLUTIONS
    )
    discriminators = Discriminators(config)
    estimate = WAVES[wave].clone().requires_grad_(True)
    for kind, maps in discriminators(estimate).items():
        loss = losses.generator_adversarial_loss(maps) + losses.discriminator_loss(maps, maps)
        gradients = torch.autograd.grad(loss, [estimate, *discriminators[kind].parameters()], retain_graph=True)
        assert all(bool(gradient.isfinite().all()) for gradient in gradients), kind


def silent(batch: Mapping[str, Tensor], *names: str) -> dict[str, object]:
    """A batch with digital silence as its first item."""
    first = torch.arange(2)[:, None, None] == 0
    changed = {name: torch.where(first if batch[name].ndim == 3 else first[:, 0], 0.0, batch[name]) for name in names}
    return {**batch, **changed, "id": ["silence@0", "speech@0"]}


def finite(module: nn.Module) -> bool:
    return all(bool(parameter.isfinite().all()) for parameter in module.parameters())


@pytest.mark.parametrize("loss", ["si-snr", "pit-si-snr"])
def test_separator_trains_on_silence(loss: str, tmp_path: Path, config: Config, corpus: Path) -> None:
    config = with_settings(config, "separator_training", loss=loss)
    task = separator_task(corpus, tmp_path, config)
    batch = torch.utils.data.default_collate([task.dataset[index] for index in range(2)])
    for step in range(3):
        task.step(silent(batch, "sources"), step)
    assert finite(task.separator)


@pytest.mark.parametrize("first_adversarial_step", [0, 1_000])
def test_melgan_vocoder_trains_on_silence(
    first_adversarial_step: int, tmp_path: Path, config: Config, corpus: Path, separator: Path
) -> None:
    config = with_settings(config, "vocoder_training", adversarial_from=first_adversarial_step)
    task = vocoder_task(corpus, separator, tmp_path, config)
    train_on_silence(task, float(task.dataset[0]["mel"].min()))


def test_convnext_vocoder_trains_on_silence_with_every_loss(
    tmp_path: Path, convnext: Config, corpus: Path, separator: Path
) -> None:
    weights = dict.fromkeys(LOSS_WEIGHTS, 1.0) | {"weights/l1": 0.0}
    config = with_settings(convnext, "discriminators", periods=(2, 3), period_channels=4)
    config = with_settings(config, "vocoder_training", adversarial_from=0, loss_weights=weights, steps=1_000)
    task = vocoder_task(corpus, separator, tmp_path, config, model_file.new_generator(config))
    train_on_silence(task, float(task.dataset[0]["mel"].min()))


def test_pretrained_vocoder_trains_on_silence(tmp_path: Path, config: Config, corpus: Path, separator: Path) -> None:
    """Its output for a silent mel is so small that its magnitudes round to those of silence."""
    path = pretrained_path("speech-24k", ".safetensors")
    generator, saved = model_file.load_generator(path)
    training = replace(saved.vocoder_training, batch_size=2, adversarial_from=1_000, crop_frames=20)
    config = replace(saved, vocoder_training=training, trainer=config.trainer)
    task = vocoder_task(corpus, separator, tmp_path, config, generator.requires_grad_(True))
    train_on_silence(task, -16.118096)  # ln 1e-7


def train_on_silence(task: VocoderTask, silent_mel: float) -> None:
    batch = torch.utils.data.default_collate([task.dataset[index] for index in range(2)])
    batch = silent(batch, "wave", "mel")
    batch["mel"][0] = silent_mel
    for step in range(3):
        logs = task.step(batch, step)
        assert all(value == value for value in logs.values()), logs
    assert finite(task.generator)
    assert finite(task.discriminators)
