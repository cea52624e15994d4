"""Losses against independent formulas and closed forms."""

import itertools
import math
from pathlib import Path

import auraloss
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from basis_melgan.audio import files
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.models.bases.pairs import quadrature_atoms
from basis_melgan.training import losses, spectra
from basis_melgan.training.spectra import Spectra

CLIPS = sorted((Path(__file__).parents[2] / "examples" / "clips").glob("*.flac"))
RESOLUTIONS = ((2048, 240, 1200), (1024, 120, 600), (512, 50, 240))


def speech(clip: int, samples: int = 12_000) -> torch.Tensor:
    return torch.from_numpy(files.read(CLIPS[clip], 12_000, samples)[0])


def compute_stft_losses(estimate: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    return losses.stft_losses(Spectra(estimate), Spectra(target), RESOLUTIONS)


def compute_mel_loss(estimate: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return losses.mel_loss(Spectra(estimate), Spectra(target), 24_000)


def tones(samples: int = 4_800) -> tuple[torch.Tensor, torch.Tensor]:
    """Sine and cosine over whole periods: zero-mean, orthogonal and of equal energy."""
    phase = 2 * torch.pi * 20 * torch.arange(samples, dtype=torch.float64) / samples
    return phase.sin().float(), phase.cos().float()


# SI-SNR


def test_si_snr_is_a_function_of_the_correlation_coefficient() -> None:
    generator = np.random.default_rng(0)
    target = generator.standard_normal((4, 3_000)) + 0.5
    estimate = generator.standard_normal((4, 3_000)) + target * np.array([[0.1], [1.0], [-3.0], [30.0]])
    rho = np.array([np.corrcoef(e, t)[0, 1] for e, t in zip(estimate, target, strict=True)])
    expected = 10 * np.log10(rho**2 / (1 - rho**2))
    ratio = losses.si_snr(torch.from_numpy(estimate).float(), torch.from_numpy(target).float())
    np.testing.assert_allclose(ratio.numpy(), expected, atol=1e-3)


@settings(deadline=None)
@given(st.floats(-20, 40), st.floats(0.01, 100), st.floats(-5, 5))
def test_orthogonal_noise_gives_its_signal_to_noise_ratio(snr: float, gain: float, offset: float) -> None:
    sine, cosine = tones()
    estimate = gain * (sine + 10 ** (-snr / 20) * cosine) + offset * gain
    assert losses.si_snr(estimate, 0.3 * sine).item() == pytest.approx(snr, abs=0.02)


@settings(deadline=None)
@given(st.floats(-20, 40), st.floats(5, 50))
def test_ceiling_acts_as_additional_noise(snr: float, ceiling: float) -> None:
    sine, cosine = tones()
    expected = -10 * math.log10(10 ** (-snr / 10) + 10 ** (-ceiling / 10))
    ratio = losses.si_snr(sine + 10 ** (-snr / 20) * cosine, sine, ceiling).item()
    assert ratio == pytest.approx(expected, abs=0.02)
    assert ratio < ceiling


def test_si_snr_does_not_depend_on_scale() -> None:
    target = speech(0)
    for gain in (-2.0, 0.1, 1.0, 7.0):
        assert losses.si_snr(gain * target + 0.1, target) > 80.0


def test_silence_scores_best_for_a_silent_target() -> None:
    sine, _ = tones()
    energy = sine.square().sum().item()
    ratio = losses.si_snr(sine, torch.zeros_like(sine)).item()
    assert ratio == pytest.approx(10 * math.log10(1e-8 / energy), abs=0.01)
    assert losses.si_snr(torch.zeros(100), torch.zeros(100)).item() == 0.0


def test_speech_loss_uses_source_zero_only() -> None:
    targets, estimates = torch.randn(2, 3, 2, 500)
    expected = -np.mean([losses.si_snr(e[0], t[0]).item() for e, t in zip(estimates, targets, strict=True)])
    assert losses.speech_si_snr_loss(estimates, targets).item() == pytest.approx(expected, abs=1e-4)


# Permutations


def test_permutation_invariant_loss_ignores_the_order_of_sources() -> None:
    targets = torch.stack([speech(0), speech(1)])[None]
    estimates = targets + 0.01 * torch.randn_like(targets)
    ordered = losses.permutation_invariant_si_snr_loss(estimates, targets)
    swapped = losses.permutation_invariant_si_snr_loss(estimates.flip(1), targets)
    assert swapped.item() == pytest.approx(ordered.item(), abs=1e-4)
    assert ordered.item() == pytest.approx(-losses.si_snr(estimates, targets).mean().item(), abs=1e-4)


@pytest.mark.parametrize("sources", [1, 2, 3])
def test_each_item_has_its_best_assignment(sources: int) -> None:
    generator = np.random.default_rng(sources)
    targets = generator.standard_normal((4, sources, 800))
    estimates = generator.standard_normal((4, sources, 800))
    for item in estimates:  # similar to the targets in a random order
        item += 0.7 * targets[0][generator.permutation(sources)]
    best = []
    for item_estimates, item_targets in zip(estimates, targets, strict=True):
        rho = np.corrcoef(item_estimates, item_targets)[:sources, sources:]
        snr = 10 * np.log10(rho**2 / (1 - rho**2))
        orders = itertools.permutations(range(sources))
        best.append(max(np.mean([snr[i, j] for i, j in enumerate(order)]) for order in orders))
    loss = losses.permutation_invariant_si_snr_loss(torch.from_numpy(estimates), torch.from_numpy(targets))
    assert loss.item() == pytest.approx(-np.mean(best), abs=1e-3)


# STFT


@pytest.mark.parametrize("name", ["stft/convergence", "stft/log_magnitude"])
def test_stft_losses_equal_auraloss(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectra, "MAGNITUDE_FLOOR", 1e-6)  # auraloss clamps magnitudes instead of adding a floor
    estimate, target = torch.stack([speech(0), speech(1)]), torch.stack([speech(2), speech(3)])
    for wave in (estimate, target):  # zeros at the ends make reflect and zero padding equal
        wave[:, :1_100] = wave[:, -1_100:] = 0.0
    sizes, hops, windows = (list(part) for part in zip(*RESOLUTIONS, strict=True))
    oracle = auraloss.freq.MultiResolutionSTFTLoss(
        sizes,
        hops,
        windows,
        w_sc=float(name == "stft/convergence"),
        w_log_mag=float(name == "stft/log_magnitude"),
        eps=1e-12,
    )
    loss = compute_stft_losses(estimate, target)[name]
    items = zip(estimate, target, strict=True)  # one by one, since auraloss normalizes over the whole batch
    expected = np.mean([oracle(wave[None, None], recording[None, None]).item() for wave, recording in items])
    assert loss.item() == pytest.approx(expected, rel=5e-4)


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.7])
def test_stft_losses_of_a_gain(gain: float) -> None:
    target = torch.randn(3, 6_000)
    gain_losses = compute_stft_losses(gain * target, target)
    assert gain_losses["stft/convergence"].item() == pytest.approx(abs(gain - 1), abs=1e-4)
    assert gain_losses["stft/log_magnitude"].item() == pytest.approx(abs(math.log(gain)), abs=1e-3)


