"""Static 8-bit quantization of an exported network, calibrated on mels of speech.

Quantized layers multiply 8-bit integers: weights have one scale per output, inputs one scale that covers the range seen
in calibration (as QuantizeLinear and DequantizeLinear nodes, which backends fuse). In a vocoder, inputs of matrix
products have 16 bits, computed as two 8-bit products, because a single 8-bit quantization step can be audible after an
unmeasurably small change of the mel. Excluded layers compute in floating point; only their weights are stored in fewer
bits.
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

from basis_melgan.audio.arrays import Float32Array
from basis_melgan.config.loading import nearest
from basis_melgan.errors import ConfigurationError
from basis_melgan.export.onnx import errors_only
from basis_melgan.inference.onnx import seal

Feed = Mapping[str, npt.NDArray[Any]]
PRODUCTS = ("MatMul", "Gemm", "Conv")
MIN_STORED_SIZE = 1_000  # constants with fewer values are stored unchanged
WIDE_RANGE_PARTS = ("gains", "basis")  # parts that multiply values with a range of 60 dB, too much for 8 bits
REMAINDER_STEPS = 254  # steps of the lower 8 bits in one of the upper: from -127 to 127


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, feeds: Sequence[Feed]) -> None:
        self._feeds: Iterator[Feed] = iter(feeds)

    def get_next(self) -> Feed | None:
        return next(self._feeds, None)


def quantize_vocoder(source: Path, out: Path, mels: Sequence[Float32Array], exclude_layers: Collection[str]) -> None:
    """Write an exported vocoder with its layers in 8 bits.

    Args:
        source: file of `export`, in floating point.
        out: file to write.
        mels: calibration data, (M, F) each.
        exclude_layers: names of layers, or of parts that contain layers, that stay in floating point.

    Raises:
        ConfigurationError: a name does not exist, or no layer is left to quantize.
    """
    model = onnx.load(source)
    entries = {entry.key: entry.value for entry in model.metadata_props if entry.key != "sha256"}
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
    quantized = quantize(model, feeds, exclude_layers, split_inputs=True)
    entries["info"] = json.dumps(info | {"precision": "int8"})
    del quantized.metadata_props[:]
    onnx.helper.set_model_props(quantized, entries)
    out.write_bytes(seal(quantized.SerializeToString()))


def quantizable_layers(model: onnx.ModelProto, exclude_layers: Collection[str] = ()) -> list[str]:
    """Return the names of the layers of a model that can multiply in 8 bits, first to last, without excluded ones.

    These are matrix products with constant matrices and convolutions, except depthwise ones, which are limited by
    memory access rather than by multiplication.

    Args:
        model: an exported network.
        exclude_layers: names of layers, or of parts that contain layers.

    Raises:
        ConfigurationError: a name does not exist.
    """
    constants = {constant.name for constant in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in PRODUCTS and node.input[1] in constants]
    layers = [node.name for node in products if not _is_grouped(node)]
    excluded: set[str] = set()
    for name in exclude_layers:
        part = {layer for layer in layers if f"{layer}.".startswith(f"{name}.")}
        if not part:
            hint = nearest(name, layers) or f"; use some of {', '.join(layers)}"
            raise ConfigurationError(f"exclude_layers: {name} is neither a layer nor a part that contains layers{hint}")
        excluded |= part
    return [layer for layer in layers if layer not in excluded]


def _is_grouped(node: onnx.NodeProto) -> bool:
    return any(attribute.name == "group" and attribute.i != 1 for attribute in node.attribute)


def quantize(
    model: onnx.ModelProto, feeds: Sequence[Feed], exclude_layers: Collection[str], split_inputs: bool = False
) -> onnx.ModelProto:
    """Return a model whose layers multiply in 8 bits.

    Args:
        model: a network with constant weights, in floating point.
        feeds: inputs to calibrate on.
        exclude_layers: names of layers, or of parts that contain layers, that stay in floating point.
        split_inputs: give inputs of matrix products 16 bits, as two 8-bit products.

    Raises:
        ConfigurationError: a name does not exist, or no layer is left to quantize.
    """
    layers = quantizable_layers(model, exclude_layers)
    if not layers:
        raise ConfigurationError("exclude_layers: names all layers; exclude fewer")
    with tempfile.TemporaryDirectory() as folder, errors_only(logging.getLogger()):
        source, out = Path(folder) / "float.onnx", Path(folder) / "quantized.onnx"
        onnx.save(model, source)
        quantize_static(
            source,
            out,
            _Calibration(feeds),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            # 7-bit weights: processors without VNNI accumulate products in 16 bits, which 8-bit weights can overflow.
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_quantize=layers,
            # The output of a matrix product is quantized as the input of the next one, and only there.
            extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul", "Gemm"]},
        )
        quantized = onnx.load(out)
    if split_inputs:
        _split_inputs(quantized, layers)
    _compress_constants(quantized)
    return quantized


def _split_inputs(model: onnx.ModelProto, layers: Collection[str]) -> None:
    """Add to each 8-bit matrix product the 8-bit product of its input's quantization error.

    Inputs then have 16 bits, at nearly the cost of two products. Convolutions are left alone: backends run them in 8
    bits only if their outputs are quantized too.
    """
    graph = model.graph
    producers = {name: node for node in graph.node for name in node.output}
    constants = {constant.name: constant for constant in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        nodes.append(node)
        if node.name not in layers or node.op_type == "Conv":
            continue
        quantizer = producers[producers[node.input[0]].input[0]]
        step = numpy_helper.to_array(constants[quantizer.input[1]])
        nodes += _remainder_nodes(graph, node, quantizer.input[0], step)
    del graph.node[:]
    graph.node.extend(nodes)


def _remainder_nodes(
    graph: onnx.GraphProto, product: onnx.NodeProto, source: str, step: npt.NDArray[Any]
) -> list[onnx.NodeProto]:
    """Return the nodes that add the product of the remainder: `source` minus its value quantized to `step`."""
    name, (quantized_input, weight), output = product.name, product.input[:2], product.output[0]
    scale, zero = f"{name}.remainder.scale", f"{name}.remainder.zero"
    graph.initializer.append(numpy_helper.from_array(np.asarray(step / REMAINDER_STEPS, np.float32), scale))
    graph.initializer.append(numpy_helper.from_array(np.array(128, np.uint8), zero))
    remainder, integers, dequantized = f"{name}.remainder", f"{name}.remainder.integers", f"{name}.remainder.widened"
    upper, lower = f"{name}.upper", f"{name}.lower"
    product.output[0] = upper
    second_product = helper.make_node(product.op_type, [dequantized, weight], [lower], f"{name}.remainder")
    second_product.attribute.extend(product.attribute)
    return [
        helper.make_node("Sub", [source, quantized_input], [remainder], f"{name}.remainder.subtract"),
        helper.make_node("QuantizeLinear", [remainder, scale, zero], [integers], f"{name}.remainder.round"),
        helper.make_node("DequantizeLinear", [integers, scale, zero], [dequantized], f"{name}.remainder.widen"),
        second_product,
        helper.make_node("Add", [upper, lower], [output], f"{name}.sum"),
    ]


def _compress_constants(model: onnx.ModelProto) -> None:
    """Store large floating-point constants as integers with scales, multiplied when the model is loaded.

    Weights of layers get 8 bits and one scale per output. Others, such as the basis, get 16 bits and one scale per row:
    their rounding noise must stay below the digital silence that band-limited recordings have at high frequencies.
    """
    graph = model.graph
    layers = {
        node.input[1]: node
        for node in graph.node
        if node.op_type in PRODUCTS and node.name.split(".")[0] not in WIDE_RANGE_PARTS
    }
    for constant in list(graph.initializer):
        values, name = numpy_helper.to_array(constant), constant.name
        if values.dtype != np.float32 or values.size < MIN_STORED_SIZE or values.ndim < 2:
            continue
        integer_type = np.int8 if name in layers else np.int16
        axes = _input_axes(layers[name], values.ndim) if name in layers else tuple(range(1, values.ndim))
        scale = np.abs(values).max(axis=axes, keepdims=True) / np.iinfo(integer_type).max
        scale = np.maximum(scale, np.finfo(np.float32).tiny)
        integers = np.round(values / scale).astype(integer_type)
        graph.initializer.remove(constant)
        graph.initializer.append(numpy_helper.from_array(integers, f"{name}.integers"))
        graph.initializer.append(numpy_helper.from_array(scale, f"{name}.scale"))
        cast = helper.make_node(
            "Cast", [f"{name}.integers"], [f"{name}.whole"], f"{name}.cast", to=onnx.TensorProto.FLOAT
        )
        graph.node.insert(0, cast)
        graph.node.insert(1, helper.make_node("Mul", [f"{name}.whole", f"{name}.scale"], [name], f"{name}.widen"))


def _input_axes(layer: onnx.NodeProto, dimensions: int) -> tuple[int, ...]:
    """Return all axes of a layer's weights except the output axis."""
    is_transposed = any(attribute.name == "transB" and attribute.i for attribute in layer.attribute)
    output_axis = 0 if layer.op_type == "Conv" or is_transposed else dimensions - 1
    return tuple(axis for axis in range(dimensions) if axis != output_axis)
