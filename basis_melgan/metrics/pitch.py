"""Pitch, voicing and periodicity errors: the metrics of CARGAN, by CREPE."""

import functools
import math
import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.arrays import Float64Array
from basis_melgan.audio.files import Wave, resample
from basis_melgan.errors import AudioError
from basis_melgan.metrics import packages
from basis_melgan.metrics.waves import cache_recent, validate_pair

RATE = 16_000  # Hz, of CREPE
HOP = 185  # samples at RATE: CARGAN's 256 at 22 050 Hz, rounded down as it does
PADDING = (1024 - HOP) // 2  # samples reflected at both ends, which center a frame's hop in CREPE's 1 024 samples
PITCH_RANGE = 50.0, 550.0  # Hz
SILENCE = -60.0  # dB, A-weighted; periodicity is 0 below it
BIN_ZERO = 1997.3794084376191  # cents over 10 Hz of CREPE's lowest pitch bin
BATCH = 64  # frames per pass of the network: 0.2 GB
FIRST_LAYER_BATCH = 4  # frames per pass of its first layer, which at a megabyte each stay in the processor's cache
UNSTRIDED_LAYERS = range(2, 7)  # numbers of CREPE's convolutions without stride


class PitchErrors(NamedTuple):
    """Errors of pitch, voicing and periodicity."""

    f0_rmse: float  # cents, over the frames voiced in both waves; NaN where there is none
    vuv_f1: float  # F1 score of "voiced", 0 to 1
    periodicity_rmse: float  # of periodicity, 0 to 1, over all frames


class PitchTrack(NamedTuple):
    """CREPE's estimates in frames of 11.6 ms."""

    pitch: Float64Array  # (F,), Hz
    periodicity: Float64Array  # (F,), 0 to 1
    voiced: npt.NDArray[np.bool_]  # (F,)


def pitch_errors(reference: Wave, estimate: Wave, rate: int) -> PitchErrors:
    """Errors of pitch, voicing and periodicity between two waves (T,), as CARGAN defines them.

    Morrison et al. 2022, arXiv 2110.10139; the details are those of its repository, descriptinc/cargan
    (`cargan/preprocess/pitch.py`, `cargan/evaluate/objective/metrics.py`). `pitch_track` has the frames. The pitch
    error is the root mean square, in cents, over the frames voiced in both waves; F1 counts frames called voiced; the
    periodicity error is the root mean square over all frames. Deviations:

    - Pitch has no dither. torchcrepe adds triangular noise of ±20 cents to each pitch, so that a recording is
      √2 · 8.2 = 11.5 cents off itself; the squares of that and of this error add up to the published number.
    - CARGAN pools the frames of all clips; here every clip has its own numbers.
    - CARGAN resamples its tracks to 256 samples at 22 050 Hz a frame; for two waves of one length that is unnecessary.
    - A clip has one Viterbi path, where CARGAN starts a new one every 1 024 frames (11.8 s).

    Vocos (gemelo-ai/vocos, `metrics/periodicity.py`) uses the same names for other definitions: hop 160, no padding,
    voiced from a periodicity of 0.21, without hysteresis.

    Raises:
        AudioError: lengths differ, a wave is constant or not finite, there are 26 ms or less, or CREPE finds no voiced
            frame in the recording.
        MissingPackageError: torchcrepe is not installed.
    """
    validate_pair(reference, estimate)
    target, output = pitch_track(reference, rate), pitch_track(estimate, rate)
    if not target.voiced.any():
        raise AudioError("pitch: no voiced frame in the recording; use a clip with speech")
    both = target.voiced & output.voiced
    cents = 1200.0 * np.log2(output.pitch[both] / target.pitch[both])
    return PitchErrors(
        f0_rmse=_root_mean_square(cents) if both.any() else math.nan,
        vuv_f1=float(2.0 * both.sum() / (target.voiced.sum() + output.voiced.sum())),
        periodicity_rmse=_root_mean_square(output.periodicity - target.periodicity),
    )