def test_every_item_has_equal_weight_regardless_of_level_and_batch() -> None:
    estimate, target = torch.randn(2, 4, 4_000) * torch.tensor([0.05, 0.2, 1.0, 3.0])[:, None]
    batch_losses = compute_stft_losses(estimate, target)
    item_losses = [compute_stft_losses(estimate[i : i + 1], target[i : i + 1]) for i in range(4)]
    for name, value in batch_losses.items():
        assert value.item() == pytest.approx(np.mean([item[name].item() for item in item_losses]), rel=1e-5)


def test_silent_target_does_not_dominate_the_batch() -> None:
    noise, silence = 0.01 * torch.randn(1, 4_000), torch.zeros(1, 4_000)
    estimate = noise.clone().requires_grad_(True)
    silence_losses = compute_stft_losses(estimate, silence)
    sum(silence_losses.values()).backward()
    assert silence_losses["stft/convergence"].item() < 40.0  # 20 000 without the magnitude floor
    assert bool(estimate.grad.isfinite().all())
    zero_losses = compute_stft_losses(silence, silence)
    assert [value.item() for value in zero_losses.values()] == [0.0, 0.0]


def test_gradients_of_a_silent_estimate_are_finite() -> None:
    estimate = torch.zeros(1, 4_000, requires_grad=True)
    sum(compute_stft_losses(estimate, torch.randn(1, 4_000)).values()).backward()
    assert bool(estimate.grad.isfinite().all())


