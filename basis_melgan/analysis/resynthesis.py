"""The best weights for a wave over a given basis: signed ones, exactly, and non-negative ones, step by step.

Both treat the wave, with silence after it as long as a basis signal reaches over the next ones, as a loop: a frame that
begins in that silence runs on into the start. Weight k of K belongs to the signals that begin at sample k·stride.
"""

import math
from typing import NamedTuple

import numpy as np

from basis_melgan.analysis.basis_measures import Array, at_unit_norm, frame_bounds, frame_operator, polyphase
from basis_melgan.audio.files import Wave

LOST = 1e-10  # of the largest eigenvalue; what a basis makes more weakly than that, it does not make
STEPS = 200  # of the search for non-negative weights, at most
ENOUGH = 1e-11  # of the wave's energy, −110 dB; with an error below that, the search is over


class Resynthesis(NamedTuple):
    """Weights (N, K), and the wave (T,) that they make."""

    weights: Array
    wave: Array


def least_squares(signals: Array, stride: int, wave: Wave) -> Resynthesis:
    """The weights of least norm that make a wave (T,) of basis signals (N, L) with the least squared error.

    They are the pseudo-inverse of the frame operator applied at every frequency of the loop.
    """
    blocks = _blocks(signals, stride, wave)
    frames = len(blocks)
    wanted = np.fft.rfft(blocks, axis=0)
    matrices = polyphase(signals, stride, 2.0 * np.pi * np.arange(len(wanted)) / frames)
    values, vectors = np.linalg.eigh(frame_operator(matrices))
    kept = values > LOST * values.max()
    inverse = np.where(kept, 1.0 / np.where(kept, values, 1.0), 0.0)
    coordinates = inverse * np.einsum("frs,fr->fs", vectors.conj(), wanted)
    weights = np.einsum("fnr,frs,fs->fn", matrices.conj(), vectors, coordinates, optimize=True)
    made = np.fft.irfft(np.einsum("fnr,fn->fr", matrices, weights), frames, axis=0)
    return Resynthesis(np.fft.irfft(weights, frames, axis=0).T, made.reshape(-1)[: len(wave)])


def non_negative(signals: Array, stride: int, wave: Wave) -> Resynthesis:
    """Non-negative weights, such as a ReLU gives, that make a wave (T,) of basis signals (N, L) with little error.

    Accelerated projected gradient (FISTA; Beck and Teboulle, SIAM J. Imaging Sci. 2, 2009) with restarts (O'Donoghue
    and Candès, Found. Comput. Math. 15, 2015), in single precision, for 200 steps or until the error is 110 dB below
    the wave: what it reaches is a lower bound of what the basis can do.
    """
    norms = np.linalg.norm(signals, axis=1)
    unit = at_unit_norm(signals).astype(np.float32)
    wanted = _blocks(signals, stride, wave).astype(np.float32)
    step = np.float32(1.0 / max(frame_bounds(unit.astype(np.float64), stride)[1], 1e-12))
    reach = unit.shape[1] // stride
    enough = ENOUGH * float(np.vdot(wanted, wanted))
    weights = ahead = np.zeros((len(wanted), len(unit)), np.float32)
    momentum = 1.0
    for _ in range(STEPS):
        error = _added_up(ahead @ unit, stride) - wanted
        gradient = np.hstack([np.roll(error, -shift, axis=0) for shift in range(reach)]) @ unit.T
        found = np.maximum(ahead - step * gradient, np.float32(0.0))
        change = found - weights
        if np.vdot(ahead - found, change) > 0.0:
            momentum = 1.0
        following = (1.0 + math.sqrt(1.0 + 4.0 * momentum**2)) / 2.0
        ahead = found + np.float32((momentum - 1.0) / following) * change
        weights, momentum = found, following
        if np.vdot(error, error) < enough:
            break
    made = _added_up(weights @ unit, stride).reshape(-1)[: len(wave)]
    return Resynthesis(weights.T / np.where(norms > 0.0, norms, 1.0)[:, None], made.astype(np.float64))


def _blocks(signals: Array, stride: int, wave: Wave) -> Array:
    """The loop as blocks (K, stride)."""
    frames = -(-len(wave) // stride) + signals.shape[1] // stride - 1
    return np.pad(wave.astype(np.float64), (0, frames * stride - len(wave))).reshape(frames, stride)


def _added_up(pieces: Wave, stride: int) -> Wave:
    """Blocks (K, stride) of overlapping pieces (K, L) that begin one block after another, around the loop."""
    parts = pieces.reshape(len(pieces), -1, stride)
    total = parts[:, 0].copy()
    for shift in range(1, parts.shape[1]):
        total += np.roll(parts[:, shift], shift, axis=0)
    return total
