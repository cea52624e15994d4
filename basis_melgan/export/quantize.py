"""An exported network in 8 bits: static quantization of its layers, calibrated on mels of speech.

Layers multiply integers of 8 bits: weights have a scale per output, inputs one scale, into which all fits that was
seen in calibration (ONNX's QuantizeLinear and DequantizeLinear stand around them, which backends fuse). In a vocoder,
inputs of matrix products have 16 bits, in two products of 8: one step of 8 bits is a jump that can be heard where a mel
changes by less than can be measured. Layers that are left out compute in floating point, and only their weights are
stored in fewer bits.
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

from basis_melgan.config.loading import nearest
from basis_melgan.errors import ConfigurationError
from basis_melgan.export.onnx import errors_only
from basis_melgan.inference.backend import Array
from basis_melgan.inference.onnx import sealed

Feed = Mapping[str, npt.NDArray[Any]]
PRODUCTS = ("MatMul", "Gemm", "Conv")
LARGE = 1_000  # values from which a constant is worth storing in fewer bits
SPANNING = ("gains", "basis")  # parts that multiply values that span 60 dB, too much for 8 bits
HALVES = 254  # steps of the lower 8 bits in one of the upper: from -127 to 127


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds: Iterator[Feed] = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


def quantize_vocoder(whole: Path, made: Path, mels: Sequence[Array], leave: Collection[str]) -> None:
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
            "frame_offset": np.array(0),
            "total_frames": np.array(mel.shape[1]),
        }
        for mel in mels
    ]
    quantized = quantize(model, feeds, leave, fine=True)
    entries["info"] = json.dumps(info | {"precision": "int8"})
    del quantized.metadata_props[:]
    onnx.helper.set_model_props(quantized, entries)
    made.write_bytes(sealed(quantized.SerializeToString()))


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


def quantize(
    model: onnx.ModelProto, feeds: Sequence[Feed], leave: Collection[str], fine: bool = False
) -> onnx.ModelProto:
    """A model whose layers, but for those to leave out, multiply in 8 bits.

    Args:
        model: with constant weights.
        feeds: inputs to calibrate on.
        leave: names of layers, or of parts that hold some, that go on computing in floating point.
        fine: give inputs of matrix products 16 bits, in two products of 8.

    Raises:
        ConfigurationError: a name is no layer's, or they are all named.
    """
    layers = chosen(model, leave)
    if not layers:
        raise ConfigurationError("leave: names all layers; leave out none or some")
    with tempfile.TemporaryDirectory() as folder, errors_only(logging.getLogger()):
        whole, made = Path(folder) / "whole.onnx", Path(folder) / "quantized.onnx"
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
        quantized = onnx.load(made)
    if fine:
        _refine(quantized, layers)
    _shorten(quantized)
    return quantized


def _refine(model: onnx.ModelProto, layers: Collection[str]) -> None:
    """Multiply what 8 bits leave of the inputs of matrix products too, in 8 bits more, and add both products.

    Inputs then have 16 bits, at nearly the cost of two products. Not so convolutions: backends multiply them in 8 bits
    only where their outputs have 8 bits too.
    """
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    constants = {constant.name: constant for constant in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        if node.name not in layers or node.op_type == "Conv":
            continue
        rounding = producers[producers[node.input[0]].input[0]]
        step = numpy_helper.to_array(constants[rounding.input[1]])
        nodes += _remainder(graph, node, rounding.input[0], step)
    del graph.node[:]
    graph.node.extend(nodes)


def _remainder(
    graph: onnx.GraphProto, product: onnx.NodeProto, source: str, step: npt.NDArray[Any]
) -> list[onnx.NodeProto]:
    """Nodes that add to a product in 8 bits the product of what rounding its input `source` to steps left over."""
    name, (rounded, weight), output = product.name, product.input[:2], product.output[0]
    scale, zero = f"{name}.remainder.scale", f"{name}.remainder.zero"
    graph.initializer.append(numpy_helper.from_array(np.asarray(step / HALVES, np.float32), scale))
    graph.initializer.append(numpy_helper.from_array(np.array(128, np.uint8), zero))
    rest, integers, widened = f"{name}.remainder", f"{name}.remainder.integers", f"{name}.remainder.widened"
    upper, lower = f"{name}.upper", f"{name}.lower"
    product.output[0] = upper
    second = helper.make_node(product.op_type, [widened, weight], [lower], f"{name}.remainder")
    second.attribute.extend(product.attribute)
    return [
        helper.make_node("Sub", [source, rounded], [rest], f"{name}.remainder.subtract"),
        helper.make_node("QuantizeLinear", [rest, scale, zero], [integers], f"{name}.remainder.round"),
        helper.make_node("DequantizeLinear", [integers, scale, zero], [widened], f"{name}.remainder.widen"),
        second,
        helper.make_node("Add", [upper, lower], [output], f"{name}.sum"),
    ]


def _shorten(model: onnx.ModelProto) -> None:
    """Store large constants of floating point as integers with scales, which are multiplied at loading.

    Weights of layers get 8 bits, with a scale per output. Others, such as the basis, get 16, with a scale per row: what
    its rounding adds must stay below the digital silence that recordings of a narrower band have above it.
    """
    graph = model.graph
    layers = {
        node.input[1]: node
        for node in graph.node
        if node.op_type in PRODUCTS and node.name.split(".")[0] not in SPANNING
    }
    for constant in list(graph.initializer):
        values, name = numpy_helper.to_array(constant), constant.name
        if values.dtype != np.float32 or values.size < LARGE or values.ndim < 2:
            continue
        kind = np.int8 if name in layers else np.int16
        axes = _input_axes(layers[name], values.ndim) if name in layers else tuple(range(1, values.ndim))
        scale = np.abs(values).max(axis=axes, keepdims=True) / np.iinfo(kind).max
        scale = np.maximum(scale, np.finfo(np.float32).tiny)
        graph.initializer.remove(constant)
        graph.initializer.append(numpy_helper.from_array(np.round(values / scale).astype(kind), f"{name}.integers"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        cast = helper.make_node(
            "Cast", [f"{name}.integers"], [f"{name}.whole"], f"{name}.cast", to=onnx.TensorProto.FLOAT
        )
        graph.node.insert(0, cast)
        graph.node.insert(1, helper.make_node("Mul", [f"{name}.whole", f"{name}.scale"], [name], f"{name}.widen"))


def _input_axes(layer: onnx.NodeProto, dimensions: int) -> tuple[int, ...]:
    """Axes of a layer's weights but the one along which its outputs lie."""
    transposed = any(attribute.name == "transB" and attribute.i for attribute in layer.attribute)
    outputs = 0 if layer.op_type == "Conv" or transposed else dimensions - 1
    return tuple(axis for axis in range(dimensions) if axis != outputs)
