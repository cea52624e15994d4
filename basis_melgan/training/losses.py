"""Losses, as pure functions of tensors. Lower is better for all of them."""

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

QUIET = 1e-3  # added to amplitudes of pairs before their logarithm
Judged = Sequence[Sequence[Tensor]]  # feature maps of every discriminator of a kind

EPSILON = 1e-8
FIBRES = 4  # frequencies at which coverage is looked at
BREADTH = 100.0  # makes a deviation of a tenth of the band weigh as much as eigenvalues that vary by their mean
MEL_SCALES = ((2048, 160), (1024, 80), (512, 40), (256, 20), (128, 10))  # window in samples, bands


def si_snr(estimate: Tensor, target: Tensor, ceiling: float = math.inf) -> Tensor:
    """Scale-invariant signal-to-noise ratio in dB (arXiv 1809.07454, equation 13), of zero-mean waves.

    Args:
        estimate: (…, T).
        target: (…, T).
        ceiling: dB that the ratio approaches and does not pass (arXiv 2006.12701, section 3.1).

    Returns:
        (…), dB. A silent target gives the ratio of nothing to the estimate, so that silence is rewarded there too.
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
    """Negative SI-SNR in dB of source 0, the speech, under a ceiling; (B, C, T) both, mean over the batch."""
    return -si_snr(estimates[:, 0], targets[:, 0], ceiling).mean()


def permutation_invariant_si_snr_loss(estimates: Tensor, targets: Tensor, ceiling: float = math.inf) -> Tensor:
    """Negative SI-SNR in dB under each item's best assignment of estimates to sources (arXiv 1607.00325).

    Args:
        estimates: (B, C, T).
        targets: (B, C, T).
        ceiling: dB, of `si_snr`.
    """
    pairwise = si_snr(estimates[:, :, None], targets[:, None], ceiling)
    sources = range(estimates.shape[1])
    totals = [torch.stack([pairwise[:, i, j] for i, j in enumerate(order)]).mean(0) for order in permutations(sources)]
    return -torch.stack(totals).amax(dim=0).mean()


def basis_spread(signals: Tensor, stride: int) -> Tensor:
    """How unevenly a basis covers the spectrum, and how broad its signals are; 0 for a tight frame of tones.

    The first is the relative variance of the eigenvalues of its frame operator, which is a matrix (stride, stride) at
    every frequency below the rate of the frames (fibres: Bölcskei et al. 1998, IEEE Trans. SP 46, section III); here at
    `FIBRES` of them. The second is the mean over signals of the variance of their power spectra, in half sample rates.

    Args:
        signals: (N, L).
        stride: samples from one weight frame to the next, a divisor of L.
    """
    blocks = signals.reshape(len(signals), -1, stride)  # (N, L / stride, stride)
    turns = torch.outer((torch.arange(FIBRES) + 0.5) / (2 * FIBRES), torch.arange(blocks.shape[1]).float())
    phasors = torch.exp(-2j * torch.pi * turns).to(signals.device)
    fibres = torch.einsum("fb,nbs->fns", phasors, blocks.to(phasors.dtype))
    operators = fibres.mH @ fibres  # its trace is the sum of its eigenvalues, its square norm that of their squares
    totals, squares = operators.diagonal(dim1=1, dim2=2).real.sum(), operators.abs().square().sum()
    unevenness = squares * FIBRES * stride / totals.square() - 1.0
    power = torch.fft.rfft(signals).abs().square()
    power = power / power.sum(dim=1, keepdim=True)
    place = torch.linspace(0.0, 1.0, power.shape[1], device=signals.device)
    centers = power @ place
    variances: Tensor = power @ place.square() - centers.square()
    return unevenness + BREADTH * variances.mean()


def stft_losses(estimate: Spectra, target: Spectra, resolutions: Sequence[Resolution]) -> dict[str, Tensor]:
    """Multi-resolution STFT loss (arXiv 1910.11480, equations 4 to 6), mean over items and resolutions.

    Each item's magnitudes are compared with its own target's, so that a batch divided among processes gives the same.

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
        magnitude, target_magnitude = estimate.at(resolution), target.at(resolution)
        # Norms, whose gradient is 0 where nothing differs, as in digital silence; that of a root is infinite there.
        distance = torch.linalg.vector_norm(target_magnitude - magnitude, dim=(1, 2))
        convergence.append((distance / torch.linalg.vector_norm(target_magnitude, dim=(1, 2))).mean())
        log_magnitude.append(F.l1_loss(magnitude.log(), target_magnitude.log()))
    return {
        "stft/convergence": torch.stack(convergence).mean(),
        "stft/log_magnitude": torch.stack(log_magnitude).mean(),
    }


