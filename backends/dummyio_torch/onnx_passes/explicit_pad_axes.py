"""Padding before a maximum, which ONNX Runtime makes a part of the pool.

A maximum over values padded with 0 is at least 0; the padding of a pool itself never wins. Where the values are negative, the
two differ, and an optimization of ONNX Runtime replaces one by the other. It does not touch a ``Pad`` with explicit axes.
"""

from __future__ import annotations

import onnx_ir as ir

__all__ = ["add_pad_axes"]

_OPSET_WITH_AXES = 18
"""The first opset in which ``Pad`` has axes."""


def add_pad_axes(model: ir.Model, *_: object) -> None:
    """Give each ``Pad`` before a ``MaxPool`` its axes."""
    if model.opset_imports.get("", 0) < _OPSET_WITH_AXES:
        return
    for pad in [node for node in model.graph if node.op_type == "Pad"]:
        pads = ir.convenience.get_const_tensor(pad.inputs[1])
        is_pooled = any(user.op_type == "MaxPool" for user in pad.outputs[0].consumers())
        if is_pooled and pads is not None and len(pad.inputs) < 4:
            axes = ir.tensor(range(pads.size // 2), ir.DataType.INT64, name=f"{pad.outputs[0].name}_axes")
            pad.resize_inputs(4)
            value = ir.val(axes.name, const_value=axes)
            model.graph.register_initializer(value)
            pad.replace_input_with(3, value)
