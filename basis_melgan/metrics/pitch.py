"""Pitch, voicing and periodicity errors: the metrics of CARGAN, over CREPE."""

import functools
import math
import warnings
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.files import Wave, resample
from basis_melgan.errors import AudioError
from basis_melgan.metrics import packages
from basis_melgan.metrics.waves import cache_recent, validate_pair

RATE = 16_000  # Hz; CREPE knows no other
HOP = 185  # samples at RATE: CARGAN's 256 at 22 050 Hz, rounded down as it does
REACH = (1024 - HOP) // 2  # samples mirrored at both ends, so that a frame has its hop in the middle of CREPE's 1 024
LOWEST, HIGHEST = 50.0, 550.0  # Hz; of the pitch
SILENCE = -60.0  # dB, A-weighted; periodicity is 0 below
BIN_ZERO = 1997.3794084376191  # cents over 10 Hz of CREPE's lowest pitch bin
BATCH = 64  # frames that run through the network at once: 0.2 GB
CACHED = 4  # frames that run through its first layer at once, whose megabyte a frame is to stay in the cache
STRIDELESS = range(2, 7)  # convolutions of CREPE without stride, by the numbers it gives them


class PitchErrors(NamedTuple):
    """How far pitch and voicing are off."""

    f0_rmse: float  # cents, over the frames that are voiced in both waves; NaN where there is none
    vuv_f1: float  # F1 score of "voiced", 0 to 1
    periodicity_rmse: float  # of periodicity, 0 to 1, over all frames


class Track(NamedTuple):
    """What CREPE hears in frames of 11.6 ms."""

    pitch: npt.NDArray[np.float64]  # (F,), Hz
    periodicity: npt.NDArray[np.float64]  # (F,), 0 to 1
    voiced: npt.NDArray[np.bool_]  # (F,)


def pitch_errors(reference: Wave, estimate: Wave, rate: int) -> PitchErrors:
    """Errors of pitch, voicing and periodicity between two waves (T,), as CARGAN defines them.

    Morrison et al. 2022, arXiv 2110.10139; the details are those of its repository, descriptinc/cargan
    (`cargan/preprocess/pitch.py`, `cargan/evaluate/objective/metrics.py`). `track` says how frames are heard. The pitch
    error is the root mean square, in cents, over the frames voiced in both waves; F1 counts frames called voiced; the
    periodicity error is the root mean square over all frames. Where we do otherwise:

    - Pitch has no dither. torchcrepe adds triangular noise of ±20 cents to each pitch, so that by its own account a
      recording is √2 · 8.2 = 11.5 cents off itself; the squares of that and of ours add up to the published number.
    - CARGAN pools the frames of all clips, we give numbers per clip.
    - CARGAN stretches its tracks to 256 samples at 22 050 Hz a frame; between two waves of one length that is needless.
    - The whole clip is one Viterbi path, where CARGAN starts anew every 1 024 frames (11.8 s).

    Vocos (gemelo-ai/vocos, `metrics/periodicity.py`) means something else by the same names: hop 160, no padding,
    voiced from a periodicity of 0.21 on, without hysteresis.

    Raises:
        AudioError: lengths differ, a wave is constant or not finite, there are 26 ms or less, or CREPE finds no voiced
            frame in the recording.
        MissingPackageError: torchcrepe is not installed.
    """
    validate_pair(reference, estimate)
    recorded, heard = track(reference, rate), track(estimate, rate)
    if not recorded.voiced.any():
        raise AudioError("pitch: no voiced frame in the recording; use a clip with speech")
    both = recorded.voiced & heard.voiced
    cents = 1200.0 * np.log2(heard.pitch[both] / recorded.pitch[both])
    return PitchErrors(
        f0_rmse=_root_mean_square(cents) if both.any() else math.nan,
        vuv_f1=float(2.0 * both.sum() / (recorded.voiced.sum() + heard.voiced.sum())),
        periodicity_rmse=_root_mean_square(heard.periodicity - recorded.periodicity),
    )


