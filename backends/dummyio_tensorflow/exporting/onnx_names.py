"""A converted ONNX model with the spec's names: of inputs and outputs, in order, and of their sizes."""

from collections.abc import Mapping, Sequence
from typing import Any

from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Size, evaluate_size, is_static


def declare_names(proto: Any, spec: InputSpec, names: Mapping[str, str], outputs: Sequence[str]) -> Any:
    """Return a model whose inputs have the spec's paths, with both sides in the spec's order and dynamic sizes named.

    Parameters
    ----------
    proto
        An ``onnx.ModelProto``.
    spec
        The inputs and outputs with the names of their sizes.
    names
        Path → the name that the input has in the model.
    outputs
        The outputs in their order, by the names that they have in the model.
    """
    import onnx_ir as ir  # noqa: PLC0415 - lazy: for this format only

    model = ir.from_proto(proto)
    inner = [value for node in ir.traversal.RecursiveGraphIterator(model.graph) for value in node.outputs]
    for value in (*inner, *model.graph.initializers.values()):
        if value.name in names and value.name not in outputs:  # an input will have this name
            value.name = f"{value.name}__inner"
    for values, order in ((model.graph.inputs, list(names.values())), (model.graph.outputs, outputs)):
        by_name = {value.name: value for value in values}
        values[:] = [by_name[name] for name in order]
    leaves = dict(spec.leaves)
    for value, path in zip(model.graph.inputs, names, strict=True):
        value.name = path
        value.shape = ir.Shape(_declared_axes(value.shape, leaves[path].shape, "dim"))
    known = {output.name: output.shape for output in spec.outputs}
    for value in model.graph.outputs:
        if value.shape is not None:
            value.shape = ir.Shape(_declared_axes(value.shape, known.get(value.name), f"{value.name}_dim"))
    return ir.to_proto(model)


def _declared_axes(found: Sequence[Any], shape: Sequence[Size] | None, otherwise: str) -> list[int | str]:
    if shape is not None and len(shape) == len(found):
        return [evaluate_size(size) if is_static(size) else str(size) for size in shape]
    return [size if isinstance(size, int) else f"{otherwise}_{axis}" for axis, size in enumerate(found)]
