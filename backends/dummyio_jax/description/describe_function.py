"""Describe what JAX can call: functions by annotations or example arguments, Flax modules, and exported functions.

What is found is confirmed: the function is traced, without data, on the symbols that its spec will have.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import partial
from itertools import combinations
from typing import Any

import jax
import jax.export

from dummyio.errors import OptionError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.sources.options import READER_OPTIONS, apply_sizes, check_choices
from dummyio.spec.dims import Dim, substitute_dims
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Node, TensorSpec
from dummyio_jax.calling.exported_function import exported_inputs, exported_outputs, open_exported
from dummyio_jax.calling.output_specs import output_specs
from dummyio_jax.calling.pure_function import Model, to_pure_function
from dummyio_jax.calling.pytrees import replaced
from dummyio_jax.description.annotated_inputs import annotated_inputs
from dummyio_jax.description.example_inputs import apply_dynamic_option, example_inputs
from dummyio_jax.description.free_axes import Shapes, find_dynamic_axes
from dummyio_jax.description.trace import Traced, indexed_rows, trace
from dummyio_jax.description.value_rules import Rules

__all__ = ["describe"]

_OPTIONS = (*READER_OPTIONS, "args", "kwargs", "dynamic")
_SEARCHED = 8
"""Of as many sizes that are given, those that must be fixed are found by trial."""

Nodes = dict[str, Node]


def describe(source: Any, *, dims: Mapping[str, Any] | None = None) -> InputSpec:
    """Return the description of a function's inputs.

    Parameters
    ----------
    source
        A function, jitted or not; a Flax NNX module; a Flax Linen module that is bound, or
        ``functools.partial(module.apply, variables)``; a `jax.export.Exported`, or a ``.stablehlo`` file.
    dims
        Default sizes of symbols, by name; and options: ``args`` and ``kwargs``, example arguments (arrays,
        `jax.ShapeDtypeStruct`, trees of these); ``dynamic``, path → the names of its axes, None for those that are fixed;
        ``padding_side``, ``mask_policy``: as in `PaddingMask`.

    Raises
    ------
    SourceError
        where example arguments are needed and none are given, and where the function does not take them.
    OptionError
        for a name that is no symbol and no option, with the near ones.
    """
    given = dict(dims or {})
    chosen = _checked({name: given.pop(name) for name in _OPTIONS if name in given})
    if isinstance(source, (str, os.PathLike, jax.export.Exported)):
        spec = _of_exported(source, chosen)
    else:
        spec = _of_model(to_pure_function(source), chosen, given)
    return apply_sizes(spec, given, _OPTIONS, "function")


def _checked(chosen: dict[str, Any]) -> dict[str, Any]:
    check_choices(chosen)
    if not isinstance(chosen.get("args", ()), (tuple, list)):
        raise OptionError(f"args is a {type(chosen['args']).__name__}: give a tuple of example arguments, args=(x,).")
    for name in ("kwargs", "dynamic"):
        if not isinstance(chosen.get(name, {}), Mapping):
            raise OptionError(f"{name}={chosen[name]!r}: give a mapping of names.")
    return chosen


# Exported functions.


def _of_exported(source: Any, chosen: Mapping[str, Any]) -> InputSpec:
    wrong = next((name for name in ("args", "kwargs", "dynamic") if name in chosen), None)
    if wrong is not None:
        raise OptionError(f"{wrong}: an exported function says its inputs itself; leave the option out.")
    in_memory = isinstance(source, jax.export.Exported)
    exported: jax.export.Exported = source if in_memory else open_exported(source)
    inputs = InputSpec(exported_inputs(exported))
    origin = {
        "source": f"the exported function {exported.fun_name}" if in_memory else str(os.fspath(source)),
        "platforms": ", ".join(exported.platforms),
    }
    return _ruled(inputs, exported_outputs(exported), {}, chosen, origin)


# Functions and modules.


def _of_model(model: Model, chosen: Mapping[str, Any], given: dict[str, Any]) -> InputSpec:
    examples = "args" in chosen or "kwargs" in chosen
    if examples:
        nodes = example_inputs(model, chosen.get("args", ()), chosen.get("kwargs", {}))
        spec = _example_shapes(model, InputSpec(nodes), chosen.get("dynamic"))
    else:
        if "dynamic" in chosen:
            raise OptionError(
                "dynamic: this option names the axes of example arguments; give these too, as args or kwargs."
            )
        spec = _annotated_shapes(model, InputSpec(annotated_inputs(model)), given)
    traced = _traced(model, spec)
    outputs = output_specs(traced[1], spec.dims)
    origin = {
        "source": f"{model.kind} {model.name}",
        "inputs": "example arguments" if examples else "its signature",
        **({"mode": " ".join(model.notes)} if model.notes else {}),
    }
    return _ruled(spec, outputs, indexed_rows(traced, spec), chosen, origin)


def _example_shapes(model: Model, spec: InputSpec, dynamic: Mapping[str, Any] | None) -> InputSpec:
    leaves = dict(spec.leaves)
    if dynamic is not None:
        return _reshaped(spec, apply_dynamic_option(leaves, dynamic))
    _traced(model, spec)
    if spec.dims:  # the examples' own symbols
        return spec
    return _reshaped(spec, find_dynamic_axes(leaves, partial(_takes, model, spec)))


def _annotated_shapes(model: Model, spec: InputSpec, given: dict[str, Any]) -> InputSpec:
    """Return the spec with symbols that cannot be free, for the function's own arrays fix them, at the size that was given."""
    sized = {name: given[name] for name in spec.dims if name in given}
    spec = spec.with_dims(**sized)
    for count in range(len(sized) + 1 if len(sized) <= _SEARCHED else 1):
        for names in combinations(sized, count):
            trial = _fixed(spec, {name: Dim(name, sized[name], min=sized[name], max=sized[name]) for name in names})
            if _runs(model, trial):
                return trial
    return spec


