"""Small gray images, which the page colors and subtracts from one another."""

import base64
import io

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_hex
from PIL import Image

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.audio.files import Wave
from basis_melgan.audio.stft import stft_magnitude

WINDOW_SECONDS = 0.032  # resolves both consonants and the harmonics of a low voice
HOP_SECONDS = 0.010
ROWS = 192  # from 0 Hz to half the sample rate
DYNAMIC_RANGE = 80.0  # of a spectrogram, in dB below the recording's loudest bin
QUALITY = 75  # of WebP: an error of about 1.5 dB at a third of the lossless size
COLOR_STOPS = 17  # between which the page interpolates


def spectrogram_levels(wave: Wave, rate: int) -> Float32Array:
    """Levels in dB (ROWS, F), low frequencies first, of a wave (T,) with full scale ±1 at `rate` Hz.

    Power spectra with a centered Hann window, one every `HOP_SECONDS`; a row is the mean power of its bins.
    """
    window, hop = round(WINDOW_SECONDS * rate), round(HOP_SECONDS * rate)
    padded = np.pad(wave.astype(np.float64), (window // 2, window))
    magnitudes = stft_magnitude(padded, np.hanning(window), hop, max(window, 2 * ROWS))
    power = np.square(magnitudes[: -(-len(wave) // hop)])
    edges = np.linspace(0, power.shape[1], ROWS + 1).round().astype(int)
    rows = np.add.reduceat(power, edges[:-1], axis=1) / np.diff(edges)
    return np.asarray(10.0 * np.log10(np.maximum(rows, 1e-12)), dtype=np.float32).T


def spectrogram_image(levels: Float32Array, peak: float) -> str:
    """Image of levels (ROWS, F) in dB: white at `peak` and above, black `DYNAMIC_RANGE` below it."""
    return gray_image((levels - peak) / DYNAMIC_RANGE + 1.0)


def gray_image(values: Float32Array) -> str:
    """Gray WebP (base64) of values (rows, columns) from 0 to 1, the first row at the bottom."""
    gray = np.round(np.clip(values[::-1], 0.0, 1.0) * 255.0).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(gray).save(content, "WEBP", quality=QUALITY, method=6)
    return base64.b64encode(content.getvalue()).decode()


def color_stops() -> list[str]:
    """Stops of magma from 0 to 1: perceptually uniform and readable with any color vision."""
    return [to_hex(color) for color in colormaps["magma"](np.linspace(0.0, 1.0, COLOR_STOPS))]
