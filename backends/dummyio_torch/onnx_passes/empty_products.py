"""Products of a matrix and a vector as products of two matrices: ONNX Runtime refuses the former if the matrix has no rows."""

import onnx_ir as ir


def multiply_matrices(model: ir.Model, *_: object) -> None:
    """Give the vector behind each ``MatMul`` an axis, and take it from the result."""
    graph = model.graph
    for node in [node for node in graph if node.op_type == "MatMul"]:
        left, right = (value.shape if value is not None else None for value in node.inputs)
        if left is None or right is None or len(left) < 2 or len(right) != 1:
            continue
        result = node.outputs[0]
        axes = ir.val(f"{result.name}_axes", const_value=ir.tensor([-1], name=f"{result.name}_axes"))
        graph.register_initializer(axes)
        column = ir.node("Unsqueeze", [node.inputs[1], axes], name=f"{node.name}_column")
        product = ir.node("MatMul", [node.inputs[0], column.outputs[0]], name=f"{node.name}_matrices")
        final = ir.node("Squeeze", [product.outputs[0], axes], name=f"{node.name}_vector")
        name, kind, shape = result.name, result.type, result.shape
        graph.insert_before(node, [column, product, final])
        ir.convenience.replace_all_uses_with(result, final.outputs[0], replace_graph_outputs=True)
        graph.remove(node, safe=True)
        final.outputs[0].name, final.outputs[0].type, final.outputs[0].shape = name, kind, shape