@cache_recent
def pitch_track(wave: Wave, rate: int) -> PitchTrack:
    """Pitch, periodicity and voicing of a wave (T,) in frames of 185 samples at 16 kHz, by CREPE's full model.

    CARGAN's settings: pitch between 50 and 550 Hz along the Viterbi path; periodicity is the activation of the path's
    bin, and 0 below −60 dB A-weighted; voiced by torchcrepe's hysteresis (0.19, with 0.31 at least
    once in a segment, and more for a pitch far from the mean).

    Raises:
        AudioError: the wave has 26 ms or less.
        MissingPackageError: torchcrepe is not installed.
    """
    crepe = packages.load("torchcrepe")
    import torch  # importing takes a second, which other metrics need not pay

    resampled = resample(wave, rate, RATE)
    if len(resampled) <= PADDING:
        raise AudioError(f"pitch: {len(resampled)} samples at {RATE} Hz; more than {PADDING} are needed")
    padded = torch.from_numpy(np.pad(resampled, PADDING, mode="reflect"))[None]
    with torch.inference_mode():
        batches = crepe.preprocess(padded, RATE, HOP, BATCH, pad=False)
        activations = torch.cat([crepe_activations(batch) for batch in batches]).T[None]
        pitch, activation = crepe.postprocess(activations, *PITCH_RANGE, _viterbi_path, return_periodicity=True)
        periodicity = crepe.threshold.Silence(SILENCE)(activation, padded, RATE, HOP, pad=False)
        with warnings.catch_warnings():
            # Statistics of an empty set of pitches, and division by the deviation of a constant pitch.
            warnings.simplefilter("ignore", RuntimeWarning)
            _, threshold = crepe.threshold.Hysteresis(return_threshold=True)(pitch, periodicity)
    voiced = periodicity[0] >= threshold
    return PitchTrack(pitch[0].double().numpy(), periodicity[0].double().numpy(), voiced.numpy())


def crepe_activations(frames: Any) -> Any:
    """Activations (F, 360) of CREPE's full model, a float tensor, for frames (F, 1024): its own forward pass, faster.

    The convolutions over 64 samples of up to 1 024 channels, which are nearly all of the work, are computed in the
    Fourier domain. That takes a sixth of the time; the result is the same within 1e-5.
    """
    import torch
    from torch.nn import functional as F

    network, kernels = _network()

    def normalize_and_pool(hidden: Any, number: int) -> Any:
        return F.max_pool1d(getattr(network, f"conv{number}_BN")(hidden.relu_()[..., None])[..., 0], 2)

    first = network.conv1
    hidden = torch.cat(
        [
            normalize_and_pool(F.conv1d(F.pad(batch, (254, 254)), first.weight[..., 0], first.bias, stride=4), 1)
            for batch in frames[:, None].split(FIRST_LAYER_BATCH)
        ]
    )
    for number, kernel in kernels.items():
        bias = getattr(network, f"conv{number}").bias[:, None]
        hidden = normalize_and_pool(_correlate(hidden, kernel).add_(bias), number)
    return network.classifier(hidden.transpose(1, 2).flatten(1)).sigmoid()


@functools.cache
def _network() -> tuple[Any, dict[int, Any]]:
    """CREPE's full model, and the spectra (bins, channels in, channels out) of its kernels without stride."""
    crepe = packages.load("torchcrepe")
    import torch

    crepe.load.model("cpu", "full")
    network, kernels, length = crepe.infer.model, {}, 128
    with torch.inference_mode():
        for number in UNSTRIDED_LAYERS:
            kernel = torch.nn.functional.pad(getattr(network, f"conv{number}").weight[..., 0], (0, length))
            spectrum = torch.fft.rfft(kernel.roll(-31, 2)).conj()  # 31 of its 64 samples lie before the output sample
            kernels[number] = spectrum.permute(2, 1, 0).resolve_conj().contiguous()
            length //= 2
    return network, kernels


def _correlate(signals: Any, kernel: Any) -> Any:
    """Correlation (F, channels out, T) of zero-padded signals (F, channels in, T) with a kernel.

    The kernel is given as spectra (bins, channels in, channels out) over T samples and its own 64, so nothing wraps.
    """
    import torch

    samples = 2 * (len(kernel) - 1)
    spectra = torch.fft.rfft(signals, samples).permute(2, 0, 1)
    return torch.fft.irfft((spectra @ kernel).permute(1, 2, 0), samples)[..., : signals.shape[-1]]


def _viterbi_path(activations: Any) -> tuple[Any, Any]:
    """Pitch bins (1, F) along the Viterbi path through activations (1, 360, F), and their pitch (1, F) in Hz."""
    crepe = packages.load("torchcrepe")
    bins, _ = crepe.decode.viterbi(activations)
    return bins, crepe.convert.cents_to_frequency(crepe.CENTS_PER_BIN * bins + BIN_ZERO)


def _root_mean_square(values: Float64Array) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
