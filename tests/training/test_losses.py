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


def stft_losses(estimate: torch.Tensor, target: torch.Tensor) -> dict[str, torch.Tensor]:
    return losses.stft_losses(Spectra(estimate), Spectra(target), RESOLUTIONS)


def mel_loss(estimate: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    return losses.mel_loss(Spectra(estimate), Spectra(target), 24_000)


def tones(samples: int = 4_800) -> tuple[torch.Tensor, torch.Tensor]:
    """Two waves without mean, of equal energy and orthogonal to each other: whole periods of a sine and a cosine."""
    phase = 2 * torch.pi * 20 * torch.arange(samples, dtype=torch.float64) / samples
    return phase.sin().float(), phase.cos().float()


# SI-SNR


def test_si_snr_is_a_function_of_the_correlation_alone() -> None:
    generator = np.random.default_rng(0)
    target = generator.standard_normal((4, 3_000)) + 0.5
    estimate = generator.standard_normal((4, 3_000)) + target * np.array([[0.1], [1.0], [-3.0], [30.0]])
    rho = np.array([np.corrcoef(e, t)[0, 1] for e, t in zip(estimate, target, strict=True)])
    expected = 10 * np.log10(rho**2 / (1 - rho**2))
    found = losses.si_snr(torch.from_numpy(estimate).float(), torch.from_numpy(target).float())
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)


@settings(deadline=None)
@given(st.floats(-20, 40), st.floats(0.01, 100), st.floats(-5, 5))
def test_orthogonal_noise_gives_its_own_ratio(snr: float, gain: float, offset: float) -> None:
    sine, cosine = tones()
    estimate = gain * (sine + 10 ** (-snr / 20) * cosine) + offset * gain
    assert losses.si_snr(estimate, 0.3 * sine).item() == pytest.approx(snr, abs=0.02)


@settings(deadline=None)
@given(st.floats(-20, 40), st.floats(5, 50))
def test_a_ceiling_counts_as_noise_of_its_own(snr: float, ceiling: float) -> None:
    sine, cosine = tones()
    expected = -10 * math.log10(10 ** (-snr / 10) + 10 ** (-ceiling / 10))
    found = losses.si_snr(sine + 10 ** (-snr / 20) * cosine, sine, ceiling).item()
    assert found == pytest.approx(expected, abs=0.02)
    assert found < ceiling


def test_a_scaled_target_is_as_good_as_the_target() -> None:
    target = speech(0)
    for gain in (-2.0, 0.1, 1.0, 7.0):
        assert losses.si_snr(gain * target + 0.1, target) > 80.0


def test_silence_is_rewarded_where_the_target_is_silent() -> None:
    sine, _ = tones()
    energy = sine.square().sum().item()
    found = losses.si_snr(sine, torch.zeros_like(sine)).item()
    assert found == pytest.approx(10 * math.log10(1e-8 / energy), abs=0.01)
    assert losses.si_snr(torch.zeros(100), torch.zeros(100)).item() == 0.0


def test_the_speech_loss_looks_at_source_zero_alone() -> None:
    targets, estimates = torch.randn(2, 3, 2, 500)
    expected = -np.mean([losses.si_snr(e[0], t[0]).item() for e, t in zip(estimates, targets, strict=True)])
    assert losses.speech_si_snr_loss(estimates, targets).item() == pytest.approx(expected, abs=1e-4)


# Permutations


def test_swapped_sources_are_found() -> None:
    targets = torch.stack([speech(0), speech(1)])[None]
    estimates = targets + 0.01 * torch.randn_like(targets)
    straight = losses.permutation_invariant_si_snr_loss(estimates, targets)
    swapped = losses.permutation_invariant_si_snr_loss(estimates.flip(1), targets)
    assert swapped.item() == pytest.approx(straight.item(), abs=1e-4)
    assert straight.item() == pytest.approx(-losses.si_snr(estimates, targets).mean().item(), abs=1e-4)


@pytest.mark.parametrize("sources", [1, 2, 3])
def test_each_item_takes_its_best_assignment(sources: int) -> None:
    generator = np.random.default_rng(sources)
    targets = generator.standard_normal((4, sources, 800))
    estimates = generator.standard_normal((4, sources, 800))
    for item in estimates:  # near some order, another one for each item
        item += 0.7 * targets[0][generator.permutation(sources)]
    best = []
    for found, wanted in zip(estimates, targets, strict=True):
        rho = np.corrcoef(found, wanted)[:sources, sources:]
        snr = 10 * np.log10(rho**2 / (1 - rho**2))
        orders = itertools.permutations(range(sources))
        best.append(max(np.mean([snr[i, j] for i, j in enumerate(order)]) for order in orders))
    loss = losses.permutation_invariant_si_snr_loss(torch.from_numpy(estimates), torch.from_numpy(targets))
    assert loss.item() == pytest.approx(-np.mean(best), abs=1e-3)


