"""From declared inputs to described ones: axes get names, inputs their rules, dims their bounds."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from dummyio.errors import OptionError, SourceError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.sources.declared import Declared, Leaf, iterate_declared
from dummyio.sources.graph.dim_bounds import bound_dims
from dummyio.sources.graph.dim_symbols import DimTable
from dummyio.sources.graph.dynamic_axes import name_axes
from dummyio.sources.graph.graph_facts import GraphFacts
from dummyio.sources.graph.input_roles import Input, InputRuleChooser
from dummyio.sources.graph.shared_axes import resolve_shapes
from dummyio.spec.dims import collect_dims, substitute_dims
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Rule, Uniform, get_mask_path
from dummyio.typing import Axes


class Described(NamedTuple):
    """Described inputs, and what was concluded on the way."""

    inputs: dict[str, Any]
    """Top-level name → `TensorSpec`, or a nest of them."""
    separable: list[str]
    """The inputs of which `separate` makes a difference."""
    notes: dict[str, str]


def choose_leaves(declared: Declared, options: Mapping[str, Any]) -> dict[str, tuple[Axes, DType]]:
    """Return path → the axes and dtype that count: the axes of the option ``shapes``, else the declared ones.

    Raises
    ------
    OptionError
        for a shape of an input that the model does not have.
    SourceError
        for an input of which not even the number of axes is known.
    """
    leaves = dict(iterate_declared(declared.tree))
    shapes: Mapping[str, Any] = options.get("shapes", {})
    for path in shapes:
        if path not in leaves:
            raise OptionError(f"shapes: no input is named {path!r}. {suggest_names(path, leaves)}")
    found: dict[str, tuple[Axes, DType]] = {}
    for path, leaf in leaves.items():
        axes = tuple(shapes[path]) if path in shapes else leaf.axes
        if axes is None:
            remedy = f"Give it, shapes={{{path!r}: ('batch_size', 3)}}."
            raise SourceError(f"input {path!r} declares no shape, not even a number of axes. {remedy}")
        found[path] = (axes, leaf.dtype)
    return found


def describe_untraced(declared: Declared, options: Mapping[str, Any]) -> InputSpec:
    """Return the spec of a file of which no trace can tell more than it declares: of outputs the names alone.

    Parameters and errors are those of `choose_leaves`.
    """
    leaves = choose_leaves(declared, options)
    found = describe_declared(declared, leaves, options, rows=declared.rows)
    notes = {"source": declared.label, **declared.notes, **found.notes}
    if found.separable:
        shared = note_shared_sizes(found.separable)
        found = describe_declared(declared, leaves, options, rows=declared.rows, separate=())
        notes |= found.notes | shared
    return InputSpec(found.inputs, outputs=tuple(map(OutputSpec, declared.outputs)), provenance=notes)


def note_shared_sizes(names: Iterable[str]) -> dict[str, str]:
    """Return the note of inputs that are given the sizes of others, since nothing tells that they have sizes of their own."""
    tied = ", ".join(names)
    return {"lengths": f"sequences of one part of the model are taken to be of one length, images of one size: {tied}"}


def describe_declared(
    declared: Declared,
    leaves: Mapping[str, tuple[Axes, DType]],
    options: Mapping[str, Any],
    *,
    rows: Mapping[str, tuple[int, str]] | None = None,
    indices: Mapping[str, tuple[str, int]] | None = None,
    separate: Collection[str] | None = None,
) -> Described:
    """Describe the inputs of a model.

    Parameters
    ----------
    declared, leaves
        What the model declares, and path → the axes and dtype that count.
    options
        Options of a reader, such as ``padding_side``.
    rows
        Path → the number of rows of the table that an input indexes, and its name.
    indices
        Path → the input whose axis it indexes, and the axis.
    separate
        As in `dummyio.sources.graph.dynamic_axes.name_axes`.
    """
    keys = {path: _name_role(path) for path in leaves}
    axes, separable = name_axes({keys[path]: leaf for path, leaf in leaves.items()}, separate)
    shapes, past = resolve_shapes(DimTable(axes), axes)
    inputs = InputRuleChooser(
        all={key: Input(key, shapes[key], leaves[path][1]) for path, key in keys.items()},
        evidence=GraphFacts(
            rows={keys[path]: found for path, found in (rows or {}).items()},
            indices={keys[path]: shapes[keys[table]][axis] for path, (table, axis) in (indices or {}).items()},
        ),
        past=past,
        options=options,
    )
    notes: dict[str, str] = {}
    rules = {key: _choose_rule(declared, inputs, path, key, notes) for path, key in keys.items()}
    known = collect_dims(size for shape in shapes.values() for size in shape)
    dims, reasons = bound_dims(known, inputs.limits(rules))
    notes |= {f"dim {name}": reason for name, reason in reasons.items()}
    paths = {key: path for path, key in keys.items()}
    found = {
        path: TensorSpec(
            path,
            [substitute_dims(size, dims) for size in shapes[key]],
            leaves[path][1],
            _rename_mask(rules[key], paths),
        )
        for path, key in keys.items()
    }
    return Described(_nest_leaves(declared.tree, found), separable, notes)


def _choose_rule(declared: Declared, inputs: InputRuleChooser, path: str, key: str, notes: dict[str, str]) -> Rule:
    span = declared.ranges.get(path)
    if span is not None:
        return Uniform(*span)
    if path in declared.rules:
        return declared.rules[path]
    rule, note = inputs.rule(key)
    if note:
        notes[f"input {path}"] = note
    if path in declared.guessed:
        notes[f"dtype {path}"] = "guessed: the model declares the shapes that it was built on, and no dtypes"
    return rule


def _nest_leaves(tree: Any, leaves: Mapping[str, TensorSpec], prefix: str = "") -> Any:
    if isinstance(tree, Leaf):
        return leaves[prefix]
    if isinstance(tree, dict):
        return {key: _nest_leaves(value, leaves, f"{prefix}.{key}" if prefix else key) for key, value in tree.items()}
    return type(tree)(_nest_leaves(value, leaves, f"{prefix}.{index}") for index, value in enumerate(tree))


def _name_role(path: str) -> str:
    """Return the name for rules by name, of which the last key counts; in lists, whose indices mean nothing, the whole path."""
    parts = path.split(".")
    return path if any(part.isdecimal() for part in parts) else "/".join(parts)


def _rename_mask(rule: Rule, paths: Mapping[str, str]) -> Rule:
    mask = get_mask_path(rule)
    if mask is None:
        return rule
    changed: Rule = msgspec.structs.replace(rule, mask=paths[mask])
    return changed
