"""Padding before a maximum, which ONNX Runtime makes a part of the pool.

A maximum over values padded with 0 is at least 0; the padding of a pool itself never wins. Where the values are negative, the
two differ, and an optimization of ONNX Runtime replaces one by the other. It does not touch a ``Pad`` with explicit axes.
"""

import onnx_ir as ir

_OPSET_WITH_AXES = 18
"""The first opset in which ``Pad`` has axes."""


def add_pad_axes(model: ir.Model, *_: object) -> None:
    """Give each ``Pad`` before a ``MaxPool`` its axes."""
    if model.opset_imports.get("", 0) < _OPSET_WITH_AXES:
        return
    for node in [node for node in model.graph if node.op_type == "MaxPool"]:
        pad = node.inputs[0].producer() if node.inputs[0] is not None else None
        if pad is None or pad.op_type != "Pad" or len(pad.inputs) > 3 or pad.inputs[1] is None:
            continue
        pads = ir.convenience.get_const_tensor(pad.inputs[1])
        if pads is not None:
            name = f"{pad.outputs[0].name}_axes"
            axes = ir.val(name, const_value=ir.tensor(range(pads.size // 2), ir.DataType.INT64, name=name))
            model.graph.register_initializer(axes)
            pad.resize_inputs(4)
            pad.replace_input_with(3, axes)
