"""What the graph of a draft trace shows: sizes that became constants, random numbers, operators that ONNX lacks."""

import operator
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Node

from dummyio.errors import format_error_line
from dummyio.exporting.preview.obstacle import Obstacle
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import find_dims
from dummyio_torch.exporting.tracing.trace_inputs import iterate_dynamic_axes
from dummyio_torch.preview.draft_trace import Kernel
from dummyio_torch.preview.own_lines import Line, choose_line, find_line_of_trace, resolve_line

_FIX = "Fix it (static=NAMES, 'all_but_batch' or 'all'), or compute with the size as a tensor does: without int(), range() or if."
_SWITCHES = {
    "dropout": 2,
    "feature_dropout": 2,
    "alpha_dropout": 2,
    "feature_alpha_dropout": 2,
    "native_dropout": 2,
    "rrelu": 3,
    "scaled_dot_product_attention": 4,
    "lstm": 6,
    "gru": 6,
    "rnn_tanh": 6,
    "rnn_relu": 6,
}
"""Operator → the place of the argument, a mode or a probability, without which it draws nothing."""


def find_fixed_sizes(
    program: ExportedProgram, spec: InputSpec, fixed: Mapping[str, str], files: Collection[str]
) -> Iterator[Obstacle]:
    """Yield an obstacle for each line that made a size a constant, if a dynamic axis of the spec is one in the graph.

    `fixed` is line → equation, as a trace logs them.
    """
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    shapes = [nodes[name].meta["val"].shape for name in program.graph_signature.user_inputs]
    places = dict(zip((path for path, _ in spec.leaves), shapes, strict=True))
    constant, symbols = dict[str, int](), dict[str, str]()
    for path, axis, size in iterate_dynamic_axes(spec):
        found = _resolve_size(places[path][axis], program.range_constraints)
        if isinstance(found, int):
            constant |= {dim.name: found for dim in find_dims(size)}
        elif (other := symbols.setdefault(found, str(size))) != str(size):
            message = f"{size} and {other} are the same size in the graph: the model takes them only if they are equal."
            yield Obstacle("size", message, "Describe them as one dim.")
    if not constant:
        return
    named = ", ".join(f"{name}={size}" for name, size in constant.items())
    lines = [(resolve_line(text, files), equation) for text, equation in fixed.items()] or [(Line(), "")]
    for line, equation in lines:
        reason = f" by the rule {equation}" if equation else ""
        yield Obstacle(
            "size", f"a size becomes a constant{reason}; of the dims, {named} would be constant.", _FIX, *line
        )


def _resolve_size(size: int | torch.SymInt, ranges: Mapping[Any, Any]) -> int | str:
    """Return the size of an axis, or its expression: a symbol may have become a constant, and has a range of one size then."""
    if isinstance(size, int):
        return size
    expression = size.node.expr
    bounds = ranges.get(expression)
    is_constant = expression.is_number or (bounds is not None and bounds.lower == bounds.upper)
    return size.node.hint if is_constant else str(expression)


def find_random_numbers(program: ExportedProgram, files: Collection[str]) -> Iterator[Obstacle]:
    """Yield an obstacle for each line that draws random numbers."""
    lines: dict[Line, str] = {}
    for node in _iterate_calls(program):
        if torch.Tag.nondeterministic_seeded in getattr(node.target, "tags", ()) and _is_random(node):
            lines.setdefault(find_line_of_trace(node.stack_trace, files), _name_operator(node.target))
    for line, name in lines.items():
        yield Obstacle(
            "random",
            f"{name} draws random numbers, so no two runs agree and no validation can compare them.",
            "Make the numbers an input, or leave the operation out in evaluation mode (training=self.training).",
            *line,
        )


def _is_random(node: Node) -> bool:
    """Whether an operator draws numbers with these arguments: some do in training only."""
    name = _name_operator(node.target).partition(".")[0]
    if name not in _SWITCHES:
        return True
    given = node.kwargs.get("train", node.kwargs.get("dropout_p", False))
    return bool(node.args[_SWITCHES[name]] if len(node.args) > _SWITCHES[name] else given)


def find_missing_operators(
    program: ExportedProgram,
    translations: Mapping[Callable[..., Any], Callable[..., Any]],
    opset: int | None,
    files: Collection[str],
) -> Iterator[Obstacle]:
    """Yield an obstacle for each operator of the graph for which the exporter has no translation to ONNX."""
    try:
        nodes = _list_untranslated(program, translations, opset)
    except Exception as error:  # noqa: BLE001 - functions of PyTorch that are not public, and a draft that may be inconsistent
        message = f"the operators were not examined: {format_error_line(error)}"
        yield Obstacle("operator", message, stops=False)
        return
    found: dict[str, list[Line]] = defaultdict(list)
    for node, reason in nodes:
        suffix = " for complex numbers" if "complex" in reason else ""
        found[f"{_name_operator(node.meta.get('original_aten') or node.target)}{suffix}"].append(
            find_line_of_trace(node.stack_trace, files)
        )
    for name, lines in found.items():
        different = list(dict.fromkeys(lines))
        more = (
            f", also at {', '.join(line.where for line in different[1:] if line.where)}" if len(different) > 1 else ""
        )
        yield Obstacle(
            "operator",
            f"ONNX has no translation of {name}{more}.",
            "Compute it by other operators, or write a format that has all operators, .pt2.",
            *different[0],
        )


def _list_untranslated(
    program: ExportedProgram, translations: Mapping[Callable[..., Any], Callable[..., Any]], opset: int | None
) -> list[tuple[Node, str]]:
    # The exporter itself stops at the first one; these are the functions by which it looks for a translation.
    from torch.onnx._internal.exporter import _core, _dispatching, _registration  # noqa: PLC0415 - lazy: needs onnxscript

    registry = _registration.ONNXRegistry.from_torchlib(**({} if opset is None else {"opset_version": max(opset, 18)}))
    for target, function in translations.items():
        registry.register_op(target, function, is_complex=False)
    decomposed = _core._prepare_exported_program_for_export(program, registry=registry)  # noqa: SLF001 - see above
    missing: list[tuple[Node, str]] = []
    for node in _iterate_calls(decomposed):
        if not isinstance(node.target, torch._ops.OpOverload) or node.target.namespace.startswith("onnx"):  # noqa: SLF001 - has no public name
            continue
        found, reason = _dispatching.dispatch(node, registry)
        if found is None:
            missing.append((node, reason))
    return missing


def _iterate_calls(program: ExportedProgram) -> Iterator[Node]:
    """Yield the nodes of operators, also those in the branches of control flow."""
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                if node.op == "call_function" and node.target is not operator.getitem:
                    yield node


def _name_operator(target: Any) -> str:
    """Return the name of an operator without the namespace of PyTorch and the overload that has no name."""
    name = str(target).removeprefix("aten.")
    return name.removesuffix(".default")


def list_kernels(kernels: Sequence[Kernel], files: Collection[str]) -> Iterator[Obstacle]:
    """Yield an obstacle for each operator that does not state the shapes of its results, or states wrong ones."""
    for kernel in kernels:
        wrong = f"states wrong shapes of its results ({kernel.reason})" if kernel.reason else ""
        message = f"the operator {kernel.operator} {wrong or 'does not state the shapes of its results'}."
        remedy = "Register a function that does: torch.library.register_fake."
        yield Obstacle("operator", message, remedy, *choose_line(kernel.frames, files))