# Mel


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.7])
def test_mel_loss_of_a_gain(gain: float) -> None:
    target = torch.randn(3, 6_000)
    assert compute_mel_loss(gain * target, target).item() == pytest.approx(abs(math.log(gain)), abs=1e-3)


def test_mel_loss_of_independent_noise_is_below_the_stft_loss() -> None:
    noise, other_noise = torch.randn(1, 24_000), torch.randn(1, 24_000)
    stft_loss = compute_stft_losses(noise, other_noise)["stft/log_magnitude"].item()
    # The logarithms of two independent Rayleigh variables have a mean absolute difference of ln 2.
    assert stft_loss == pytest.approx(math.log(2), rel=0.05)
    assert compute_mel_loss(noise, other_noise).item() < stft_loss / 2


def test_mel_loss_gradients_of_a_silent_estimate_are_finite() -> None:
    estimate = torch.zeros(1, 4_000, requires_grad=True)
    compute_mel_loss(estimate, torch.randn(1, 4_000)).backward()
    assert bool(estimate.grad.isfinite().all())


# Discriminators


def feature_maps(*logits: float) -> list[list[torch.Tensor]]:
    """Feature maps of discriminators with constant logits, each of another size."""
    return [[torch.full((2, 3), 99.0), torch.full((2, 1, 4 + i), value)] for i, value in enumerate(logits)]


def test_generator_loss_is_least_squares() -> None:
    assert losses.generator_adversarial_loss(feature_maps(1.0, 1.0)).item() == 0.0
    assert losses.generator_adversarial_loss(feature_maps(0.0, 3.0, 1.5)).item() == pytest.approx((1 + 4 + 0.25) / 3)


def test_discriminator_loss_is_least_squares() -> None:
    assert losses.discriminator_loss(feature_maps(1.0, 1.0), feature_maps(0.0, 0.0)).item() == 0.0
    assert losses.discriminator_loss(feature_maps(0.5, 0.5), feature_maps(0.5, 0.5)).item() == pytest.approx(0.5)
    loss = losses.discriminator_loss(feature_maps(0.0, 2.0), feature_maps(3.0, -1.0)).item()
    assert loss == pytest.approx((1 + 9 + 1 + 1) / 2)


def test_different_numbers_of_discriminators_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        losses.discriminator_loss(feature_maps(1.0, 1.0), feature_maps(1.0))


def test_feature_loss_leaves_out_the_logits() -> None:
    real, fake = feature_maps(1.0, 1.0), feature_maps(0.0, 5.0)
    assert losses.feature_loss(real, fake).item() == 0.0
    fake[1][0] = fake[1][0] + 0.5
    assert losses.feature_loss(real, fake).item() == pytest.approx(0.25)


def test_feature_loss_has_gradients_for_generated_maps_only() -> None:
    real, fake = feature_maps(1.0), feature_maps(0.0)
    real[0][0].requires_grad_(True)
    fake[0][0] = (fake[0][0] + 1.0).requires_grad_(True)
    losses.feature_loss(real, fake).backward()
    assert real[0][0].grad is None
    assert bool((fake[0][0].grad > 0).all())


