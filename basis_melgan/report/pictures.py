"""Pictures as small gray images, which the page colors, subtracts from one another and gives their axes."""

import base64
import io

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps
from matplotlib.colors import to_hex
from PIL import Image

from basis_melgan.audio.files import Wave
from basis_melgan.audio.stft import stft_magnitude

Array = npt.NDArray[np.float32]

WINDOW = 0.032  # seconds: short enough for consonants, long enough for the harmonics of a low voice
STEP = 0.010  # seconds from column to column
ROWS = 192  # from 0 Hz to half the sample rate
RANGE = 80.0  # dB below the loudest spot of the recording at which a spectrogram ends
QUALITY = 75  # of WebP: an error of about 1.5 dB at a third of the size without loss
STOPS = 17  # colors between which the page interpolates


def levels(wave: Wave, rate: int) -> Array:
    """Levels in dB (ROWS, F), low frequencies first, of a wave (T,) with full scale ±1 at `rate` Hz.

    Power spectra through a Hann window, one every `STEP` seconds, centered; a row is the mean power of its bins.
    """
    window, hop = round(WINDOW * rate), round(STEP * rate)
    padded = np.pad(wave.astype(np.float64), (window // 2, window))
    magnitudes = stft_magnitude(padded, np.hanning(window), hop, max(window, 2 * ROWS))
    power = np.square(magnitudes[: -(-len(wave) // hop)])
    edges = np.linspace(0, power.shape[1], ROWS + 1).round().astype(int)
    rows = np.add.reduceat(power, edges[:-1], axis=1) / np.diff(edges)
    return np.asarray(10.0 * np.log10(np.maximum(rows, 1e-12)), dtype=np.float32).T


def spectrogram(found: Array, peak: float) -> str:
    """The image of levels (ROWS, F) in dB: black `RANGE` below `peak` or softer, white at `peak` or louder."""
    return image((found - peak) / RANGE + 1.0)


def image(values: Array) -> str:
    """A gray WebP (base64) of values (rows, columns) from 0 to 1, the first row at the bottom."""
    gray = np.round(np.clip(values[::-1], 0.0, 1.0) * 255.0).astype(np.uint8)
    content = io.BytesIO()
    Image.fromarray(gray).save(content, "WEBP", quality=QUALITY, method=6)
    return base64.b64encode(content.getvalue()).decode()


def colors() -> list[str]:
    """Stops of magma, perceptually uniform and readable without color vision, from 0 to 1."""
    return [to_hex(color) for color in colormaps["magma"](np.linspace(0.0, 1.0, STOPS))]
