"""The one recipe behind every artifact: trace, freeze, and wrap again as a flat function with names.

Shorter ways convert without an error and lose something: a converter that is given a Keras model with its variables
writes reads of variables that nothing ever sets; nested inputs lose their names; signatures are dropped where a layer
has a custom gradient. So the model is traced on the flat inputs of the spec, its variables become constants, and what
converters see is a function of named tensors that captures nothing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import (  # pyright: ignore[reportMissingImports]
    convert_variables_to_constants_v2,
)

from dummyio.backend.result_names import name_outputs
from dummyio.errors import ExportError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import build_nested
from dummyio_tensorflow.calling.bind_model import bind_model, expand_composite_tensor
from dummyio_tensorflow.calling.silence import quiet
from dummyio_tensorflow.dtypes import from_native
from dummyio_tensorflow.signature import abstract, argument_names

__all__ = ["Frozen", "add_output_specs", "check_names_apart", "freeze_model", "nested", "trace", "without_xla"]

_LARGEST = (1 << 31) - (1 << 24)
"""Bytes of constants that fit a graph: it is one protobuf message, which ends at 2 GiB."""
_VARIABLES = ("VarHandleOp", "ReadVariableOp", "ResourceGather", "AssignVariableOp")


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


def nested(spec: InputSpec, leaves: Mapping[str, Any]) -> dict[str, Any]:
    """Return tensors by path as the spec nests them."""
    return {name: build_nested(node, leaves, name, tuple) for name, node in spec.items()}


def trace(model: Any, spec: InputSpec) -> tuple[Any, tuple[str, ...]]:
    """Return the model as a concrete function of the spec's flat inputs, and the names of its results.

    Raises
    ------
    ExportError
        where the model does not trace on these inputs, or returns something that is no tensor.
    """
    call = bind_model(model, list(spec))
    specs = abstract(dict(spec.leaves))
    declared = [output.name for output in spec.outputs]
    names: list[str] = []

    def flat(*tensors: Any) -> list[Any]:
        results = name_outputs(
            call(nested(spec, dict(zip(specs, tensors, strict=True)))), declared, expand_composite_tensor
        )
        names[:] = results
        return [tf.convert_to_tensor(value) for value in results.values()]

    try:
        function = tf.function(flat, autograph=False).get_concrete_function(*specs.values())
    except SourceError:
        raise
    except Exception as error:
        raise ExportError(
            f"the model does not trace on the inputs of its spec: {type(error).__name__}: {_first(error)} "
            "Check that the spec is this model's, or fix sizes with static=."
        ) from error
    return function, tuple(names)


def freeze_model(model: Any, spec: InputSpec) -> Frozen:
    """Return the model as a flat function without variables.

    Raises
    ------
    ExportError
        where it does not trace, has state that cannot be frozen, or is too large for one graph.
    """
    function, outputs = trace(model, spec)
    if not outputs:
        raise ExportError("the model returns no tensor: there is nothing to export.")
    _check_writes(function.graph)
    size = sum(variable.shape.num_elements() * variable.dtype.size for variable in function.variables)
    if size > _LARGEST:
        raise ExportError(
            f"the model has {size / 2**30:.1f} GiB of weights, and a graph with its constants ends at 2 GiB: "
            "convert it to a narrower dtype first, or export it in parts."
        )
    try:
        with quiet():
            # Control flow stays functional: lowered loops are what no converter reads any more.
            graph = convert_variables_to_constants_v2(function, lower_control_flow=False, aggressive_inlining=True)
    except Exception as error:
        raise ExportError(f"the model cannot be frozen: {type(error).__name__}: {_first(error)}") from error
    _check_frozen(graph)
    names = argument_names(path for path, _ in spec.leaves)
    specs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name)
        for tensor, name in zip(graph.inputs, names.values(), strict=True)
    ]

    def flat(*tensors: Any) -> dict[str, Any]:
        return {name: tf.identity(value) for name, value in zip(outputs, graph(*tensors), strict=True)}

    return Frozen(tf.function(flat, input_signature=specs, autograph=False), graph, names, outputs)


def check_names_apart(inputs: Iterable[str], outputs: Iterable[str]) -> None:
    """Raise `ExportError` where an output has an input's name: in one graph of values, each has its own."""
    both = sorted({*inputs} & {*outputs})
    if both:
        raise ExportError(
            f"{', '.join(map(repr, both))} is an input and an output, and in this format no two values have one name: "
            f"return it under another name, such as 'new_{both[0]}', or export a SavedModel or a TFLite file."
        )


