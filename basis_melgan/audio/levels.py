"""Levels of recordings: full scale, and channels that cancel in a downmix."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from basis_melgan.audio.arrays import Float32Array, Float64Array
from basis_melgan.audio.waves import Wave
from basis_melgan.errors import AudioError

Block = Float32Array  # (n, channels)

QUANTUM = 1 / (1 << 15)  # of 16 bits; converters that map -1 to -32 768 / 32 767 exceed full scale by one
IMPLAUSIBLE_PEAK = 64.0  # times full scale (36 dB); beyond it are no recordings, but integers stored as floats
INTEGER_BITS = (16, 24, 32)
CANCELED_FRACTION = 0.1  # of the energy that the mean of uncorrelated channels would have


@dataclass(frozen=True)
class Downmix:
    """A mapping from blocks of a recording to one channel.

    Attributes:
        channel: index of the channel that is used; None for the mean of all.
        gain: factor of the result.
        issues: what is reported about the recording, by kind.
    """

    channel: int | None
    gain: float
    issues: dict[str, str]

    def __call__(self, block: Block) -> Wave:
        """One channel (n,) of a block (n, channels)."""
        channel = 0 if block.shape[1] == 1 else self.channel
        wave = mean(block) if channel is None else block[:, channel]
        return np.ascontiguousarray(wave if self.gain == 1.0 else wave * np.float32(self.gain))


def mean(block: Block) -> Wave:
    """The mean (n,) of the channels of a block (n, channels); NaN for invalid samples, without a warning."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(block.mean(axis=1, dtype=np.float32))


MEAN_DOWNMIX = Downmix(None, 1.0, {})


def choose_downmix(name: str, blocks: Iterable[Block]) -> Downmix:
    """The downmix of a recording, chosen from all its blocks (n, channels).

    It is the mean of the channels, or the loudest channel where they cancel; a recording beyond full scale is scaled
    to it by one gain. A recording with NaN or infinite samples gets the mean, and is left to later checks.

    Raises:
        AudioError: its samples are floating point in the scale of integers; the message calls it `name`.
    """
    peaks, excess_counts, energies = np.zeros(1), np.zeros(1, np.int64), np.zeros(1)
    for block in blocks:
        waves = [mean(block), *map(np.ascontiguousarray, block.T)]
        block_peaks = np.array([max(float(wave.max()), -float(wave.min())) for wave in waves])
        if not np.isfinite(block_peaks).all():
            return MEAN_DOWNMIX
        peaks = np.maximum(peaks, block_peaks)
        if block_peaks.max() > 1.0:
            excess_counts = excess_counts + np.array([np.count_nonzero(np.abs(wave) > 1.0) for wave in waves])
        if block_peaks.max() < IMPLAUSIBLE_PEAK:
            energies = energies + np.array([np.dot(wave, wave) for wave in waves], np.float64)
    _require_scale(name, float(peaks.max()))
    column, issues = _choose_column(energies)
    excess = int(np.broadcast_to(excess_counts, peaks.shape)[column])
    gain, scale_issues = full_scale_gain(float(peaks[column]), excess)
    return Downmix(column - 1 if column else None, gain, issues | scale_issues)


def limit_to_full_scale(wave: Wave) -> tuple[Wave, dict[str, str]]:
    """A wave (T,) scaled to full scale by one gain if it exceeds it, and what is reported about it, by kind.

    Resampling takes a wave beyond full scale that was clipped, or nearly so.
    """
    magnitude = np.abs(wave)
    gain, issues = full_scale_gain(float(magnitude.max(initial=0.0)), int(np.count_nonzero(magnitude > 1.0)))
    return wave if gain == 1.0 else wave * np.float32(gain), issues


def full_scale_gain(peak: float, excess: int) -> tuple[float, dict[str, str]]:
    """The gain that brings a peak to full scale, 1 if it is within, and what is reported about it, by kind.

    Args:
        peak: the largest magnitude.
        excess: number of samples beyond full scale.
    """
    if peak <= 1.0 + QUANTUM:
        return 1.0, {}
    level = 20.0 * np.log10(peak)
    return (1.0 - QUANTUM) / peak, {
        "scaled below full scale": f"{excess} samples beyond full scale, up to +{level:.1f} dBFS; the recording is "
        f"attenuated by {level:.1f} dB"
    }


def _choose_column(energies: Float64Array) -> tuple[int, dict[str, str]]:
    """0 for the mean of all channels, or the number of the loudest from 1 where they cancel, and what is reported."""
    mean_energy, channel_energies = energies[0], energies[1:]
    uncorrelated_energy = channel_energies.mean() / len(channel_energies) if len(channel_energies) else 0.0
    if (
        len(channel_energies) < 2
        or channel_energies.max() == 0.0
        or mean_energy >= CANCELED_FRACTION * uncorrelated_energy
    ):
        return 0, {}
    loudest = int(channel_energies.argmax())
    loss = 10.0 * np.log10(channel_energies.mean() / max(mean_energy, 1e-12 * channel_energies.mean()))
    loss_text = f"{loss:.0f} dB" if loss < 100 else "all"
    return loudest + 1, {
        "one channel used": f"its channels cancel (their mean loses {loss_text} of their level, as if one were "
        f"inverted); only channel {loudest + 1} is used"
    }


def _require_scale(name: str, peak: float) -> None:
    if peak < IMPLAUSIBLE_PEAK:
        return
    bits = next((bits for bits in INTEGER_BITS if peak <= 1 << bits - 1), INTEGER_BITS[-1])
    scale = 1 << bits - 1
    raise AudioError(
        f"{name}: floating point with a peak of {peak:.0f}, as in the scale of {bits}-bit integers; expected full "
        f"scale ±1, so divide by {scale}: ffmpeg -i IN -af volume=1/{scale} OUT.wav"
    )
