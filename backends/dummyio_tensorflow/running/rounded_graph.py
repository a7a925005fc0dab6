"""Rounds what a frozen graph computes as a file of lower precision does: the error that such a file cannot avoid."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import tensorflow as tf

from dummyio.typing import Array

_PRODUCTS = frozenset(
    {
        "BatchMatMul",
        "BatchMatMulV2",
        "BatchMatMulV3",
        "Conv2D",
        "Conv2DBackpropInput",
        "Conv3D",
        "Conv3DBackpropInputV2",
        "DepthwiseConv2dNative",
        "Einsum",
        "MatMul",
    }
)
"""Operators whose inputs are rounded."""
_TRANSPOSED = ("Conv2DBackpropInput", "Conv3DBackpropInputV2")
"""Of them, those whose first input is a shape."""
_LOOKUPS = ("Gather", "GatherV2", "ResourceGather")
"""Operators whose table is rounded."""
_COPIES = frozenset({"Cast", "ExpandDims", "Identity", "Reshape", "Squeeze", "Transpose"})
"""Operators that return the numbers of their first input."""
_STEPS: Mapping[str, tuple[int, int]] = {"dynamic": (127, 127), "int8": (127, 127), "int16x8": (127, 32767)}
"""Preset → steps up to the largest magnitude, of weights and of activations."""
_HALF = {"float16": tf.float16, "bfloat16": tf.bfloat16}
_REAL = tf.float32.as_datatype_enum


class RoundedGraph:
    """A frozen function with weights and inputs of products rounded, as a function of its inputs in order."""

    def __init__(self, function: Any, precision: str) -> None:
        """Build the graph.

        Parameters
        ----------
        function
            A concrete function without variables.
        precision
            The name of a preset of tolerances: ``"float16"``, ``"bfloat16"``, ``"dynamic"``, ``"int8"``, ``"int16x8"``.
        """
        self._inputs, self._outputs = ([each.name for each in ends] for ends in (function.inputs, function.outputs))
        # A session has functions of its own: in the eager context, those of the model have the same names.
        with tf.Graph().as_default() as graph:
            tf.graph_util.import_graph_def(round_graph(function.graph.as_graph_def(), precision), name="")
        self._session = tf.compat.v1.Session(graph=graph)

    def __call__(self, values: Sequence[Array]) -> list[Array]:
        """Return the outputs in order."""
        return list(self._session.run(self._outputs, dict(zip(self._inputs, values, strict=True))))


def round_graph(graph: Any, precision: str) -> Any:
    """Return a copy of a ``GraphDef`` that rounds weights, and inputs of products and convolutions, to a preset's precision."""
    made = tf.compat.v1.GraphDef()
    made.CopyFrom(graph)
    rules: list[Callable[[Any], Any]]
    if precision in _HALF:
        rules = [partial(_round_to_half, dtype=_HALF[precision])] * 2
    else:
        rules = [partial(_round_to_steps, steps=steps) for steps in _STEPS[precision]]
    any_shape: Any = None
    calls = [
        tf.function(rule, autograph=False).get_concrete_function(tf.TensorSpec(any_shape, tf.float32)).function_def
        for rule in rules
    ]
    names = [call.signature.name for call in calls]
    constants = _find_constants(made.node, frozenset())
    arguments = dict(_find_constant_arguments(made.node, constants))
    _round_nodes(made.node, constants, names, "")
    for function in made.library.function:
        places = arguments.get(function.signature.name, frozenset())
        given = frozenset(arg.name for place, arg in enumerate(function.signature.input_arg) if place in places)
        _round_nodes(function.node_def, _find_constants(function.node_def, given), names, ":output:0")
    made.library.function.extend(calls)
    return made


def _find_constants(nodes: Any, given: frozenset[str]) -> frozenset[str]:
    """Return the names of the nodes whose value is a constant, or a copy of one; nodes may be in any order."""
    found = {node.name for node in nodes if node.op == "Const"} | given
    while True:
        more = {
            node.name
            for node in nodes
            if node.op in _COPIES and node.name not in found and _name_source(node.input[0]) in found
        }
        if not more:
            return frozenset(found)
        found |= more


def _find_constant_arguments(nodes: Any, constants: frozenset[str]) -> Iterator[tuple[str, frozenset[int]]]:
    """Yield the functions that loops and branches call, with the places of their arguments that are constants."""
    for node in nodes:
        first = 1 if node.op in ("If", "StatelessIf", "Case", "StatelessCase") else 0
        places = frozenset(
            place - first for place, source in enumerate(node.input) if _name_source(source) in constants
        )
        for value in node.attr.values():
            for function in [value.func] if value.HasField("func") else value.list.func:
                yield function.name, places


def _find_places(node: Any, constants: frozenset[str]) -> Sequence[int]:
    """Return the inputs of a node that are rounded."""
    if node.op in _PRODUCTS and node.attr["T"].type == _REAL:
        return [
            place for place in range(node.op in _TRANSPOSED, len(node.input)) if not node.input[place].startswith("^")
        ]
    is_table = node.op in _LOOKUPS and node.attr["Tparams"].type == _REAL and _name_source(node.input[0]) in constants
    return [0] if is_table else []


def _name_source(source: str) -> str:
    return source.lstrip("^").split(":")[0]


def _round_nodes(nodes: Any, constants: frozenset[str], names: Sequence[str], suffix: str) -> None:
    """Put a call of a rounding function between each input to be rounded and where it comes from.

    `names` are the functions for weights and for activations, `suffix` is how a node of this graph names the first result of a call.
    """
    made = []
    for node in nodes:
        for place in _find_places(node, constants):
            source = node.input[place]
            is_weight = _name_source(source) in constants
            call = tf.compat.v1.NodeDef(name=f"{node.name}/rounded_{place}", op="PartitionedCall", input=[source])
            for side in ("Tin", "Tout"):
                call.attr[side].list.type.append(_REAL)
            call.attr["f"].func.name = names[0 if is_weight else 1]
            made.append(call)
            node.input[place] = f"{call.name}{suffix}"
    nodes.extend(made)


def _round_to_half(values: Any, *, dtype: Any) -> Any:
    return tf.cast(tf.cast(values, dtype), tf.float32)


def _round_to_steps(values: Any, *, steps: int) -> Any:
    """Return values on a symmetric grid up to their largest finite magnitude."""
    is_finite = tf.math.is_finite(values)
    largest = tf.reduce_max(tf.where(is_finite, tf.abs(values), tf.zeros_like(values)))
    step = tf.where(largest > 0, largest / steps, 1.0)
    return tf.where(is_finite, tf.round(values / step) * step, values)