def add_output_specs(spec: InputSpec, frozen: Frozen) -> InputSpec:
    """Return the spec with the outputs that the model has, where it says none: formats that sort them by name lose the order."""
    if spec.outputs:
        return spec
    outputs = tuple(
        OutputSpec(name, tensor.shape.as_list() if tensor.shape.is_fully_defined() else None, from_native(tensor.dtype))
        for name, tensor in zip(frozen.outputs, frozen.graph.outputs, strict=True)
    )
    return InputSpec(dict(spec), task=spec.task, outputs=outputs, provenance=spec.provenance)


def _check_writes(graph: Any) -> None:
    """Refuse a model that writes variables when it is called: as constants they would stay what they are now."""
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    written = sorted({node.name for node in nodes if re.fullmatch(r"Assign\w*VariableOp|ResourceScatter\w+", node.op)})
    if written:
        raise ExportError(
            f"the model changes its own state when it is called ({', '.join(written[:5])}), which cannot be frozen: take the "
            "state as an input, and return it."
        )


def _check_frozen(graph: Any) -> None:
    """Refuse what still has state: converted, it would be read from where nothing was ever written."""
    left = sorted({op.name for op in graph.graph.get_operations() if op.type in _VARIABLES})
    held = [tensor for tensor in graph.captured_inputs if tensor.dtype in (tf.resource, tf.variant)]
    if left or held:
        what = ", ".join(left[:5]) if left else f"{len(held)} tables or other resources"
        raise ExportError(
            f"the model keeps state that cannot be frozen: {what}. Give it as an input, or compute it in the model."
        )


def _first(error: BaseException) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:1])[:500] if len(lines) < 2 else f"{lines[0][:300]} ... {lines[-1][:300]}"


@contextlib.contextmanager
def without_xla() -> Generator[None]:
    """Let Keras's grouped convolutions be plain operations inside: compiled ones are calls that no converter opens."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(_plain_keras())
        stack.enter_context(_plain_tf_keras())
        yield


@contextlib.contextmanager
def _plain_keras() -> Generator[None]:
    import sys  # noqa: PLC0415 - used here only

    layer = sys.modules.get("keras.src.backend.tensorflow.nn")
    if layer is None or getattr(layer, "tf", None) is not tf:
        yield
        return
    layer.tf = _Uncompiled()  # type: ignore[attr-defined] # Keras's own view of TensorFlow, and nobody else's
    try:
        yield
    finally:
        layer.tf = tf  # type: ignore[attr-defined]


class _Uncompiled:
    """TensorFlow, but that functions are never compiled."""

    def __getattr__(self, name: str) -> Any:
        return getattr(tf, name)

    @staticmethod
    def function(function: Any = None, *, jit_compile: bool | None = None, **options: Any) -> Any:
        del jit_compile
        return tf.function(function, **options) if function is not None else tf.function(**options)


@contextlib.contextmanager
def _plain_tf_keras() -> Generator[None]:
    import sys  # noqa: PLC0415 - used here only

    layers = sys.modules.get("tf_keras.src.layers.convolutional.base_conv")
    if layers is None:
        yield
        return
    kind = layers.Conv
    before = kind._jit_compiled_convolution_op  # noqa: SLF001 - the one place where it is compiled
    kind._jit_compiled_convolution_op = kind.convolution_op  # noqa: SLF001
    try:
        yield
    finally:
        kind._jit_compiled_convolution_op = before  # noqa: SLF001
