"""Losses, as pure functions of tensors; lower is better for all of them."""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import permutations

import torch
from torch import Tensor
from torch.nn import functional as F

from basis_melgan.audio.mel import mel_triangles
from basis_melgan.config.networks import Resolution
from basis_melgan.training.spectra import Spectra

FeatureMaps = Sequence[Sequence[Tensor]]  # of every discriminator of a kind, layer by layer; the last are the logits

EPSILON = 1e-8
AMPLITUDE_FLOOR = 1e-3  # added to amplitudes of quadrature atoms before their logarithm
COVERAGE_FREQUENCIES = 4  # at which a basis's frame operator is evaluated
BANDWIDTH_WEIGHT = 100.0  # a spectral deviation of 0.1 then costs as much as eigenvalues that deviate by their mean
MEL_SCALES = ((2048, 160), (1024, 80), (512, 40), (256, 20), (128, 10))  # window in samples, mel bands


def si_snr(estimate: Tensor, target: Tensor, ceiling: float = math.inf) -> Tensor:
    """Scale-invariant signal-to-noise ratio in dB (arXiv 1809.07454, equation 13) of zero-mean waves.

    Args:
        estimate: (…, T).
        target: (…, T).
        ceiling: dB that the ratio approaches but never exceeds (arXiv 2006.12701, section 3.1).

    Returns:
        (…), dB. For a silent target, `EPSILON` over the estimate's energy, so that silence scores best there too.
    """
    estimate = estimate - estimate.mean(dim=-1, keepdim=True)
    target = target - target.mean(dim=-1, keepdim=True)
    energy = (target * target).sum(dim=-1, keepdim=True)
    projection = (estimate * target).sum(dim=-1, keepdim=True) / (energy + EPSILON) * target
    noise = estimate - projection
    signal = (projection * projection).sum(dim=-1) + EPSILON
    ratio = signal / ((noise * noise).sum(dim=-1) + EPSILON + 10 ** (-ceiling / 10) * signal)
    return 10 * torch.log10(ratio)


def speech_si_snr_loss(estimates: Tensor, targets: Tensor, ceiling: float = math.inf) -> Tensor:
    """Negative SI-SNR in dB of source 0, the speech; mean over the batch.

    Args:
        estimates: (B, C, T).
        targets: (B, C, T).
        ceiling: dB, see `si_snr`.
    """
    return -si_snr(estimates[:, 0], targets[:, 0], ceiling).mean()


def permutation_invariant_si_snr_loss(estimates: Tensor, targets: Tensor, ceiling: float = math.inf) -> Tensor:
    """Negative SI-SNR in dB under each item's best assignment of estimates to sources (arXiv 1607.00325).

    Args:
        estimates: (B, C, T).
        targets: (B, C, T).
        ceiling: dB, see `si_snr`.
    """
    pairwise = si_snr(estimates[:, :, None], targets[:, None], ceiling)
    sources = range(estimates.shape[1])
    totals = [torch.stack([pairwise[:, i, j] for i, j in enumerate(order)]).mean(0) for order in permutations(sources)]
    return -torch.stack(totals).amax(dim=0).mean()


def basis_tightness_penalty(atoms: Tensor, stride: int) -> Tensor:
    """Penalty on uneven coverage of the spectrum and on broadband atoms; 0 for a tight frame of tones.

    Uneven coverage is the relative variance of the eigenvalues of the basis's frame operator. That operator is a matrix
    (stride, stride) at every frequency below the frame rate (fiberization: Bölcskei et al. 1998, IEEE Trans. SP 46,
    section III), evaluated at `COVERAGE_FREQUENCIES` of them. Bandwidth is the variance of an atom's power spectrum in
    units of half the sample rate, averaged over the atoms.

    Args:
        atoms: (N, L).
        stride: samples between weight frames, a divisor of L.
    """
    blocks = atoms.reshape(len(atoms), -1, stride)  # (N, L / stride, stride)
    frequencies = (torch.arange(COVERAGE_FREQUENCIES) + 0.5) / (2 * COVERAGE_FREQUENCIES)
    phasors = torch.exp(-2j * torch.pi * torch.outer(frequencies, torch.arange(blocks.shape[1]).float()))
    phasors = phasors.to(atoms.device)
    fibers = torch.einsum("fb,nbs->fns", phasors, blocks.to(phasors.dtype))
    operators = fibers.mH @ fibers
    # The trace of an operator is the sum of its eigenvalues, its squared norm the sum of their squares.
    eigenvalue_sum = operators.diagonal(dim1=1, dim2=2).real.sum()
    squared_eigenvalue_sum = operators.abs().square().sum()
    unevenness = squared_eigenvalue_sum * COVERAGE_FREQUENCIES * stride / eigenvalue_sum.square() - 1.0
    power = torch.fft.rfft(atoms).abs().square()
    power = power / power.sum(dim=1, keepdim=True)
    frequency = torch.linspace(0.0, 1.0, power.shape[1], device=atoms.device)
    variances: Tensor = power @ frequency.square() - (power @ frequency).square()
    return unevenness + BANDWIDTH_WEIGHT * variances.mean()


