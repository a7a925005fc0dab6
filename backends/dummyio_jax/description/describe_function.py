"""Describes functions by annotations or example arguments, Flax modules, and exported functions.

Each description is confirmed: the function is traced, without data, on the symbols that its spec has.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import jax
import jax.export

from dummyio.errors import OptionError, SourceError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.sources.options import apply_sizes, check_options, make_padding_mask
from dummyio.spec.dims import Dim, evaluate_size, find_dims
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Node, TensorSpec, map_node
from dummyio_jax.calling.exported_function import describe_exported_inputs, describe_exported_outputs, open_exported
from dummyio_jax.calling.output_specs import build_output_specs
from dummyio_jax.calling.pure_function import Model, to_pure_function
from dummyio_jax.description.annotated_inputs import read_annotated_inputs
from dummyio_jax.description.example_inputs import apply_dynamic_option, bind_example_inputs
from dummyio_jax.description.free_axes import Shapes, find_dynamic_axes
from dummyio_jax.description.trace import Trace, find_indexed_rows, find_position_rows, trace_model
from dummyio_jax.description.value_rules import choose_value_rules

_OPTIONS = ("args", "kwargs", "dynamic")
_SEARCHED = 8
"""Up to this many given sizes, those that must be static are found by trial."""


def describe(source: Any, *, dims: Mapping[str, Any] | None = None) -> InputSpec:
    """Return the description of a function's inputs.

    Parameters
    ----------
    source
        A function, jitted or not; a Flax NNX module; a Flax Linen module that is bound, or
        ``functools.partial(module.apply, variables)``; a `jax.export.Exported`, or a ``.stablehlo`` file.
    dims
        Default sizes of dims, by name; and options: ``args`` and ``kwargs``, example arguments (arrays,
        `jax.ShapeDtypeStruct`, trees of these); ``dynamic``, path → a name for each axis, None for static axes;
        ``padding_side``, ``mask_policy``: as in `PaddingMask`.

    Raises
    ------
    SourceError
        if example arguments are needed and not given, and if the function does not take them.
    OptionError
        for a name that is neither a dim nor an option, with similar names.
    """
    options, sizes = check_options(dims, _OPTIONS)
    if isinstance(source, (str, os.PathLike, jax.export.Exported)):
        spec = _describe_exported(source, options)
    else:
        spec = _describe_model(to_pure_function(source), options, sizes)
    return apply_sizes(spec, sizes, _OPTIONS, "function")


def _describe_exported(source: Any, options: Mapping[str, Any]) -> InputSpec:
    wrong = next((name for name in _OPTIONS if name in options), None)
    if wrong is not None:
        raise OptionError(f"{wrong}: an exported function declares its own inputs; leave the option out.")
    in_memory = isinstance(source, jax.export.Exported)
    exported: jax.export.Exported = source if in_memory else open_exported(source)
    inputs = InputSpec(describe_exported_inputs(exported))
    origin = {
        "source": f"the exported function {exported.fun_name}" if in_memory else str(os.fspath(source)),
        "platforms": ", ".join(exported.platforms),
    }
    return _complete_spec(inputs, describe_exported_outputs(exported, inputs.dims), {}, options, origin)


def _describe_model(model: Model, options: Mapping[str, Any], given: Mapping[str, Any]) -> InputSpec:
    has_examples = "args" in options or "kwargs" in options
    if has_examples:
        nodes = bind_example_inputs(model, options.get("args", ()), options.get("kwargs", {}))
        spec, reasons = _find_shapes(model, InputSpec(nodes), options.get("dynamic"))
    elif "dynamic" in options:
        raise OptionError("dynamic: this option names the axes of example arguments; also give args or kwargs.")
    elif model.describe_inputs is not None:
        spec = model.describe_inputs(options)
        reasons = dict(spec.provenance)
    else:
        spec, reasons = _fix_given_dims(model, InputSpec(read_annotated_inputs(model)), given), {}
    traced = _confirm(model, spec)
    bounds = {name: rows for name, rows in find_position_rows(traced).items() if name in spec.dims}
    spec = _bound_dims(spec, bounds)
    places = "its places index a table that ends there"
    reasons |= {f"dim {name}": f"{_format_bounds(spec.dims[name])}: {places}" for name in bounds}
    outputs = build_output_specs(traced.shapes, spec.dims)
    origin = {
        "source": f"{model.kind} {model.name}",
        "inputs": "example arguments" if has_examples else "its signature",
        **({"mode": " ".join(model.notes)} if model.notes else {}),
        **reasons,
    }
    return _complete_spec(spec, outputs, find_indexed_rows(traced, spec), options, origin)


def _find_shapes(model: Model, spec: InputSpec, dynamic: Mapping[str, Any] | None) -> tuple[InputSpec, dict[str, str]]:
    """Return the spec of example arguments with dims, those of `dynamic`, their own, or those that a search finds; and why sizes are bound."""
    leaves = dict(spec.leaves)
    if dynamic is not None:
        return _reshape_spec(spec, apply_dynamic_option(leaves, dynamic)), {}
    _confirm(model, spec)
    if spec.dims:
        return spec, {}
    found = find_dynamic_axes(leaves, lambda shapes: _find_failure(model, _reshape_spec(spec, shapes)))
    spec = _reshape_spec(spec, found.shapes)
    reasons = {f"dim {name}": f"{_format_bounds(spec.dims[name])}: {text}" for name, text in found.bounds.items()}
    fixed = {
        f"axis {place} of {path}": f"fixed at {leaves[path].shape[place]}: {text}"
        for (path, place), text in found.fixed.items()
    }
    return spec, reasons | fixed


def _format_bounds(dim: Dim) -> str:
    parts = [
        f"at least {dim.min}" if dim.min > 1 else "",
        "" if dim.max is None else f"at most {dim.max}",
        f"a multiple of {dim.multiple_of}" if dim.multiple_of > 1 else "",
    ]
    return ", ".join(filter(None, parts))


_EXPLAINED = re.compile(r"\s*(?:This error arises|Using symbolic scope).*", re.DOTALL)
"""JAX's general words about comparisons of sizes, and about its symbols: the numbers in them mean something else."""


