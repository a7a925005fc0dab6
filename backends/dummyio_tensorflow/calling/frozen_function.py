"""The one recipe behind every artifact: trace, freeze, and wrap again as a flat function with names.

Shorter ways convert without an error and lose something: a converter that is given a Keras model with its variables
writes reads of variables that nothing ever sets; nested inputs lose their names; signatures are dropped if a layer
has a custom gradient. So the model is traced on the flat inputs of the spec, its variables become constants, and
converters get a function of named tensors that captures nothing.
"""

import contextlib
import itertools
import sys
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import convert_to_constants  # pyright: ignore[reportMissingImports]

from dummyio.backend.result_names import name_outputs
from dummyio.errors import ExportError, SourceError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.process_state import replace_attributes
from dummyio.running.signatures import argument_names
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import build_nested
from dummyio_tensorflow.calling.bind_model import bind_spec, expand_composite_tensor
from dummyio_tensorflow.calling.silence import silence_output
from dummyio_tensorflow.dtypes import from_native
from dummyio_tensorflow.graph_edits.contrast import expand_contrasts
from dummyio_tensorflow.graph_edits.new_axes import expand_dims_in_slices
from dummyio_tensorflow.graph_edits.scopes import iterate_nodes, iterate_scopes
from dummyio_tensorflow.graph_edits.sign_bits import compare_signs
from dummyio_tensorflow.graph_edits.variable_writes import leave_out_writes
from dummyio_tensorflow.signature import abstract

_LARGEST = (1 << 31) - (1 << 24)
"""Bytes of constants that fit a graph: it is one protobuf message of at most 2 GiB."""
_VARIABLES = ("VarHandleOp", "ReadVariableOp", "ResourceGather", "AssignVariableOp")
_GATHERS = {"ResourceGather": "GatherV2", "ResourceGatherNd": "GatherNd"}
"""Operations that read parts of a variable → those that take the same parts of its value."""


class TableError(ExportError):
    """A model that looks values up in a table, which only a SavedModel holds."""


@dataclass(frozen=True)
class Frozen:
    """A model without variables, as a flat function."""

    function: Any
    """A ``tf.function`` of tensors in the spec's order that returns a dict; its signature is fixed."""

    graph: Any
    """The frozen concrete function itself, whose outputs have the order but not the names."""

    names: Mapping[str, str]
    """Path → the name that the input has in signatures."""

    outputs: tuple[str, ...]
    """The names of the results, in the model's order."""

    left_out: tuple[str, ...] = ()
    """The operations that write variables which no result depends on: the graph has them no more."""


class UntracedError(ExportError):
    """A model that does not trace on the inputs of its spec, for a `reason` that TensorFlow gave."""

    def __init__(
        self, reason: str, remedy: str = "Check that the spec is this model's, or fix sizes with static=."
    ) -> None:
        super().__init__(f"the model does not trace on the inputs of its spec: {reason} {remedy}")
        self.reason = reason


