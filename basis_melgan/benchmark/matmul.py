"""A matrix product by itself, by which to know how fast a machine multiplies at best."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from basis_melgan.errors import ConfigurationError
from basis_melgan.export.onnx import OPSET

KINDS = {"float32": ("MatMul", np.float32, TensorProto.FLOAT), "int8": ("MatMulInteger", np.uint8, TensorProto.UINT8)}


def product(precision: str, size: int) -> Callable[[], Any]:
    """What multiplies two matrices of `size` by `size` in ONNX Runtime, on one thread, whenever it is called.

    Args:
        precision: float32, or int8, where bytes times signed bytes of 7 bits add up in 32 bits.
        size: rows and columns.

    Raises:
        ConfigurationError: no such precision.
    """
    if precision not in KINDS:
        raise ConfigurationError(f"precision: {precision}; use one of {', '.join(KINDS)}")
    operator, kind, given = KINDS[precision]
    rng = np.random.default_rng(0)
    left = rng.integers(0, 100, (size, size)).astype(kind)
    right = rng.integers(-64, 64, (size, size)).astype(np.float32 if kind is np.float32 else np.int8)
    made = TensorProto.FLOAT if kind is np.float32 else TensorProto.INT32
    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["made"])],
        "product",
        [helper.make_tensor_value_info("left", given, [size, size])],
        [helper.make_tensor_value_info("made", made, [size, size])],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=10)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"left": left})