def mel_loss(estimate: Spectra, target: Spectra, rate: int) -> Tensor:
    """Multi-scale mel distance (arXiv 2306.06546, section 3.4): mean |ln mel − ln mel̂| over items, scales and bands.

    Where a spectrum is noise, no estimate meets its bins; a band holds the mean of several, which it can meet. So this
    teaches the envelope sooner than the STFT losses do.

    Args:
        estimate: of waves (B, T).
        target: of waves (B, T).
        rate: of both, in Hz.
    """
    distances = []
    for window, bands in MEL_SCALES:
        filters = _filters(bands, window, rate).to(estimate.wave.device)
        ours, theirs = (spectra.at((window, window // 4, window)) @ filters for spectra in (estimate, target))
        distances.append(F.l1_loss(ours.log(), theirs.log()))
    return torch.stack(distances).mean()


@lru_cache(maxsize=len(MEL_SCALES))
def _filters(bands: int, window: int, rate: int) -> Tensor:
    """Filters (bins, bands) of `mel_triangles`, kept: they take as long as their products do."""
    return torch.from_numpy(mel_triangles(bands, window, rate)).T


def pair_losses(estimate: Tensor, target: Tensor) -> dict[str, Tensor]:
    """How far weights of quadrature pairs are from others, by amplitude and by phase.

    Phases count by their differences from pair to pair, the group delay, and from frame to frame, the frequency, as
    in APNet (arXiv 2305.07952, section 3.3), for a mel does not tell a wave from its negative. Distances on the circle
    are 1 − cos, which needs no unwrapping, and weigh as the root of the target's amplitudes there.

    Args:
        estimate: (B, 2P, K), cosines first.
        target: (B, 2P, K).

    Returns:
        ``pairs/log_amplitude``: mean distance of natural logarithms;
        ``pairs/phase``: weighted mean of both distances, 0 to 2.
    """
    ours, theirs = (torch.complex(*weights.float().chunk(2, dim=1)) for weights in (estimate, target))
    level, aim = ours.abs(), theirs.abs()
    error = ours * theirs.conj() / (level * aim + EPSILON**2)  # of length 1, turned by the error of phase
    distances = []
    for axis in (1, 2):
        count = error.shape[axis] - 1
        one, next_one = error.narrow(axis, 0, count), error.narrow(axis, 1, count)
        weight = (aim.narrow(axis, 0, count) * aim.narrow(axis, 1, count)).sqrt().sqrt()
        distances.append((weight * (1.0 - (one * next_one.conj()).real)).sum() / (weight.sum() + EPSILON))
    return {
        "pairs/log_amplitude": F.l1_loss((level + QUIET).log(), (aim + QUIET).log()),
        "pairs/phase": torch.stack(distances).mean(),
    }


def generator_adversarial_loss(judged: Judged) -> Tensor:
    """Least-squares loss (arXiv 1611.04076) of a generator, which wants every chain's last map to be 1; their mean."""
    return torch.stack([(maps[-1].float() - 1).square().mean() for maps in judged]).mean()


def discriminator_loss(real: Judged, made: Judged) -> Tensor:
    """Least-squares loss of chains whose last maps should be 1 on recordings and 0 on what the generator made."""
    return torch.stack(
        [(r[-1].float() - 1).square().mean() + m[-1].float().square().mean() for r, m in zip(real, made, strict=True)]
    ).mean()


def feature_loss(real: Judged, made: Judged) -> Tensor:
    """Feature matching (arXiv 1910.06711, equation 4): mean distance of all maps but the last; mean over chains."""
    return torch.stack(
        [
            F.l1_loss(ours.float(), theirs.detach().float())
            for r, m in zip(real, made, strict=True)
            for theirs, ours in zip(r[:-1], m[:-1], strict=True)
        ]
    ).mean()


def total(losses: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """Weighted sum of losses.

    Raises:
        KeyError: a loss has no weight of the same name.
    """
    return torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
