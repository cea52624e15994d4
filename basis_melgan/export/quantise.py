"""An exported network in 8 bits: static quantisation of its layers, calibrated on what it will hear.

Layers multiply integers of 8 bits: weights have a scale per output, inputs one scale, into which all fits that was
seen in calibration (ONNX's QuantizeLinear and DequantizeLinear stand around them, which engines fuse). Layers that are
left out compute as before, and only their weights are stored in fewer bits.
"""

import json
import logging
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from basis_melgan.errors import ConfigurationError
from basis_melgan.export.onnx import quiet
from basis_melgan.inference.engine import Array
from basis_melgan.inference.onnx import sealed
from basis_melgan.settings import nearest

Feed = Mapping[str, npt.NDArray[Any]]
PRODUCTS = ("MatMul", "Gemm", "Conv")
LARGE = 1_000  # values from which a constant is worth storing in fewer bits


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds: Iterator[Feed] = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


def quantise_vocoder(whole: Path, made: Path, mels: Sequence[Array], leave: Collection[str]) -> None:
    """Write an exported vocoder in 8 bits.

    Args:
        whole: file of `export`.
        made: file to write.
        mels: to calibrate on, (M, F) each.
        leave: names of layers, or of parts that hold some, that go on computing in floating point.

    Raises:
        ConfigurationError: a name is no layer's, or they are all named.
    """
    model = onnx.load(whole)
    entries = {each.key: each.value for each in model.metadata_props if each.key != "sha256"}
    info = json.loads(entries["info"])
    feeds = [
        {
            "mel": mel[None],
            "state": np.zeros((1, info["state_size"]), np.float32),
            "first": np.array(0),
            "frames": np.array(mel.shape[1]),
        }
        for mel in mels
    ]
    quantised = quantise(model, feeds, leave)
    entries["info"] = json.dumps(info | {"precision": "int8"})
    del quantised.metadata_props[:]
    onnx.helper.set_model_props(quantised, entries)
    made.write_bytes(sealed(quantised.SerializeToString()))


def layers_of(whole: Path, leave: Collection[str]) -> list[str]:
    """Names of the layers of an exported model that can multiply in 8 bits, but for those to leave out."""
    return chosen(onnx.load(whole), leave)


def chosen(model: onnx.ModelProto, leave: Collection[str]) -> list[str]:
    """Names of the layers of a model that can multiply in 8 bits, first to last, but for those to leave out.

    They are its matrix products with constant matrices and its convolutions, except depthwise ones: those are slow to
    fetch, not to multiply.

    Raises:
        ConfigurationError: a name is no layer's.
    """
    constants = {each.name for each in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in PRODUCTS and node.input[1] in constants]
    found = [node.name for node in products if all(each.name != "group" or each.i == 1 for each in node.attribute)]
    left: set[str] = set()
    for name in leave:
        part = {layer for layer in found if f"{layer}.".startswith(f"{name}.")}
        if not part:
            near = nearest(name, found) or f"; there are {', '.join(found)}"
            raise ConfigurationError(f"leave: {name} is neither a layer nor a part that holds some{near}")
        left |= part
    return [layer for layer in found if layer not in left]


def quantise(model: onnx.ModelProto, feeds: Sequence[Feed], leave: Collection[str]) -> onnx.ModelProto:
    """A model whose layers, but for those to leave out, multiply in 8 bits.

    Args:
        model: with constant weights.
        feeds: inputs to calibrate on.
        leave: names of layers, or of parts that hold some, that go on computing in floating point.

    Raises:
        ConfigurationError: a name is no layer's, or they are all named.
    """
    layers = chosen(model, leave)
    if not layers:
        raise ConfigurationError("leave: names all layers; leave out none or some")
    with tempfile.TemporaryDirectory() as folder, quiet(logging.getLogger()):
        whole, made = Path(folder) / "whole.onnx", Path(folder) / "quantised.onnx"
        onnx.save(model, whole)
        quantize_static(
            whole,
            made,
            _Calibration(feeds),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            # Weights of 7 bits: processors without VNNI add up products in 16, which full ones would overflow.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=layers,
            # What a matrix product makes is rounded where the next one takes it in, and nowhere else.
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"]},
        )
        quantised = onnx.load(made)
    _shorten(quantised)
    return quantised


def _shorten(model: onnx.ModelProto) -> None:
    """Store large constants of floating point as integers and a scale per row, which are multiplied at loading.

    Weights of convolutions get 8 bits. Others, such as the basis, get 16: what its rounding adds must stay below the
    digital silence that recordings of a narrower band have above it.
    """
    graph = model.graph
    convolved = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    for constant in list(graph.initializer):
        values, name = numpy_helper.to_array(constant), constant.name
        if values.dtype != np.float32 or values.size < LARGE or values.ndim < 2:
            continue
        kind = np.int8 if name in convolved else np.int16
        rows = tuple(range(1, values.ndim))
        scale = np.abs(values).max(axis=rows, keepdims=True) / np.iinfo(kind).max
        scale = np.maximum(scale, np.finfo(np.float32).tiny)
        graph.initializer.remove(constant)
        graph.initializer.append(numpy_helper.from_array(np.round(values / scale).astype(kind), f"{name}.integers"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        cast = helper.make_node(
            "Cast", [f"{name}.integers"], [f"{name}.whole"], f"{name}.cast", to=onnx.TensorProto.FLOAT
        )
        graph.node.insert(0, cast)
        graph.node.insert(1, helper.make_node("Mul", [f"{name}.whole", f"{name}.scale"], [name], f"{name}.widen"))