# STFT


@pytest.mark.parametrize("name", ["stft/convergence", "stft/log_magnitude"])
def test_stft_losses_are_auralosss(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectra, "MAGNITUDE_FLOOR", 1e-6)  # auraloss raises only what lies below
    estimate, target = torch.stack([speech(0), speech(1)]), torch.stack([speech(2), speech(3)])
    for wave in (estimate, target):  # where the padding is reflected, zeros are too
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
    found = stft_losses(estimate, target)[name]
    items = zip(estimate, target, strict=True)  # one by one, since auraloss takes a batch for one long item
    expected = np.mean([oracle(ours[None, None], theirs[None, None]).item() for ours, theirs in items])
    assert found.item() == pytest.approx(expected, rel=5e-4)


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.7])
def test_a_wrong_level_costs_what_it_is(gain: float) -> None:
    target = torch.randn(3, 6_000)
    found = stft_losses(gain * target, target)
    assert found["stft/convergence"].item() == pytest.approx(abs(gain - 1), abs=1e-4)
    assert found["stft/log_magnitude"].item() == pytest.approx(abs(math.log(gain)), abs=1e-3)


def test_every_item_counts_the_same_whatever_its_level_and_company() -> None:
    estimate, target = torch.randn(2, 4, 4_000) * torch.tensor([0.05, 0.2, 1.0, 3.0])[:, None]
    whole = stft_losses(estimate, target)
    parts = [stft_losses(estimate[i : i + 1], target[i : i + 1]) for i in range(4)]
    for name, value in whole.items():
        assert value.item() == pytest.approx(np.mean([part[name].item() for part in parts]), rel=1e-5)


def test_a_silent_target_does_not_drown_the_others() -> None:
    noise, silence = 0.01 * torch.randn(1, 4_000), torch.zeros(1, 4_000)
    estimate = noise.clone().requires_grad_(True)
    found = stft_losses(estimate, silence)
    sum(found.values()).backward()
    assert found["stft/convergence"].item() < 40.0  # against 20 000 for a ratio to digital silence
    assert bool(estimate.grad.isfinite().all())
    both_silent = stft_losses(silence, silence)
    assert [value.item() for value in both_silent.values()] == [0.0, 0.0]


def test_gradients_of_a_silent_estimate_are_finite() -> None:
    estimate = torch.zeros(1, 4_000, requires_grad=True)
    sum(stft_losses(estimate, torch.randn(1, 4_000)).values()).backward()
    assert bool(estimate.grad.isfinite().all())


# Mel


@pytest.mark.parametrize("gain", [0.5, 1.0, 1.7])
def test_a_wrong_level_costs_the_mel_what_it_is(gain: float) -> None:
    target = torch.randn(3, 6_000)
    assert mel_loss(gain * target, target).item() == pytest.approx(abs(math.log(gain)), abs=1e-3)


def test_the_mel_forgives_what_the_bins_of_noise_do_not() -> None:
    one, other = torch.randn(1, 24_000), torch.randn(1, 24_000)
    bins = stft_losses(one, other)["stft/log_magnitude"].item()
    # The logarithm of a Rayleigh variable has a mean absolute difference of ln 2 from another's (its square's: 2 ln 2).
    assert bins == pytest.approx(math.log(2), rel=0.05)
    assert mel_loss(one, other).item() < bins / 2


def test_gradients_of_a_silent_estimates_mel_are_finite() -> None:
    estimate = torch.zeros(1, 4_000, requires_grad=True)
    mel_loss(estimate, torch.randn(1, 4_000)).backward()
    assert bool(estimate.grad.isfinite().all())


# Discriminators


def judged(*logits: float) -> list[list[torch.Tensor]]:
    """Feature maps of discriminators, of which the last are constant, and of different sizes."""
    return [[torch.full((2, 3), 99.0), torch.full((2, 1, 4 + i), value)] for i, value in enumerate(logits)]


def test_least_squares_of_the_generator() -> None:
    assert losses.generator_adversarial_loss(judged(1.0, 1.0)).item() == 0.0
    assert losses.generator_adversarial_loss(judged(0.0, 3.0, 1.5)).item() == pytest.approx((1 + 4 + 0.25) / 3)


