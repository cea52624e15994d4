"""The page's data of the bases of a separator and of the compared vocoders."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.config.frames import FrameGeometry
from basis_melgan.plotting import basis_spectra
from basis_melgan.report.comparison import Comparison
from basis_melgan.report.images import gray_image

WAVEFORMS = 8  # atoms that are drawn over time, evenly spaced by peak frequency


class ModelBasis(NamedTuple):
    """The atoms (N, L) of the models that share a basis."""

    names: list[str]
    atoms: Float32Array
    frames: FrameGeometry


def basis_data(comparison: Comparison, separator: Path | None) -> list[dict[str, Any]]:
    """The bases as JSON objects, the separator's first; models that share a basis share one object.

    A vocoder's file is searched at the path in `results.json`, relative to the working folder or to the comparison's.

    Raises:
        ModelFileError: a file is damaged, of another kind or of a later version, or the separator is missing.
    """
    paths = {system.name: _vocoder_path(comparison, system.source) for system in comparison.results.systems}
    vocoders = {name: path for name, path in paths.items() if path is not None}
    if separator is None and not vocoders:
        return []
    from basis_melgan.models import model_file  # PyTorch takes a second to import, and only models need it

    bases: list[ModelBasis] = []
    if separator is not None:
        model, config = model_file.load_separator(separator)
        bases.append(ModelBasis([separator.stem], model.basis.atoms.numpy(), config.frames))
    for name, path in vocoders.items():
        generator, config = model_file.load_generator(path)
        atoms = generator.basis.atoms.numpy()
        equal = (basis for basis in bases if basis.frames == config.frames and np.array_equal(basis.atoms, atoms))
        shared = next(equal, None)
        if shared is not None:
            shared.names.append(name)
        else:
            bases.append(ModelBasis([name], atoms, config.frames))
    return [_basis_object(basis) for basis in bases]


def _vocoder_path(comparison: Comparison, source: str) -> Path | None:
    if not source.endswith(".safetensors"):
        return None
    return next((path for path in (Path(source), comparison.folder / source) if path.is_file()), None)


def _basis_object(basis: ModelBasis) -> dict[str, Any]:
    """An image of the spectra (bins, N) sorted by peak frequency, and the waveforms of some atoms."""
    names, atoms, frames = basis
    spectra = basis_spectra(atoms, frames)
    rows = np.linspace(0, len(atoms) - 1, WAVEFORMS).round().astype(int)
    return {
        "names": names,
        "atoms": len(atoms),
        "hertz": frames.sample_rate / 2,
        "image": gray_image(spectra.magnitudes.T),
        "seconds": frames.basis_length / frames.sample_rate,
        "waveforms": [
            {
                "hertz": float(spectra.peaks[row]),
                "values": [float(f"{value:.3g}") for value in atoms[spectra.order[row]].tolist()],
            }
            for row in rows
        ],
    }
