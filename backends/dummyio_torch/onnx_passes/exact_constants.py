"""An optimizer that takes only 0 for 0, and only 1 for 1, and keeps the dtypes of weights.

The optimizer of onnxscript removes ``x + 0`` and ``x * 1``, and takes each constant of at most 1e-8 for 0: the epsilon of many
norms. What was 0 / sqrt(0 + epsilon) is then NaN, and all other values are a little off. A norm behind a convolution becomes a
part of its weights; in bfloat16 they are computed in float32 and stay so, and a node whose operands differ in their dtypes is
not valid.
"""

import math
from collections.abc import Generator
from contextlib import contextmanager
from types import SimpleNamespace

import onnx_ir as ir
from onnxscript.rewriter import _matcher

from dummyio.process_state import replace_attributes, replace_functions

_LAYERS = ("Conv", "ConvTranspose", "Gemm")


@contextmanager
def match_constants_exactly() -> Generator[None]:
    """Compare constants exactly with the 0 or 1 of a pattern, while this context is open."""
    functions = SimpleNamespace(isclose=math.isclose)
    with replace_functions(functions, isclose=_is_close), replace_attributes(_matcher, math=functions):
        yield


def _is_close(value: float, expected: float, *, rel_tol: float = 1e-9, abs_tol: float = 0.0) -> bool:
    if expected in (0, 1):
        return value == expected
    return math.isclose(value, expected, rel_tol=rel_tol, abs_tol=abs_tol)


def cast_fused_weights(model: ir.Model, *_: object) -> None:
    """Give the constant operands of each layer that a norm is fused into the dtype of its input."""
    for node in model.graph.all_nodes():
        first = node.inputs[0] if node.op_type in _LAYERS else None
        if first is not None and first.dtype is not None:
            _cast_constants(node, first.dtype)


def _cast_constants(node: ir.Node, dtype: ir.DataType) -> None:
    for value in node.inputs[1:]:
        if value is not None and value.const_value is not None and value.dtype not in (None, dtype):
            value.const_value = ir.tensor(value.const_value.numpy().astype(dtype.numpy()), name=value.name)
            value.dtype = dtype
