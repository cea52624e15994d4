"""Quantization of a graph: 16-bit inputs of matrix products, and constants stored in 8 or 16 bits."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from basis_melgan.export.quantize import quantize

ROWS, INPUTS, OUTPUTS = 64, 48, 32
CALIBRATION_INPUT = np.linspace(-4.0, 4.0, ROWS * INPUTS, dtype=np.float32).reshape(ROWS, INPUTS)


def two_layers(transposed: bool) -> onnx.ModelProto:
    """x → trunk (INPUTS to INPUTS) → gains (INPUTS to OUTPUTS); the scale of the weights differs by output."""
    rng = np.random.default_rng(0)
    trunk = rng.standard_normal((INPUTS, INPUTS)) * np.logspace(-2, 0, INPUTS) / INPUTS
    gains = rng.standard_normal((INPUTS, OUTPUTS)) / INPUTS
    weights = {"trunk.weight": trunk.T if transposed else trunk, "gains.weight": gains}
    bias = np.linspace(-1.0, 1.0, INPUTS, dtype=np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "trunk.weight", "bias"], ["hidden"], "trunk", transB=int(transposed)),
            helper.make_node("MatMul", ["hidden", "gains.weight"], ["y"], "gains"),
        ],
        "two layers",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", INPUTS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", OUTPUTS])],
        [
            *(numpy_helper.from_array(values.astype(np.float32), name) for name, values in weights.items()),
            numpy_helper.from_array(bias, "bias"),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def outputs(model: onnx.ModelProto, inputs: np.ndarray) -> np.ndarray:
    return np.asarray(InferenceSession(model.SerializeToString()).run(None, {"x": inputs})[0])


@pytest.mark.parametrize("transposed", [False, True])
def test_matrix_products_have_no_8_bit_steps(transposed: bool) -> None:
    model = quantize(two_layers(transposed), [{"x": CALIBRATION_INPUT}], ["gains"], split_inputs=True)
    step = 8.0 / 255.0
    # A row of zeros, and a thousand rows in which one input rises by two 8-bit steps.
    inputs = np.zeros((1_001, INPUTS), np.float32)
    inputs[1:, 7] = np.linspace(0.0, 2.0 * step, 1_000)
    rising = outputs(model, inputs)[1:]
    jumps, total = np.abs(np.diff(rising, axis=0)).max(axis=0), np.abs(rising[-1] - rising[0])
    is_loud = total > 0.1 * total.max()
    assert (jumps[is_loud] < 0.01 * total[is_loud]).all()  # an 8-bit step would be half of it


@pytest.mark.parametrize("transposed", [False, True])
def test_weights_have_8_bits_per_output_and_wide_range_parts_16(transposed: bool) -> None:
    model = quantize(two_layers(transposed), [{"x": CALIBRATION_INPUT}], ["trunk"], split_inputs=True)
    constants = {constant.name: numpy_helper.to_array(constant) for constant in model.graph.initializer}
    assert constants["trunk.weight.integers"].dtype == np.int8
    per_output = np.abs(constants["trunk.weight.integers"]).max(axis=1 if transposed else 0)
    np.testing.assert_array_equal(per_output, 127)  # for outputs with small weights too
    excluded_gains = quantize(two_layers(transposed), [{"x": CALIBRATION_INPUT}], ["gains"], split_inputs=True)
    constants = {constant.name: numpy_helper.to_array(constant) for constant in excluded_gains.graph.initializer}
    assert constants["gains.weight.integers"].dtype == np.int16


def test_values_outside_the_calibrated_range_saturate() -> None:
    model, step = quantize(two_layers(False), [{"x": CALIBRATION_INPUT}], ["gains"], split_inputs=True), 8.0 / 255.0
    inputs = np.stack([np.full(INPUTS, 4.0, np.float32), np.full(INPUTS, 40.0, np.float32)])
    inside, outside = outputs(model, inputs)
    expected = outputs(two_layers(False), inputs[:1])[0]
    np.testing.assert_allclose(inside, expected, atol=0.02)
    np.testing.assert_allclose(outside, inside, atol=2.0 * step)