def _find_failure(model: Model, spec: InputSpec) -> str:
    """Return why a model cannot be traced on a spec; empty if it can, and returns nothing empty at the smallest sizes that are not 1."""
    try:
        traced = trace_model(model, spec)
    except Exception as error:  # noqa: BLE001 - a function may raise anything
        return _EXPLAINED.sub("", format_error_line(error))
    bounded = {name: dim.min for name, dim in spec.dims.items() if dim.min > 1}
    if bounded:
        sizes = (size for output in build_output_specs(traced.shapes, spec.dims) for size in output.shape or ())
        known = (size for size in sizes if all(dim.name in spec.dims for dim in find_dims(size)))
        if any(evaluate_size(size, bounded) < 1 for size in known):
            return "a result is empty"
    return ""


def _bound_dims(spec: InputSpec, most: Mapping[str, int]) -> InputSpec:
    """Return the spec with dims of at most some sizes; a size of an example that is larger stays the largest."""
    dims = {name: replace(spec.dims[name], max=max(size, spec.dims[name].size)) for name, size in most.items()}
    return spec.with_dims(**dims) if dims else spec


def _fix_given_dims(model: Model, spec: InputSpec, given: Mapping[str, Any]) -> InputSpec:
    """Return the spec at the given sizes; dims become static if arrays in the function fix them."""
    sizes = {name: given[name] for name in spec.dims if name in given}
    spec = spec.with_dims(**sizes)
    for count in range(len(sizes) + 1 if len(sizes) <= _SEARCHED else 1):
        for names in combinations(sizes, count):
            trial = spec.with_dims(**{name: Dim.static(name, sizes[name]) for name in names})
            if _can_trace(model, trial):
                return trial
    return spec


def _can_trace(model: Model, spec: InputSpec) -> bool:
    try:
        trace_model(model, spec)
    except Exception:  # noqa: BLE001 - a function may raise anything
        return False
    return True


def _confirm(model: Model, spec: InputSpec) -> Trace:
    """Trace the model on its spec; raise `SourceError` if that fails."""
    try:
        return trace_model(model, spec)
    except Exception as error:
        shapes = ", ".join(f"{path}: {leaf.dtype}[{', '.join(map(str, leaf.shape))}]" for path, leaf in spec.leaves)
        numbers = [path for path, leaf in spec.leaves if leaf.rank == 0]
        fixed = (
            f" If {numbers[0]} is a static argument, fix it: functools.partial(function, {numbers[0]}=...)."
            if numbers
            else ""
        )
        if isinstance(error, AttributeError) and type(error.obj).__name__ == "record":
            fixed = " Containers of classes go in as records, with the items but not the methods: give dicts, and make them inside."
        raise SourceError(
            f"{model.name} cannot be traced on {shapes}.{fixed} JAX: {format_error_line(error)}. If a dim must have one size, "
            "give the size: as a keyword (hidden=64), or by example arguments and dynamic={'x': ('batch_size', None)}."
        ) from error


def _reshape_spec(spec: InputSpec, shapes: Shapes) -> InputSpec:
    return InputSpec(_replace_leaves(spec, {path: leaf.replace(shape=shapes[path]) for path, leaf in spec.leaves}))


def _replace_leaves(spec: InputSpec, leaves: Mapping[str, TensorSpec]) -> dict[str, Node]:
    ordered = iter([leaves[path] for path, _ in spec.leaves])
    return {name: map_node(node, lambda _: next(ordered)) for name, node in spec.items()}


def _complete_spec(
    spec: InputSpec,
    outputs: tuple[OutputSpec, ...],
    rows: Mapping[str, int],
    options: Mapping[str, Any],
    origin: Mapping[str, str],
) -> InputSpec:
    """Return the spec with the value rules of its inputs, its outputs, and the provenance."""
    leaves = dict(spec.leaves)
    rules = choose_value_rules(leaves, rows, make_padding_mask(options))
    inputs = _replace_leaves(spec, {path: leaf.replace(values=rules[path][0]) for path, leaf in leaves.items()})
    notes = {f"input {path}": reason for path, (_, reason) in rules.items() if reason}
    return InputSpec(inputs, outputs=outputs, provenance={**origin, **notes, "jax": jax.__version__})
