"""The basis of a separator, and of the vocoders that were compared, as pictures."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from basis_melgan.config.frames import FrameGeometry
from basis_melgan.plotting import basis_spectra
from basis_melgan.report.comparison import Comparison
from basis_melgan.report.pictures import image

SHAPES = 8  # basis signals that are drawn over time, evenly spread over the peak frequencies
Signals = npt.NDArray[np.float32]


def gather(comparison: Comparison, separator: Path | None) -> list[dict[str, Any]]:
    """The bases as JSON objects, first the separator's; one that several models share is drawn once, with their names.

    A vocoder is found where `results.json` says, seen from the working folder or from the comparison's.

    Raises:
        ModelFileError: a file is damaged, of another kind or of a later version, or the separator is missing.
    """
    sources = {system["name"]: _found(comparison, system.get("source")) for system in comparison.content["systems"]}
    vocoders = {name: path for name, path in sources.items() if path is not None}
    if separator is None and not vocoders:
        return []
    from basis_melgan.models import model_file  # PyTorch takes a second to import, and only models need it

    found: list[tuple[list[str], Signals, FrameGeometry]] = []
    if separator is not None:
        model, config = model_file.load_separator(separator)
        found.append(([separator.stem], model.basis.atoms.numpy(), config.frames))
    for name, path in vocoders.items():
        generator, config = model_file.load_vocoder(path)
        signals = generator.basis.atoms.numpy()
        same = [names for names, other, frames in found if frames == config.frames and np.array_equal(other, signals)]
        if same:
            same[0].append(name)
        else:
            found.append(([name], signals, config.frames))
    return [_basis(names, signals, frames) for names, signals, frames in found]


def _found(comparison: Comparison, source: Any) -> Path | None:
    if not isinstance(source, str) or not source.endswith(".safetensors"):
        return None
    return next((path for path in (Path(source), comparison.folder / source) if path.is_file()), None)


def _basis(names: list[str], signals: Signals, frames: FrameGeometry) -> dict[str, Any]:
    """A picture of spectra (bins, N), sorted by peak frequency, and some of the signals over time."""
    spectra = basis_spectra(signals, frames)
    places = np.linspace(0, len(signals) - 1, SHAPES).round().astype(int)
    return {
        "names": names,
        "signals": len(signals),
        "hertz": frames.sample_rate / 2,
        "picture": image(spectra.magnitudes.T),
        "seconds": frames.basis_length / frames.sample_rate,
        "shapes": [
            {
                "hertz": float(spectra.peaks[place]),
                "values": [float(f"{value:.3g}") for value in signals[spectra.order[place]].tolist()],
            }
            for place in places
        ],
    }
