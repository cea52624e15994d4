"""Quantization of a graph: products of inputs in 16 bits, and weights that are stored in as many as they need."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from basis_melgan.export.quantize import quantize

ROWS, INPUTS, OUTPUTS = 64, 48, 32
CALIBRATED = np.linspace(-4.0, 4.0, ROWS * INPUTS, dtype=np.float32).reshape(ROWS, INPUTS)


def two_layers(transposed: bool) -> onnx.ModelProto:
    """x → trunk (INPUTS to INPUTS) → gains (INPUTS to OUTPUTS), of weights that differ in size per output."""
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
def test_no_step_of_8_bits_is_left_in_what_a_product_makes(transposed: bool) -> None:
    model = quantize(two_layers(transposed), [{"x": CALIBRATED}], ["gains"], fine=True)
    step = 8.0 / 255.0
    # The row of zeros, and rows in which one input rises by two steps of 8 bits, in a thousand places.
    inputs = np.zeros((1_001, INPUTS), np.float32)
    inputs[1:, 7] = np.linspace(0.0, 2.0 * step, 1_000)
    rising = outputs(model, inputs)[1:]
    jumps, whole = np.abs(np.diff(rising, axis=0)).max(axis=0), np.abs(rising[-1] - rising[0])
    loud = whole > 0.1 * whole.max()
    assert (jumps[loud] < 0.01 * whole[loud]).all()  # a step of 8 bits would be half of it


@pytest.mark.parametrize("transposed", [False, True])
def test_weights_have_8_bits_per_output_and_those_that_span_60_db_16(transposed: bool) -> None:
    model = quantize(two_layers(transposed), [{"x": CALIBRATED}], ["trunk"], fine=True)
    stored = {constant.name: numpy_helper.to_array(constant) for constant in model.graph.initializer}
    assert stored["trunk.weight.integers"].dtype == np.int8
    per_output = np.abs(stored["trunk.weight.integers"]).max(axis=1 if transposed else 0)
    np.testing.assert_array_equal(per_output, 127)  # also of the outputs whose weights are smallest
    exact = quantize(two_layers(transposed), [{"x": CALIBRATED}], ["gains"], fine=True)
    stored = {constant.name: numpy_helper.to_array(constant) for constant in exact.graph.initializer}
    assert stored["gains.weight.integers"].dtype == np.int16


def test_values_beyond_those_seen_in_calibration_are_held_not_wrapped() -> None:
    model, step = quantize(two_layers(False), [{"x": CALIBRATED}], ["gains"], fine=True), 8.0 / 255.0
    inputs = np.stack([np.full(INPUTS, 4.0, np.float32), np.full(INPUTS, 40.0, np.float32)])
    near, far = outputs(model, inputs)
    expected = outputs(two_layers(False), inputs[:1])[0]
    np.testing.assert_allclose(near, expected, atol=0.02)
    np.testing.assert_allclose(far, near, atol=2.0 * step)
