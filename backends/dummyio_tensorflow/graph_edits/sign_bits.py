"""The sign bit of a float, which Keras reads as an integer in ``argmax`` and ``argmin``: neither TFLite nor tf2onnx can."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

_FLOAT, _INT = tf.float32.as_datatype_enum, tf.int32.as_datatype_enum


def compare_signs(nodes: Any, reference: str) -> None:
    """Replace ``(bits of x & the highest bit) < 0`` by ``x < 0 or 1 / x < 0`` in the nodes of a graph or of a function.

    Both hold for -0.0. The sign of NaN, which no operator specifies, is lost. `reference` is how a node there refers to a result.
    """
    by_name = {node.name: node for node in nodes}
    for node in [each for each in nodes if each.op == "Less" and each.attr["T"].type == _INT]:
        value = _find_value(by_name, node)
        if value is not None:
            _write(nodes, node, value, reference)


def _find_value(nodes: Mapping[str, Any], less: Any) -> str | None:
    """Return the float whose sign bit is compared; None if this is another comparison."""
    masked, zero = (_source(nodes, name) for name in less.input[:2])
    if masked is None or masked.op != "BitwiseAnd" or _read(zero) != 0:
        return None
    bits, highest = (_source(nodes, name) for name in masked.input[:2])
    if bits is None or bits.op != "Bitcast" or bits.attr["T"].type != _FLOAT or _read(highest) != tf.int32.min:
        return None
    return str(bits.input[0])


def _source(nodes: Mapping[str, Any], name: str) -> Any:
    return nodes.get(name.partition(":")[0])


def _read(node: Any) -> int | None:
    """Return the value of a constant of one number."""
    if node is None or node.op != "Const":
        return None
    values = tf.make_ndarray(node.attr["value"].tensor)
    return int(values.item()) if values.size == 1 else None


def _write(nodes: Any, node: Any, value: str, reference: str) -> None:
    name, waited = node.name, [each for each in node.input if each.startswith("^")]
    nodes.remove(node)
    constants = []
    for text, number in (("zero", 0.0), ("one", 1.0)):
        constant = nodes.add(name=f"{name}/{text}", op="Const")
        constant.attr["dtype"].type = _FLOAT
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(number, tf.float32))
        constants.append(reference.format(constant.name, "output"))
    zero, one = constants
    inverse = nodes.add(name=f"{name}/inverse", op="RealDiv", input=[one, value])
    below = nodes.add(name=f"{name}/below", op="Less", input=[value, zero])
    beside = nodes.add(name=f"{name}/beside", op="Less", input=[reference.format(inverse.name, "z"), zero])
    for new in (inverse, below, beside):
        new.attr["T"].type = _FLOAT
    ends = [reference.format(new.name, "z") for new in (below, beside)]
    nodes.add(name=name, op="LogicalOr", input=[*ends, *waited])