def nest_tensors(spec: InputSpec, leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Return tensors by path as the spec nests them."""
    return {name: build_nested(node, leaves, name, tuple) for name, node in spec.items()}


def trace_model(model: Any, spec: InputSpec) -> tuple[Any, tuple[str, ...]]:
    """Return the model as a concrete function of the spec's flat inputs, and the names of its results.

    Raises
    ------
    ExportError
        if the model does not trace on these inputs (`UntracedError`), or returns something other than tensors.
    """
    call = bind_spec(model, spec)
    specs = abstract(dict(spec.leaves))
    declared = [output.name for output in spec.outputs]
    names: list[str] = []

    def flat(*tensors: Any) -> list[Any]:
        results = name_outputs(
            call(nest_tensors(spec, dict(zip(specs, tensors, strict=True)))), declared, expand_composite_tensor
        )
        names[:] = results
        return [tf.convert_to_tensor(value) for value in results.values()]

    try:
        function = tf.function(flat, autograph=False).get_concrete_function(*specs.values())
    except SourceError:
        raise
    except Exception as error:
        raise UntracedError(format_error_line(error)) from error
    return function, tuple(names)


def freeze_model(model: Any, spec: InputSpec) -> Frozen:
    """Return the model as a flat function without variables.

    Raises
    ------
    ExportError
        if it does not trace, has state that cannot be frozen, or is too large for one graph.
    """
    function, outputs = trace_model(model, spec)
    if not outputs:
        raise ExportError("the model returns no tensors: there is nothing to export.")
    size = sum(variable.shape.num_elements() * variable.dtype.size for variable in function.variables)
    if size > _LARGEST:
        raise ExportError(
            f"the model has {size / 2**30:.1f} GiB of weights, and a graph with its constants holds 2 GiB at most: "
            "convert it to a narrower dtype first, or export it in parts."
        )
    try:
        with silence_output(), complete_freezing() as left_out:
            # Control flow stays functional: converters no longer read lowered loops.
            graph = convert_to_constants.convert_variables_to_constants_v2(
                function, lower_control_flow=False, aggressive_inlining=True
            )
    except ExportError:
        raise
    except Exception as error:
        raise ExportError(f"the model cannot be frozen: {format_error_line(error)}") from error
    _check_frozen(graph)
    names = argument_names(path for path, _ in spec.leaves)
    specs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name)
        for tensor, name in zip(graph.inputs, names.values(), strict=True)
    ]

    def flat(*tensors: Any) -> dict[str, Any]:
        return {name: tf.identity(value) for name, value in zip(outputs, graph(*tensors), strict=True)}

    return Frozen(tf.function(flat, input_signature=specs, autograph=False), graph, names, outputs, tuple(left_out))


@contextlib.contextmanager
def complete_freezing() -> Generator[list[str]]:
    """Let TensorFlow freeze what it does not freeze alone: gathers in loops and branches, and a frozen graph a second time.

    What a call writes into variables that no result depends on, such as a counter of calls, is left out, and its names are yielded. TensorFlow makes a constant of a variable that is read as a whole anywhere, but leaves gathers in the bodies of loops and branches as they
    are, which then read no variable any more, and refuses those with batches: they become gathers from the whole. And it keeps the names of
    functions without variables although it rewrites them, so that the process has two of one name.
    """
    left_out: list[str] = []
    inline = convert_to_constants._run_inline_graph_optimization  # noqa: SLF001 - nothing between inlining and constants is public

    def inline_and_rewrite(*args: Any, **options: Any) -> Any:
        definition: Any = inline(*args, **options)
        left_out.extend(leave_out_writes(definition, [tensor.op.name for tensor in args[0].outputs]))
        for nodes, reference in iterate_scopes(definition):
            for edit in (_read_whole_variables, expand_dims_in_slices, expand_contrasts, compare_signs):
                edit(nodes, reference)
        _rename_functions(definition)
        return definition

    functional = {*convert_to_constants._CONTROL_FLOW_OPS, "Case", "StatelessCase"}  # noqa: SLF001 - it lists no branches by number
    with replace_attributes(
        convert_to_constants, _run_inline_graph_optimization=inline_and_rewrite, _CONTROL_FLOW_OPS=functional
    ):
        yield left_out


def _read_whole_variables(nodes: Any, reference: str) -> None:
    """Replace gathers from variables in the nodes of a graph or of a function, which refers to results by `reference`."""
    for node in [each for each in nodes if each.op in _GATHERS]:
        read = nodes.add(name=f"{node.name}/variable", op="ReadVariableOp", input=node.input[:1])
        read.attr["dtype"].CopyFrom(node.attr["dtype"])
        kept = {name: node.attr[name] for name in ("Tindices", "batch_dims") if name in node.attr}
        new = nodes.add(name=node.name, op=_GATHERS[node.op], attr=kept)
        new.attr["Tparams"].CopyFrom(node.attr["dtype"])
        new.input.extend([reference.format(read.name, "value"), node.input[1]])
        if new.op == "GatherV2":
            axis = nodes.add(name=f"{node.name}/axis", op="Const")
            axis.attr["dtype"].type = new.attr["Taxis"].type = tf.int32.as_datatype_enum
            axis.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(node.attr["batch_dims"].i, tf.int32))
            new.input.append(reference.format(axis.name, "output"))
        new.input.extend(node.input[2:])  # what it waits for
        nodes.remove(node)


def _rename_functions(definition: Any) -> None:
    """Give the functions of a graph names that no other function of this process has."""
    library = definition.library.function
    names = {each.signature.name: f"{each.signature.name}_{next(_COUNTER)}" for each in library}
    for each in library:
        each.signature.name = names[each.signature.name]
    for node in iterate_nodes(definition):
        for value in node.attr.values():
            called = [value.func] if value.HasField("func") else value.list.func
            for function in called:
                function.name = names.get(function.name, function.name)
    del definition.library.gradient[:]


_COUNTER = itertools.count()


def add_output_specs(spec: InputSpec, frozen: Frozen) -> InputSpec:
    """Return the spec with the model's outputs, if it declares none: formats that sort them by name lose the order."""
    if spec.outputs:
        return spec
    outputs = tuple(
        OutputSpec(name, tensor.shape.as_list() if tensor.shape.is_fully_defined() else None, from_native(tensor.dtype))
        for name, tensor in zip(frozen.outputs, frozen.graph.outputs, strict=True)
    )
    return InputSpec(dict(spec), task=spec.task, outputs=outputs, provenance=spec.provenance)


def _check_frozen(graph: Any) -> None:
    """Refuse a graph that still has state: converted, it would read variables that nothing ever sets."""
    left = sorted({op.name for op in graph.graph.get_operations() if op.type in _VARIABLES})
    tables = sorted({op.name for op in graph.graph.get_operations() if op.type.startswith("LookupTable")})
    if tables:
        raise TableError(
            f"the model looks words or numbers up in a table ({', '.join(tables[:5])}), which this format cannot hold: export a SavedModel, or "
            "look them up before the model (StringLookup, IntegerLookup and TextVectorization run on their own) and export the rest."
        )
    held = [tensor for tensor in (*graph.captured_inputs, *graph.inputs) if tensor.dtype in (tf.resource, tf.variant)]
    if left or held:
        what = ", ".join(left[:5]) if left else f"{len(held)} resources"
        raise ExportError(
            f"the model keeps state that cannot be frozen: {what}. Give it as an input, or compute it in the model."
        )


@contextlib.contextmanager
def without_xla() -> Generator[None]:
    """Trace the grouped convolutions of Keras as plain operations: compiled ones are calls that converters do not open."""
    keras = sys.modules.get("keras.src.backend.tensorflow.nn")
    tf_keras = getattr(sys.modules.get("tf_keras.src.layers.convolutional.base_conv"), "Conv", None)
    with contextlib.ExitStack() as stack:
        if getattr(keras, "tf", None) is tf:
            stack.enter_context(replace_attributes(keras, tf=_Uncompiled()))
        if tf_keras is not None:
            # Both compute the same, so a layer that runs in another thread meanwhile does too.
            stack.enter_context(replace_attributes(tf_keras, _jit_compiled_convolution_op=tf_keras.convolution_op))
        yield


class _Uncompiled:
    """The module ``tensorflow``, but with functions that are never compiled."""

    def __getattr__(self, name: str) -> Any:
        return getattr(tf, name)

    @staticmethod
    def function(function: Any = None, *, jit_compile: bool | None = None, **options: Any) -> Any:
        del jit_compile
        return tf.function(function, **options) if function is not None else tf.function(**options)
