"""A trained vocoder as one ONNX file: its graph, what it says of itself, and the gate that it has to pass."""

import ast
import dataclasses
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
from onnxscript.optimizer import fold_constants
from rich.console import Console

import basis_melgan
from basis_melgan.audio import files
from basis_melgan.errors import ConfigurationError, ModelFileError, OutputError
from basis_melgan.inference.backend import Info
from basis_melgan.inference.onnx import FORMAT, OnnxBackend, sealed
from basis_melgan.inference.reference_mel import reference_mel
from basis_melgan.inference.torch import TorchBackend
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.models.streaming_generator import StreamingGenerator
from basis_melgan.storage import hashing

OPSET = 20  # the first with Gelu
LARGEST = 1 << 24  # values of a constant
LENGTHS = (1, 250, 3_000)  # mel frames of the gate
QUIET = 1e-3  # of full scale, which a vocoder has to reach for a comparison to say something
PARITY = 1e-4  # of full scale, by which ONNX Runtime and PyTorch may differ


def export(source: Path, out: Path, data: str = "", license: str = "", force: bool = False) -> None:
    """Write a trained vocoder as one ONNX file, which `Vocoder.load` takes.

    The file is kept only if ONNX Runtime makes of it, to 1e-4 of full scale, what PyTorch makes of the vocoder, at
    three lengths of mel. PyTorch does so in double precision: what it rounds itself is no fault of the file.

    Args:
        source: the vocoder's file.
        out: file to write.
        data: what it was trained on.
        license: under which it may be used.
        force: replace `out` if it exists.

    Raises:
        OutputError: `out` exists and `force` is not given, or it cannot be written.
        ConfigurationError: `out` has another suffix than .onnx.
        ModelFileError: the vocoder cannot be used, or its graph says something else than it.
    """
    prepare_place(out, force)
    backend = TorchBackend(source)
    backend.info = dataclasses.replace(backend.info, name=out.stem, data=data, license=license)
    console = Console(stderr=True)
    with console.status("exporting"):
        model = graph(backend.model)
    describe(model, backend.info, hashing.of_file(source))
    aside = out.with_name(f".{out.stem}.part.onnx")
    try:
        aside.write_bytes(sealed(model.SerializeToString()))
        with console.status("comparing with PyTorch"):
            worst = parity(Vocoder(TorchBackend(source, torch.float64)), Vocoder(OnnxBackend(aside)))
        aside.replace(out)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error}); choose a writable place") from error
    finally:
        aside.unlink(missing_ok=True)
    size = out.stat().st_size / 1e6
    console.print(f"{out}: {size:.1f} MB, opset {OPSET}, at most {worst:.1e} from PyTorch at {LENGTHS} frames")


def prepare_place(out: Path, force: bool) -> None:
    """Refuse a place for an exported file that will not do, and make its folder.

    Raises:
        OutputError: `out` exists and `force` is not given, or it cannot be written.
        ConfigurationError: `out` has another suffix than .onnx.
    """
    if out.suffix != ".onnx":
        raise ConfigurationError(f"{out}: a vocoder is exported to a file that ends in .onnx")
    files.require_new(out, force)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out}: cannot be written ({error}); choose a writable place") from error


def graph(model: StreamingGenerator) -> onnx.ModelProto:
    """The graph of a streamed generator: mel, state, first, frames → wave, next_state; batch and frames of any size."""
    batch, frames = torch.export.Dim("batch"), torch.export.Dim("frames_of_chunk")
    # Two tensors, since one that is given twice would be exported as one input.
    first, whole = torch.tensor(0), torch.tensor(12)
    example = (torch.zeros(2, model.bands, 12), torch.zeros(2, model.state_size), first, whole)
    with warnings.catch_warnings(), quiet(logging.getLogger("torch.onnx")):  # it misses torchvision
        warnings.simplefilter("ignore")  # PyTorch's, of its own deprecations
        program = torch.onnx.export(
            model,
            example,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["mel", "state", "first", "frames"],
            output_names=["wave", "next_state"],
            dynamic_shapes=({0: batch, 2: frames}, {0: batch}, None, None),
        )
    exported = cast(torch.onnx.ONNXProgram, program)
    # What is computed of weights alone, of any size: a block's scale times its matrix.
    fold_constants(exported.model, input_size_limit=LARGEST, output_size_limit=LARGEST)
    found = exported.model_proto
    tidy(found)
    return found


def tidy(found: onnx.ModelProto) -> None:
    """Name a graph's layers after their modules, and take out traces of the exporting machine."""
    for node in found.graph.node:
        _name(node)
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in [*found.graph.value_info, *found.graph.input, *found.graph.output, *found.graph.initializer]:
        value.ClearField("metadata_props")
        value.ClearField("doc_string")
    found.graph.ClearField("metadata_props")


def _name(node: onnx.NodeProto) -> None:
    """Call a node that multiplies by weights after the module that holds them, such as `trunk.0.widen`."""
    if node.op_type not in ("MatMul", "Gemm", "Conv", "ConvTranspose"):
        return
    scopes = next(each.value for each in node.metadata_props if each.key == "pkg.torch.onnx.name_scopes")
    *_, module, _ = ast.literal_eval(scopes)
    # Weights come second, or first where they multiply from the left; what is transposed loses its name.
    held = next((name for name in (node.input[1], node.input[0]) if "." in name), module)
    node.name = held.removeprefix("generator.").removesuffix(".weight").removesuffix(".signals")


@contextmanager
def quiet(logger: logging.Logger) -> Iterator[None]:
    """Let a logger say nothing but errors."""
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def describe(model: onnx.ModelProto, info: Info, source_hash: str, kind: str = "vocoder") -> None:
    """Write into a model's metadata what it is."""
    model.producer_name, model.producer_version = "basis-melgan", basis_melgan.__version__
    entries = {
        "format": str(FORMAT),
        "kind": kind,
        "config": json.dumps(info.config.to_dict()),
        "info": json.dumps(info.to_dict()),
        "source": source_hash,  # SHA-256 of the file it was made from
    }
    onnx.helper.set_model_props(model, entries)


def parity(reference: Vocoder, exported: Vocoder) -> float:
    """How far an exported vocoder is from its reference at the gate's lengths: the greatest difference of samples.

    Raises:
        ModelFileError: further than `PARITY`.
    """
    worst = 0.0
    for frames in LENGTHS:
        mel = reference_mel(reference.info, frames)
        expected = reference(mel)
        off = float(np.abs(expected - exported(mel)).max())
        if not np.abs(expected).max() > QUIET:
            raise ModelFileError(f"{reference.info.name}: is silent where there is sound, so nothing can be compared")
        if not off <= PARITY:
            raise ModelFileError(
                f"{reference.info.name}: over {frames} frames its graph says something {off:.1e} away from PyTorch, "
                f"more than {PARITY}; nothing was written"
            )
        worst = max(worst, off)
    return worst
