"""A Gabor basis: windowed tones, as a reference for learned bases. ConvNeXt generators use those of `pairs`."""

from typing import Literal

import numpy as np

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.errors import ConfigurationError


def gabor(atom_count: int, length: int, phases: Literal[2, 4] = 2) -> Float32Array:
    """Basis (N, L) of tones of unit norm under a Hann window, after Gabor's elementary signals (J. IEE 93, 1946).

    Frequencies are linear: tone m of M = ⌈N / phases⌉ lies at (m + ½)/M of the Nyquist frequency, so that no sine is
    silent. Each tone appears in `phases` consecutive phases, a quarter period apart about the middle of the window;
    where `phases` does not divide N, the last tone lacks some.

    Args:
        atom_count: N.
        length: L, in samples.
        phases: 2 for cosine–sine pairs, as signed weights use them; 4 for their negatives too, without which
            non-negative weights reach only a quarter of the phases.

    Raises:
        ConfigurationError: no atom, or atoms too short for a sine.
    """
    if atom_count < 1 or length < 2:
        raise ConfigurationError(
            f"Gabor basis: {atom_count} atoms of {length} samples; use 1 or more of 2 samples or more"
        )
    tones = -(-atom_count // phases)
    index = np.arange(tones * phases)[:atom_count]
    cycles = (index // phases + 0.5) / (2 * tones)  # per sample
    time = np.arange(length) - (length - 1) / 2
    phase = (2 * np.pi * cycles)[:, None] * time - (np.pi / 2 * (index % phases))[:, None]
    basis = np.cos(phase) * np.cos(np.pi * time / length) ** 2
    return np.asarray(basis / np.linalg.norm(basis, axis=1, keepdims=True), dtype=np.float32)