@cache_recent
def track(wave: Wave, rate: int) -> Track:
    """Pitch, periodicity and voicing of a wave (T,) in frames of 185 samples at 16 kHz, by CREPE's full model.

    CARGAN's settings: pitch between 50 and 550 Hz along the Viterbi path; periodicity is the activation of the path's
    bin, and 0 below −60 dB A-weighted; voiced by torchcrepe's hysteresis (0.19, 0.31 at the least once in a stretch,
    and more for a pitch far from the mean).

    Raises:
        AudioError: the wave has 26 ms or less.
        MissingPackageError: torchcrepe is not installed.
    """
    crepe = packages.load("torchcrepe")
    import torch  # takes a second, which no other metric shall wait for

    sound = resample(wave, rate, RATE)
    if len(sound) <= REACH:
        raise AudioError(f"pitch: {len(sound)} samples at {RATE} Hz; more than {REACH} are needed")
    mirrored = torch.from_numpy(np.pad(sound, REACH, mode="reflect"))[None]
    with torch.inference_mode():
        batches = crepe.preprocess(mirrored, RATE, HOP, BATCH, pad=False)
        activations = torch.cat([activate(batch) for batch in batches]).T[None]
        pitch, certain = crepe.postprocess(activations, LOWEST, HIGHEST, _path, return_periodicity=True)
        periodicity = crepe.threshold.Silence(SILENCE)(certain, mirrored, RATE, HOP, pad=False)
        with warnings.catch_warnings():
            # The mean and the spread of no pitch at all, and division by the spread of a monotone.
            warnings.simplefilter("ignore", RuntimeWarning)
            _, threshold = crepe.threshold.Hysteresis(return_threshold=True)(pitch, periodicity)
    voiced = periodicity[0] >= threshold
    return Track(pitch[0].double().numpy(), periodicity[0].double().numpy(), voiced.numpy())


def activate(frames: Any) -> Any:
    """Activations (F, 360) of CREPE's full model, a float tensor, for frames (F, 1024): its own forward pass, faster.

    The sums over 64 samples of up to 1 024 channels, which are nearly all of the work, are made in the Fourier domain.
    That takes a sixth of the time; the result is the same within 1e-5.
    """
    import torch
    from torch.nn import functional as F

    network, kernels = _network()

    def halved(hidden: Any, number: int) -> Any:
        return F.max_pool1d(getattr(network, f"conv{number}_BN")(hidden.relu_()[..., None])[..., 0], 2)

    first = network.conv1
    hidden = torch.cat(
        [
            halved(F.conv1d(F.pad(few, (254, 254)), first.weight[..., 0], first.bias, stride=4), 1)
            for few in frames[:, None].split(CACHED)
        ]
    )
    for number, kernel in kernels.items():
        bias = getattr(network, f"conv{number}").bias[:, None]
        hidden = halved(_correlate(hidden, kernel).add_(bias), number)
    return network.classifier(hidden.transpose(1, 2).flatten(1)).sigmoid()


@functools.cache
def _network() -> tuple[Any, dict[int, Any]]:
    """CREPE's full model, and the spectra (bins, channels in, channels out) of its kernels without stride."""
    crepe = packages.load("torchcrepe")
    import torch

    crepe.load.model("cpu", "full")
    network, kernels, length = crepe.infer.model, {}, 128
    with torch.inference_mode():
        for number in STRIDELESS:
            kernel = torch.nn.functional.pad(getattr(network, f"conv{number}").weight[..., 0], (0, length))
            spectrum = torch.fft.rfft(kernel.roll(-31, 2)).conj()  # 31 of its 64 samples lie before a sum's place
            kernels[number] = spectrum.permute(2, 1, 0).resolve_conj().contiguous()
            length //= 2
    return network, kernels


def _correlate(signals: Any, kernel: Any) -> Any:
    """Correlation (F, channels out, T) of signals (F, channels in, T), silent before and after, with a kernel.

    Of the kernel come spectra (bins, channels in, channels out), over T samples and its own 64: nothing wraps around.
    """
    import torch

    samples = 2 * (len(kernel) - 1)
    spectra = torch.fft.rfft(signals, samples).permute(2, 0, 1)
    return torch.fft.irfft((spectra @ kernel).permute(1, 2, 0), samples)[..., : signals.shape[-1]]


def _path(activations: Any) -> tuple[Any, Any]:
    """Pitch bins (1, F) along the Viterbi path through activations (1, 360, F), and their pitch (1, F) in Hz."""
    crepe = packages.load("torchcrepe")
    bins, _ = crepe.decode.viterbi(activations)
    return bins, crepe.convert.cents_to_frequency(crepe.CENTS_PER_BIN * bins + BIN_ZERO)


def _root_mean_square(values: npt.NDArray[np.float64]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))
