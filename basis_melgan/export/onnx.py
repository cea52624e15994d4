"""Export of a trained vocoder to one ONNX file: graph, metadata, and a parity check against PyTorch."""

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
from basis_melgan.errors import ConfigurationError, ModelFileError
from basis_melgan.inference.backend import Info
from basis_melgan.inference.onnx import FORMAT, OnnxBackend, seal
from basis_melgan.inference.reference_mel import reference_mel
from basis_melgan.inference.torch import TorchBackend
from basis_melgan.inference.vocoder import Vocoder
from basis_melgan.models.streaming_generator import StreamingGenerator
from basis_melgan.storage import hashing
from basis_melgan.storage.atomic import atomic_write, output_errors
from basis_melgan.storage.paths import require_new_file

OPSET = 20  # the first with Gelu
MAX_CONSTANT_SIZE = 1 << 24  # values
LENGTHS = (1, 250, 3_000)  # mel frames of the parity check
MIN_PEAK = 1e-3  # of full scale; a quieter vocoder cannot be compared
MAX_DIFFERENCE = 1e-4  # of full scale, between ONNX Runtime and PyTorch


def export(source: Path, out: Path, data: str = "", license: str = "", force: bool = False) -> None:
    """Export a trained vocoder to one ONNX file, for `Vocoder.load`.

    The file is kept only if its output in ONNX Runtime differs by at most 1e-4 of full scale from the vocoder's in
    PyTorch, at three lengths of mel. PyTorch computes in double precision, so that its own rounding does not count.

    Args:
        source: the vocoder's model file (.safetensors).
        out: file to write.
        data: description of the training data, for the metadata.
        license: of the model, for the metadata.
        force: replace `out` if it exists.

    Raises:
        OutputError: `out` exists and `force` is not given, or it cannot be written.
        ConfigurationError: `out` has another suffix than .onnx.
        ModelFileError: the vocoder cannot be read, or the outputs differ.
    """
    prepare_output(out, force)
    backend = TorchBackend(source)
    backend.info = dataclasses.replace(backend.info, name=out.stem, training_data=data, license=license)
    console = Console(stderr=True)
    with console.status("exporting"):
        model = to_onnx(backend.model)
    add_metadata(model, backend.info, hashing.sha256_of_file(source))
    with atomic_write(out) as temporary:
        with output_errors(out):
            temporary.write_bytes(seal(model.SerializeToString()))
        with console.status("comparing with PyTorch"):
            difference = compare(Vocoder(TorchBackend(source, torch.float64)), Vocoder(OnnxBackend(temporary)))
    size = out.stat().st_size / 1e6
    console.print(f"{out}: {size:.1f} MB, opset {OPSET}, within {difference:.1e} of PyTorch at {LENGTHS} frames")


def prepare_output(out: Path, force: bool) -> None:
    """Check that an exported file can be written, and make its folder.

    Raises:
        OutputError: `out` exists and `force` is not given, or it cannot be written.
        ConfigurationError: `out` has another suffix than .onnx.
    """
    if out.suffix != ".onnx":
        raise ConfigurationError(f"{out}: a vocoder is exported to a file that ends in .onnx")
    require_new_file(out, force)
    with output_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)


def to_onnx(model: StreamingGenerator) -> onnx.ModelProto:
    """Convert a generator to a graph: mel, state, frame_offset, total_frames → wave, next_state.

    Batch and frames of a chunk may have any size.
    """
    batch, frames = torch.export.Dim("batch"), torch.export.Dim("frames_of_chunk")
    # Two tensors: the exporter would merge one tensor that is passed twice into one input.
    frame_offset, total_frames = torch.tensor(0), torch.tensor(12)
    example = (torch.zeros(2, model.bands, 12), torch.zeros(2, model.state_size), frame_offset, total_frames)
    with warnings.catch_warnings(), errors_only(logging.getLogger("torch.onnx")):  # it warns of a missing torchvision
        warnings.simplefilter("ignore")  # PyTorch warns of its own deprecations
        program = torch.onnx.export(
            model,
            example,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["mel", "state", "frame_offset", "total_frames"],
            output_names=["wave", "next_state"],
            dynamic_shapes=({0: batch, 2: frames}, {0: batch}, None, None),
        )
    exported = cast(torch.onnx.ONNXProgram, program)
    # Compute what depends on weights alone, such as a block's scale times its matrix.
    fold_constants(exported.model, input_size_limit=MAX_CONSTANT_SIZE, output_size_limit=MAX_CONSTANT_SIZE)
    proto = exported.model_proto
    clean(proto)
    return proto


def clean(proto: onnx.ModelProto) -> None:
    """Name a graph's layers after their modules, and remove traces of the exporting machine."""
    graph = proto.graph
    for node in graph.node:
        _name_layer(node)
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    for value in [*graph.value_info, *graph.input, *graph.output, *graph.initializer]:
        value.ClearField("metadata_props")
        value.ClearField("doc_string")
    graph.ClearField("metadata_props")


def _name_layer(node: onnx.NodeProto) -> None:
    """Name a node that multiplies by weights after their module, such as `trunk.0.widen`."""
    if node.op_type not in ("MatMul", "Gemm", "Conv", "ConvTranspose"):
        return
    scopes = next(entry.value for entry in node.metadata_props if entry.key == "pkg.torch.onnx.name_scopes")
    *_, module, _ = ast.literal_eval(scopes)
    # Weights are the second input, or the first where they multiply from the left; transposed ones have no name.
    weights = next((name for name in (node.input[1], node.input[0]) if "." in name), module)
    node.name = weights.removeprefix("generator.").removesuffix(".weight").removesuffix(".atoms")


@contextmanager
def errors_only(logger: logging.Logger) -> Iterator[None]:
    """Suppress a logger's messages below the level of errors."""
    previous_level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(previous_level)


def add_metadata(model: onnx.ModelProto, info: Info, source_hash: str, kind: str = "vocoder") -> None:
    """Add format, kind, configuration, `Info` and the source's hash to a model."""
    model.producer_name, model.producer_version = "basis-melgan", basis_melgan.__version__
    entries = {
        "format": str(FORMAT),
        "kind": kind,
        "config": json.dumps(info.config.to_dict()),
        "info": json.dumps(info.to_dict()),
        "source": source_hash,  # SHA-256 of the exported model file
    }
    onnx.helper.set_model_props(model, entries)


def compare(reference: Vocoder, exported: Vocoder) -> float:
    """Compare an exported vocoder with its reference at several lengths of mel.

    Returns:
        Greatest difference between their samples.

    Raises:
        ModelFileError: it is above `MAX_DIFFERENCE`, or the reference is too quiet to tell.
    """
    greatest = 0.0
    for frames in LENGTHS:
        mel = reference_mel(reference.info, frames)
        expected = reference(mel)
        difference = float(np.abs(expected - exported(mel)).max())
        if not np.abs(expected).max() > MIN_PEAK:
            raise ModelFileError(f"{reference.info.name}: its output is silent, so nothing can be compared")
        if not difference <= MAX_DIFFERENCE:
            raise ModelFileError(
                f"{reference.info.name}: over {frames} frames its ONNX graph differs from PyTorch by {difference:.1e}, "
                f"more than {MAX_DIFFERENCE}; nothing was written"
            )
        greatest = max(greatest, difference)
    return greatest