def test_least_squares_of_the_discriminators() -> None:
    assert losses.discriminator_loss(judged(1.0, 1.0), judged(0.0, 0.0)).item() == 0.0
    assert losses.discriminator_loss(judged(0.5, 0.5), judged(0.5, 0.5)).item() == pytest.approx(0.5)
    found = losses.discriminator_loss(judged(0.0, 2.0), judged(3.0, -1.0)).item()
    assert found == pytest.approx((1 + 9 + 1 + 1) / 2)


def test_discriminators_of_different_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        losses.discriminator_loss(judged(1.0, 1.0), judged(1.0))


def test_features_are_matched_map_by_map_but_for_the_logits() -> None:
    real, made = judged(1.0, 1.0), judged(0.0, 5.0)
    assert losses.feature_loss(real, made).item() == 0.0
    made[1][0] = made[1][0] + 0.5
    assert losses.feature_loss(real, made).item() == pytest.approx(0.25)


def test_feature_matching_moves_what_was_made_and_not_the_discriminator() -> None:
    real, made = judged(1.0), judged(0.0)
    real[0][0].requires_grad_(True)
    made[0][0] = (made[0][0] + 1.0).requires_grad_(True)
    losses.feature_loss(real, made).backward()
    assert real[0][0].grad is None
    assert bool((made[0][0].grad > 0).all())


# Pairs


def polar(amplitude: torch.Tensor, phase: torch.Tensor) -> torch.Tensor:
    return torch.cat([amplitude * phase.cos(), amplitude * phase.sin()], dim=1)


def test_pairs_are_as_far_apart_as_their_levels_and_not_as_their_sign() -> None:
    target = polar(1.0 + torch.rand(2, 5, 7), 6.3 * torch.rand(2, 5, 7))
    same = losses.pair_losses(-2.0 * target, target)
    assert same["pairs/log_amplitude"].item() == pytest.approx(math.log(2), abs=1e-3)
    assert same["pairs/phase"].item() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("turn", [0.3, 3.0, 6.0])
@pytest.mark.parametrize("axis", [1, 2])
def test_a_delay_or_another_frequency_costs_the_cosine_of_its_turn(turn: float, axis: int) -> None:
    """Half of the distance, for the phase goes wrong along one axis alone; turns of 6 count as −0.28."""
    amplitude, phase = torch.rand(2, 5, 7) + 0.1, 6.3 * torch.rand(2, 5, 7)
    places = torch.arange(amplitude.shape[axis]).reshape((-1, 1) if axis == 1 else (1, -1))
    found = losses.pair_losses(polar(amplitude, phase + turn * places), polar(amplitude, phase))
    assert found["pairs/phase"].item() == pytest.approx((1 - math.cos(turn)) / 2, abs=1e-5)


def test_gradients_of_silent_pairs_are_finite() -> None:
    estimate = torch.zeros(1, 8, 6, requires_grad=True)
    torch.stack(list(losses.pair_losses(estimate, torch.zeros(1, 8, 6)).values())).sum().backward()
    assert bool(estimate.grad.isfinite().all())


# Spread


def test_a_tight_frame_of_tones_has_no_spread() -> None:
    tones = quadrature_atoms(512, "linear", FrameGeometry(hop=256, basis_length=1024, stride=256)).atoms
    assert losses.basis_spread(torch.from_numpy(tones).float(), 256).item() < 1e-3


def test_spread_is_the_variance_of_the_frames_eigenvalues_and_of_the_spectra() -> None:
    """Against the frame operator itself, as a matrix over eight frames.

    What rings beyond the last frame comes back at the first, its sign turned: then the frequencies are (k + ½)/8.
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
    assert losses.basis_spread(signals, stride).item() == pytest.approx(uneven + 100 * breadth, rel=1e-4)


# Sum


def test_the_total_weighs_each_loss_by_its_name() -> None:
    found = {"a/x": torch.tensor(2.0), "b/y": torch.tensor(5.0)}
    assert losses.total(found, {"a/x": 3.0, "b/y": 0.1, "unused": 9.0}).item() == pytest.approx(6.5)


def test_a_loss_without_a_weight_is_refused() -> None:
    with pytest.raises(KeyError, match="b/y"):
        losses.total({"a/x": torch.tensor(2.0), "b/y": torch.tensor(5.0)}, {"a/x": 1.0, "b/z": 1.0})