def _fixed(spec: InputSpec, dims: Mapping[str, Dim]) -> InputSpec:
    return spec.with_dims(**dims) if dims else spec


def _runs(model: Model, spec: InputSpec) -> bool:
    try:
        trace(model, spec)
    except Exception:  # noqa: BLE001 - a function may raise anything
        return False
    return True


def _takes(model: Model, spec: InputSpec, shapes: Shapes) -> bool:
    return _runs(model, _reshaped(spec, shapes))


def _reshaped(spec: InputSpec, shapes: Shapes) -> InputSpec:
    leaves = {path: leaf.replace(shape=shapes[path]) for path, leaf in spec.leaves}
    return InputSpec({name: replaced(node, name, leaves) for name, node in spec.items()})


def _traced(model: Model, spec: InputSpec) -> Traced:
    try:
        return trace(model, spec)
    except Exception as error:
        shapes = ", ".join(f"{path}: {leaf.dtype}[{', '.join(map(str, leaf.shape))}]" for path, leaf in spec.leaves)
        raise SourceError(
            f"{model.name} cannot be traced on {shapes}. JAX: {type(error).__name__}: {error}. Where a symbol must have one size, "
            "give the size: as a keyword (hidden=64), or by example arguments and dynamic={'x': ('batch_size', None)}."
        ) from error


def _ruled(
    spec: InputSpec,
    outputs: tuple[OutputSpec, ...],
    rows: Mapping[str, int],
    chosen: Mapping[str, Any],
    origin: Mapping[str, str],
) -> InputSpec:
    """Return the spec with what its inputs hold, its outputs, and the reasons."""
    rules = Rules(rows, chosen.get("padding_side", "right"), chosen.get("mask_policy", "ragged"))
    leaves = dict(spec.leaves)
    found = rules.of(leaves)
    ruled: dict[str, TensorSpec] = {path: leaf.replace(values=found[path][0]) for path, leaf in leaves.items()}
    notes = {f"input {path}": reason for path, (_, reason) in found.items() if reason}
    whole = tuple(
        OutputSpec(o.name, None if o.shape is None else tuple(substitute_dims(s, spec.dims) for s in o.shape), o.dtype)
        for o in outputs
    )
    inputs = {name: replaced(node, name, ruled) for name, node in spec.items()}
    return InputSpec(inputs, outputs=whole, provenance={**origin, **notes, "jax": jax.__version__})