# Quadrature atoms


def polar(amplitude: torch.Tensor, phase: torch.Tensor) -> torch.Tensor:
    return torch.cat([amplitude * phase.cos(), amplitude * phase.sin()], dim=1)


def test_quadrature_losses_depend_on_amplitude_but_not_on_sign() -> None:
    target = polar(1.0 + torch.rand(2, 5, 7), 6.3 * torch.rand(2, 5, 7))
    gain_losses = losses.quadrature_losses(-2.0 * target, target)
    assert gain_losses["pairs/log_amplitude"].item() == pytest.approx(math.log(2), abs=1e-3)
    assert gain_losses["pairs/phase"].item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("rotation", [0.3, 3.0, 6.0])
@pytest.mark.parametrize("axis", [1, 2])
def test_phase_loss_of_a_delay_or_frequency_shift_is_the_cosine_distance(rotation: float, axis: int) -> None:
    """Half of the distance, since the phase error varies along one axis only; a rotation of 6 equals one of −0.28."""
    amplitude, phase = torch.rand(2, 5, 7) + 0.1, 6.3 * torch.rand(2, 5, 7)
    positions = torch.arange(amplitude.shape[axis]).reshape((-1, 1) if axis == 1 else (1, -1))
    shift_losses = losses.quadrature_losses(polar(amplitude, phase + rotation * positions), polar(amplitude, phase))
    assert shift_losses["pairs/phase"].item() == pytest.approx((1 - math.cos(rotation)) / 2, abs=1e-5)


def test_quadrature_loss_gradients_of_zero_weights_are_finite() -> None:
    estimate = torch.zeros(1, 8, 6, requires_grad=True)
    torch.stack(list(losses.quadrature_losses(estimate, torch.zeros(1, 8, 6)).values())).sum().backward()
    assert bool(estimate.grad.isfinite().all())


# Tightness


def test_tight_frame_of_tones_has_no_tightness_penalty() -> None:
    tones = quadrature_atoms(512, "linear", FrameGeometry(hop=256, basis_length=1024, stride=256)).atoms
    assert losses.basis_tightness_penalty(torch.from_numpy(tones).float(), 256).item() < 1e-3


def test_tightness_penalty_is_the_variance_of_eigenvalues_plus_bandwidth() -> None:
    """Compared with the frame operator itself, as a matrix over eight frames.

    Atoms that extend beyond the last frame wrap around with inverted sign, which gives the frequencies (k + ½)/8.
    """
    torch.manual_seed(0)
    signals, stride, circle = torch.randn(12, 16), 4, 32
    line = torch.cat([F.pad(signals, (stride * k, 2 * circle - 16 - stride * k)) for k in range(8)])
    frame = line[:, :circle] - line[:, circle:]
    eigenvalues = torch.linalg.eigvalsh(frame.T @ frame)
    uneven = (eigenvalues.var(correction=0) / eigenvalues.mean().square()).item()
    power = torch.fft.rfft(signals).abs().square()
    place = torch.linspace(0, 1, 9)
    power = power / power.sum(dim=1, keepdim=True)
    breadth = (power @ place.square() - (power @ place).square()).mean().item()
    assert losses.basis_tightness_penalty(signals, stride).item() == pytest.approx(uneven + 100 * breadth, rel=1e-4)


# Sum


def test_weighted_sum_matches_losses_and_weights_by_name() -> None:
    values = {"a/x": torch.tensor(2.0), "b/y": torch.tensor(5.0)}
    assert losses.weighted_sum(values, {"a/x": 3.0, "b/y": 0.1, "unused": 9.0}).item() == pytest.approx(6.5)


def test_loss_without_a_weight_is_refused() -> None:
    with pytest.raises(KeyError, match="b/y"):
        losses.weighted_sum({"a/x": torch.tensor(2.0), "b/y": torch.tensor(5.0)}, {"a/x": 1.0, "b/z": 1.0})