def stft_losses(estimate: Spectra, target: Spectra, resolutions: Sequence[Resolution]) -> dict[str, Tensor]:
    """Multi-resolution STFT losses (arXiv 1910.11480, equations 4 to 6), means over items and resolutions.

    The spectral convergence is computed per item, so that the loss does not depend on how a batch is divided among
    processes.

    Args:
        estimate: of waves (B, T).
        target: of waves (B, T).
        resolutions: (FFT, hop, window) in samples.

    Returns:
        ``stft/convergence``: relative distance of magnitudes;
        ``stft/log_magnitude``: mean distance of their natural logarithms.
    """
    convergence, log_magnitude = [], []
    for resolution in resolutions:
        magnitude, target_magnitude = estimate.magnitude(resolution), target.magnitude(resolution)
        # The gradient of a norm is 0 where nothing differs, as in digital silence; that of a square root is infinite.
        distance = torch.linalg.vector_norm(target_magnitude - magnitude, dim=(1, 2))
        convergence.append((distance / torch.linalg.vector_norm(target_magnitude, dim=(1, 2))).mean())
        log_magnitude.append(F.l1_loss(magnitude.log(), target_magnitude.log()))
    return {
        "stft/convergence": torch.stack(convergence).mean(),
        "stft/log_magnitude": torch.stack(log_magnitude).mean(),
    }


def mel_loss(estimate: Spectra, target: Spectra, sample_rate: int) -> Tensor:
    """Multi-scale mel distance (arXiv 2306.06546, section 3.4): mean |ln mel − ln mel̂| over items, scales and bands.

    It teaches the spectral envelope sooner than the STFT losses do: no estimate matches the individual bins of noise,
    but a mel band averages several bins and can be matched.

    Args:
        estimate: of waves (B, T).
        target: of waves (B, T).
        sample_rate: of both, in Hz.
    """
    distances = []
    for window, bands in MEL_SCALES:
        filters = _mel_filters(bands, window, sample_rate).to(estimate.wave.device)
        resolution = (window, window // 4, window)
        mel, target_mel = estimate.magnitude(resolution) @ filters, target.magnitude(resolution) @ filters
        distances.append(F.l1_loss(mel.log(), target_mel.log()))
    return torch.stack(distances).mean()


@lru_cache(maxsize=len(MEL_SCALES))
def _mel_filters(bands: int, window: int, sample_rate: int) -> Tensor:
    """Filters (bins, bands) of `mel_triangles`; cached, since computing them costs as much as applying them."""
    return torch.from_numpy(mel_triangles(bands, window, sample_rate)).T


def quadrature_losses(estimate: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Distance between weights of quadrature atoms, by amplitude and by phase.

    Absolute phase is left out, since a mel does not distinguish a wave from its negative. Compared are phase
    differences between neighboring atoms (group delay) and between frames (instantaneous frequency), as in APNet (arXiv
    2305.07952, section 3.3). Their distance is 1 − cos, which needs no phase unwrapping, weighted by the square root of
    the target's amplitudes.

    Args:
        estimate: (B, 2P, K), cosines first.
        target: (B, 2P, K).

    Returns:
        ``pairs/log_amplitude``: mean distance of natural logarithms;
        ``pairs/phase``: weighted mean of both phase distances, 0 to 2.
    """
    estimate_phasors, target_phasors = (torch.complex(*w.float().chunk(2, dim=1)) for w in (estimate, target))
    amplitude, target_amplitude = estimate_phasors.abs(), target_phasors.abs()
    # Of unit length, rotated by the phase error.
    error = estimate_phasors * target_phasors.conj() / (amplitude * target_amplitude + EPSILON**2)
    distances = []
    for axis in (1, 2):
        count = error.shape[axis] - 1
        rotation = error.narrow(axis, 1, count) * error.narrow(axis, 0, count).conj()
        energy = target_amplitude.narrow(axis, 0, count) * target_amplitude.narrow(axis, 1, count)
        weight = energy.sqrt().sqrt()
        distances.append((weight * (1.0 - rotation.real)).sum() / (weight.sum() + EPSILON))
    log_amplitude, target_log_amplitude = ((a + AMPLITUDE_FLOOR).log() for a in (amplitude, target_amplitude))
    return {
        "pairs/log_amplitude": F.l1_loss(log_amplitude, target_log_amplitude),
        "pairs/phase": torch.stack(distances).mean(),
    }


def generator_adversarial_loss(fake: FeatureMaps) -> Tensor:
    """Least-squares GAN loss (arXiv 1611.04076) of a generator: mean squared distance of all logits from 1."""
    return torch.stack([(maps[-1].float() - 1).square().mean() for maps in fake]).mean()


def discriminator_loss(real: FeatureMaps, fake: FeatureMaps) -> Tensor:
    """Least-squares GAN loss of discriminators: logits should be 1 for recordings and 0 for generated waves."""
    return torch.stack(
        [
            (real_maps[-1].float() - 1).square().mean() + fake_maps[-1].float().square().mean()
            for real_maps, fake_maps in zip(real, fake, strict=True)
        ]
    ).mean()


def feature_loss(real: FeatureMaps, fake: FeatureMaps) -> Tensor:
    """Feature matching loss (arXiv 1910.06711, equation 4): mean distance of all feature maps but the logits."""
    return torch.stack(
        [
            F.l1_loss(fake_map.float(), real_map.detach().float())
            for real_maps, fake_maps in zip(real, fake, strict=True)
            for real_map, fake_map in zip(real_maps[:-1], fake_maps[:-1], strict=True)
        ]
    ).mean()


def weighted_sum(losses: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """Weighted sum of losses.

    Raises:
        KeyError: a loss has no weight of the same name.
    """
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
