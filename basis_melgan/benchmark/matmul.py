"""Matrix products in ONNX Runtime, to measure the peak multiply-add rate of a machine."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from basis_melgan.errors import ConfigurationError
from basis_melgan.export.onnx import OPSET

# By precision: the operator, and the types of its left and right inputs and its output.
OPERATORS = {
    "float32": ("MatMul", np.float32, np.float32, np.float32),
    "int8": ("MatMulInteger", np.uint8, np.int8, np.int32),
}


def matrix_product(precision: str, size: int) -> Callable[[], Any]:
    """Return a function that multiplies two matrices of `size` by `size` in ONNX Runtime, on one thread.

    Args:
        precision: float32, or int8: unsigned bytes times signed 7-bit integers, accumulated in 32 bits.
        size: rows and columns.

    Raises:
        ConfigurationError: unknown precision.
    """
    if precision not in OPERATORS:
        raise ConfigurationError(f"precision: {precision}; use one of {', '.join(OPERATORS)}")
    operator, left_type, right_type, output_type = OPERATORS[precision]
    rng = np.random.default_rng(0)
    left_matrix = rng.integers(0, 100, (size, size)).astype(left_type)
    right_matrix = rng.integers(-64, 64, (size, size)).astype(right_type)
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["product"])],
        "matrix_product",
        [helper.make_tensor_value_info("left", _onnx_type(left_type), [size, size])],
        [helper.make_tensor_value_info("product", _onnx_type(output_type), [size, size])],
        [numpy_helper.from_array(right_matrix, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"left": left_matrix})


def _onnx_type(numpy_type: type) -> TensorProto.DataType:
    return helper.np_dtype_to_tensor_dtype(np.dtype(numpy_type))
