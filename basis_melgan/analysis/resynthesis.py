"""Optimal weights of a wave over a fixed basis: signed ones in closed form, non-negative ones by iteration.

Both treat the wave as periodic, with trailing silence as long as the overlap of an atom with later frames: a frame that
begins in that silence wraps around to the start. Weight k of K belongs to the atoms that begin at sample k·stride.
"""

import math
from typing import NamedTuple

import numpy as np

from basis_melgan.analysis.basis_properties import (
    frame_bounds,
    frame_operator,
    normalize_atoms,
    polyphase_matrices,
)
from basis_melgan.audio.arrays import Float32Array, Float64Array
from basis_melgan.audio.files import Wave

RANK_TOLERANCE = 1e-10  # relative to the largest eigenvalue; smaller ones count as 0
MAX_STEPS = 200  # of the iteration for non-negative weights
ERROR_TOLERANCE = 1e-11  # relative to the wave's energy (−110 dB), at which the iteration ends


class Resynthesis(NamedTuple):
    """Weights (N, K), and the wave (T,) that they synthesize."""

    weights: Float64Array
    wave: Float64Array


def least_squares(atoms: Float64Array, stride: int, wave: Wave) -> Resynthesis:
    """Weights of least norm over atoms (N, L) that approximate a wave (T,) with the least squared error.

    They are the pseudo-inverse of the frame operator, applied at every frequency of the periodic wave.
    """
    blocks = _wave_blocks(atoms, stride, wave)
    frames = len(blocks)
    spectrum = np.fft.rfft(blocks, axis=0)
    matrices = polyphase_matrices(atoms, stride, 2.0 * np.pi * np.arange(len(spectrum)) / frames)
    eigenvalues, eigenvectors = np.linalg.eigh(frame_operator(matrices))
    significant = eigenvalues > RANK_TOLERANCE * eigenvalues.max()
    inverse = np.where(significant, 1.0 / np.where(significant, eigenvalues, 1.0), 0.0)
    coordinates = inverse * np.einsum("frs,fr->fs", eigenvectors.conj(), spectrum)
    weights = np.einsum("fnr,frs,fs->fn", matrices.conj(), eigenvectors, coordinates, optimize=True)
    output = np.fft.irfft(np.einsum("fnr,fn->fr", matrices, weights), frames, axis=0)
    return Resynthesis(np.fft.irfft(weights, frames, axis=0).T, output.reshape(-1)[: len(wave)])


def non_negative_least_squares(atoms: Float64Array, stride: int, wave: Wave) -> Resynthesis:
    """Non-negative weights over atoms (N, L), as a ReLU gives, that approximate a wave (T,) with little error.

    Accelerated projected gradient descent (FISTA; Beck and Teboulle, SIAM J. Imaging Sci. 2, 2009) with restarts
    (O'Donoghue and Candès, Found. Comput. Math. 15, 2015), in single precision, for up to 200 steps or until the error
    is 110 dB below the wave. The result is a lower bound on the quality of the optimum.
    """
    norms = np.linalg.norm(atoms, axis=1)
    unit = normalize_atoms(atoms).astype(np.float32)
    target = _wave_blocks(atoms, stride, wave).astype(np.float32)
    step = np.float32(1.0 / max(frame_bounds(unit.astype(np.float64), stride)[1], 1e-12))
    overlap = unit.shape[1] // stride
    max_error = ERROR_TOLERANCE * float(np.vdot(target, target))
    weights = extrapolation = np.zeros((len(target), len(unit)), np.float32)
    momentum = 1.0
    for _ in range(MAX_STEPS):
        error = _overlap_add(extrapolation @ unit, stride) - target
        gradient = np.hstack([np.roll(error, -shift, axis=0) for shift in range(overlap)]) @ unit.T
        projection = np.maximum(extrapolation - step * gradient, np.float32(0.0))
        change = projection - weights
        if np.vdot(extrapolation - projection, change) > 0.0:
            momentum = 1.0
        next_momentum = (1.0 + math.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        extrapolation = projection + np.float32((momentum - 1.0) / next_momentum) * change
        weights, momentum = projection, next_momentum
        if np.vdot(error, error) < max_error:
            break
    output = _overlap_add(weights @ unit, stride).reshape(-1)[: len(wave)]
    return Resynthesis(weights.T / np.where(norms > 0.0, norms, 1.0)[:, None], output.astype(np.float64))


def _wave_blocks(atoms: Float64Array, stride: int, wave: Wave) -> Float64Array:
    """The periodic wave as blocks (K, stride)."""
    frames = -(-len(wave) // stride) + atoms.shape[1] // stride - 1
    return np.pad(wave.astype(np.float64), (0, frames * stride - len(wave))).reshape(frames, stride)


def _overlap_add(segments: Float32Array, stride: int) -> Float32Array:
    """Overlap-add periodic segments (K, L), one every `stride` samples, to blocks (K, stride)."""
    parts = segments.reshape(len(segments), -1, stride)
    total = parts[:, 0].copy()
    for shift in range(1, parts.shape[1]):
        total += np.roll(parts[:, shift], shift, axis=0)
    return total
