"""The level of a recording: whether its samples fit full scale, and whether its channels cancel when they are mixed."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from basis_melgan.audio.waves import Wave
from basis_melgan.errors import AudioError

Block = npt.NDArray[np.float32]  # (n, channels)

QUANTUM = 1 / (1 << 15)  # of 16 bits; full scale is passed by one where -1 was taken for -32 768 / 32 767
IMPLAUSIBLE = 64.0  # times full scale; 36 dB beyond it no recording is, but integers are unless they are all but silent
INTEGER_BITS = (16, 24, 32)
CANCELED = 0.1  # of the energy that channels would keep in their mean if they had nothing in common


@dataclass(frozen=True)
class Downmix:
    """How blocks of a recording become one channel.

    Attributes:
        channel: the one that is taken; None for the mean of all.
        gain: what it is multiplied by.
        issues: what is told of it, by kind.
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
    """The mean (n,) of the channels of a block (n, channels); no number where they hold none, without a warning."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(block.mean(axis=1, dtype=np.float32))


PLAIN = Downmix(None, 1.0, {})


def downmix(name: str, blocks: Iterable[Block]) -> Downmix:
    """How a recording is best mixed down, from all its blocks (n, channels).

    Its channels' mean is taken, or the loudest of them where they cancel; a recording beyond full scale is brought
    below it by one gain. One that holds samples that are no numbers is left to whoever looks for them.

    Raises:
        AudioError: its samples are floating point in the scale of integers; the message calls it `name`.
    """
    peaks, excess, energies = np.zeros(1), np.zeros(1, np.int64), np.zeros(1)
    for block in blocks:
        waves = [mean(block), *map(np.ascontiguousarray, block.T)]
        block_peaks = np.array([max(float(wave.max()), -float(wave.min())) for wave in waves])
        if not np.isfinite(block_peaks).all():
            return PLAIN
        peaks = np.maximum(peaks, block_peaks)
        if block_peaks.max() > 1.0:
            excess = excess + np.array([np.count_nonzero(np.abs(wave) > 1.0) for wave in waves])
        if block_peaks.max() < IMPLAUSIBLE:
            energies = energies + np.array([np.dot(wave, wave) for wave in waves], np.float64)
    _require_scale(name, float(peaks.max()))
    column, issues = _column(energies)
    gain, scaled = full_scale_gain(float(peaks[column]), int(np.broadcast_to(excess, peaks.shape)[column]))
    return Downmix(column - 1 if column else None, gain, issues | scaled)


def limit_to_full_scale(wave: Wave) -> tuple[Wave, dict[str, str]]:
    """A wave (T,) brought below full scale by one gain, unchanged where it is, and what is told of it.

    Resampling takes a wave beyond full scale that was clipped, or all but.
    """
    magnitude = np.abs(wave)
    gain, issues = full_scale_gain(float(magnitude.max(initial=0.0)), int(np.count_nonzero(magnitude > 1.0)))
    return wave if gain == 1.0 else wave * np.float32(gain), issues


def full_scale_gain(peak: float, excess: int) -> tuple[float, dict[str, str]]:
    """The gain that brings a peak below full scale, 1 where it is, and what is told of it.

    Args:
        peak: the largest magnitude.
        excess: samples beyond full scale.
    """
    if peak <= 1.0 + QUANTUM:
        return 1.0, {}
    level = 20.0 * np.log10(peak)
    return (1.0 - QUANTUM) / peak, {
        "scaled below full scale": f"{excess} samples beyond full scale, up to +{level:.1f} dBFS; all of it is made "
        f"{level:.1f} dB softer"
    }


def _column(energies: npt.NDArray[np.float64]) -> tuple[int, dict[str, str]]:
    """0 for the mean of all channels or, where they cancel, 1 and more for the loudest of them, and what is told."""
    mean, channels = energies[0], energies[1:]
    if len(channels) < 2 or channels.max() == 0.0 or mean >= CANCELED * channels.mean() / len(channels):
        return 0, {}
    loudest = int(channels.argmax())
    loss = 10.0 * np.log10(channels.mean() / max(mean, 1e-12 * channels.mean()))
    reach = f"{loss:.0f} dB" if loss < 100 else "all"
    return loudest + 1, {
        "one channel taken": f"its channels cancel ({reach} of their level is lost in their mean, as where one is "
        f"inverted); channel {loudest + 1} alone is taken"
    }


def _require_scale(name: str, peak: float) -> None:
    if peak < IMPLAUSIBLE:
        return
    bits = next((bits for bits in INTEGER_BITS if peak <= 1 << bits - 1), INTEGER_BITS[-1])
    scale = 1 << bits - 1
    raise AudioError(
        f"{name}: floating point with a peak of {peak:.0f}, as in the scale of {bits}-bit integers; expected full "
        f"scale ±1, so divide by {scale}: ffmpeg -i IN -af volume=1/{scale} OUT.wav"
    )
