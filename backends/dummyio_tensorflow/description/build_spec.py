"""From what is declared to a spec: axes get names, inputs their rules, symbols their bounds, outputs their shapes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec

from dummyio.errors import DummyioError, OptionError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.sources.graph.dim_bounds import bound_dims
from dummyio.sources.graph.dim_symbols import DimTable
from dummyio.sources.graph.graph_facts import GraphFacts, SizeLimit
from dummyio.sources.graph.input_roles import Input, InputRuleChooser, find_position_limit
from dummyio.sources.graph.shared_axes import find_past_length, set_mask_lengths
from dummyio.spec.dims import Dim, Size, collect_dims, substitute_dims
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Positions, Rule, Uniform, get_mask_path
from dummyio.typing import Axes
from dummyio_tensorflow.declarations.declared_inputs import Declared, Leaf
from dummyio_tensorflow.declarations.embedding_tables import TableFacts, find_graph_tables
from dummyio_tensorflow.description.axis_names import named_axes, part_of
from dummyio_tensorflow.description.output_shapes import output_specs
from dummyio_tensorflow.description.trial_traces import Trace, bounds_by_traces, trace_at_sizes, trace_symbolic

__all__ = ["SpecBuilder"]

_Leaves = dict[str, tuple[Axes, DType]]


class SpecBuilder:
    """One model on its way to a spec."""

    def __init__(self, declared: Declared, chosen: Mapping[str, Any]) -> None:
        self._declared = declared
        self._chosen = chosen
        self._notes = {"source": declared.label, **declared.notes}
        self._leaves: _Leaves = {path: (leaf.axes, leaf.dtype) for path, leaf in _flat(declared.tree)}
        shapes: Mapping[str, Any] = chosen.get("shapes", {})
        for path, axes in shapes.items():
            if path not in self._leaves:
                raise OptionError(f"shapes: no input is named {path!r}. {suggest_names(path, self._leaves)}")
            self._leaves[path] = (tuple(axes), self._leaves[path][1])

    def spec(self) -> InputSpec:
        """Conclude."""
        seen, free = self._seen()
        if any(path in seen.rows for path in self._declared.guessed):
            changed = [
                path for path in self._declared.guessed if path in seen.rows and self._leaves[path][1].kind == "float"
            ]
            for path in changed:  # built on shapes alone: what indexes a table is whole numbers
                self._leaves[path] = (self._leaves[path][0], DType.INT32)
        spec, several = self._written(seen, separate=True)
        traced = self._at_sizes_that_differ(spec, seen)
        if several and (traced is None or traced.error is not None):
            spec, _ = self._written(seen, separate=False)
            self._notes["lengths"] = "sequences of one part of the model are taken to be of one length"
            traced = self._at_sizes_that_differ(spec, seen)
        if traced is not None and traced.error is not None:
            self._notes["trace"] = f"it does not trace at sizes that all differ: {_line(traced.error)}"
        elif traced is not None:
            spec, reasons = bounds_by_traces(self._declared.callable, spec, _sequence_tables(seen, traced, spec.dims))
            self._notes |= {f"dim {name}": reason for name, reason in reasons.items()}
        outputs = output_specs(spec, free, traced, self._declared.outputs)
        return InputSpec(dict(spec), outputs=outputs, provenance=self._notes)

    def _at_sizes_that_differ(self, spec: InputSpec, seen: TableFacts) -> Trace | None:
        """Return the trace at sizes that all differ, no sequence longer than any table of positions."""
        if self._declared.callable is None:
            return None
        most = min((part.rows for part in seen.slices), default=None)
        if most is not None and most >= len(spec.dims):
            lengths = [dim for dim in spec.dims.values() if _is_length(dim)]
            spec = spec.with_dims(**{d.name: replace(d, size=min(d.size, most), max=most) for d in lengths})
        return trace_at_sizes(self._declared.callable, spec, spec.probes()[0])

    def _seen(self) -> tuple[TableFacts, Trace | None]:
        """Return what the graph shows, with all sizes free; and its trace, where there is one."""
        declared = self._declared
        if declared.graph is not None:
            return find_graph_tables(declared.graph, {f"{path}:0": path for path in self._leaves}), None
        if declared.callable is None:
            return TableFacts(declared.rows), None
        plain, _ = self._written(TableFacts({}), separate=True)
        trace = trace_symbolic(declared.callable, plain)
        if trace.error is not None:
            self._notes["graph"] = f"not seen, for it does not trace with free sizes: {_line(trace.error)}"
            return TableFacts({}), None
        return find_graph_tables(trace.graph, trace.placeholders), trace

    def _written(self, seen: TableFacts, *, separate: bool) -> tuple[InputSpec, bool]:
        """Return the spec, and whether `separate` made a difference."""
        keys = {path: _role_name(path) for path in self._leaves}
        axes, several = named_axes({keys[path]: leaf for path, leaf in self._leaves.items()}, separate=separate)
        symbols = DimTable(axes)
        shapes = {key: symbols.shape(key, each) for key, each in axes.items()}
        past = find_past_length(shapes)
        for key, size in set_mask_lengths(shapes, past).items():
            symbols.replace(key, axes[key], len(axes[key]) - 1, size)
        shapes = {key: symbols.shape(key, each) for key, each in axes.items()}
        evidence = GraphFacts(rows={keys[path]: rows for path, rows in seen.rows.items()})
        inputs = InputRuleChooser(
            all={key: Input(key, shapes[key], self._leaves[path][1]) for path, key in keys.items()},
            evidence=evidence,
            past=past,
            side=self._chosen.get("padding_side"),
            policy=self._chosen.get("mask_policy", "ragged"),
        )
        return self._limited(inputs, keys), several

    def _limited(self, inputs: InputRuleChooser, keys: Mapping[str, str]) -> InputSpec:
        paths = {key: path for path, key in keys.items()}
        tensors: dict[str, TensorSpec] = {}
        limits: list[SizeLimit] = []
        for path, key in keys.items():
            rule = self._rule(inputs, path, key)
            item = inputs.all[key]
            if isinstance(rule, Positions) and key in inputs.evidence.rows:
                limits.append(SizeLimit(find_position_limit(inputs, item, rule), *inputs.evidence.rows[key]))
            tensors[path] = TensorSpec(path, item.shape, item.dtype, _masked(rule, paths))
        known = collect_dims(size for tensor in tensors.values() for size in tensor.shape)
        dims, reasons = bound_dims(known, limits)
        self._notes |= {f"dim {name}": reason for name, reason in reasons.items()}
        leaves = {path: _resized(tensor, dims) for path, tensor in tensors.items()}
        return InputSpec(_nest(self._declared.tree, leaves))

    def _rule(self, inputs: InputRuleChooser, path: str, key: str) -> Rule:
        span = self._declared.ranges.get(path)
        if span is not None:
            return Uniform(*span)
        rule, note = inputs.rule(key)
        if note:
            self._notes[f"input {path}"] = note
        if path in self._declared.guessed:
            self._notes.setdefault(
                f"dtype {path}", "guessed: the model says on which shapes it was built, not of which dtype"
            )
        return rule


def _flat(tree: Any, prefix: str = "") -> Iterator[tuple[str, Leaf]]:
    if isinstance(tree, Leaf):
        yield prefix, tree
        return
    items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))


def _nest(tree: Any, leaves: Mapping[str, TensorSpec], prefix: str = "") -> Any:
    if isinstance(tree, Leaf):
        return leaves[prefix]
    if isinstance(tree, dict):
        return {key: _nest(value, leaves, f"{prefix}.{key}" if prefix else str(key)) for key, value in tree.items()}
    return type(tree)(_nest(value, leaves, f"{prefix}.{place}") for place, value in enumerate(tree))


def _role_name(path: str) -> str:
    """Return what of a path the rules go by: in nested dicts the last key; in lists, whose places say nothing, all."""
    parts = path.split(".")
    return path if any(part.isdecimal() for part in parts) else "/".join(parts)


def _masked(rule: Rule, paths: Mapping[str, str]) -> Rule:
    mask = get_mask_path(rule)
    if mask is None:
        return rule
    changed: Rule = msgspec.structs.replace(rule, mask=paths[mask])
    return changed


def _resized(tensor: TensorSpec, dims: Mapping[str, Dim]) -> TensorSpec:
    shape: Sequence[Size] = [substitute_dims(size, dims) for size in tensor.shape]
    return tensor.replace(shape=shape)


def _sequence_tables(seen: TableFacts, traced: Trace, dims: Mapping[str, Dim]) -> dict[str, tuple[int, str]]:
    """Return symbol → the largest size that a table of positions allows, and its name.

    In the trace at sizes that all differ, the rows that are taken of a table tell whose length they are; where they are
    fewer (strides make an input shorter inside), the part of the model does.
    """
    sizes = traced.sizes
    lengths = [name for name, dim in dims.items() if _is_length(dim) and name in sizes]
    found: dict[str, tuple[int, str]] = {}
    for part in seen.slices:
        count = part.taken(traced.graph)
        if not count:
            continue
        own = [name for name in lengths if sizes[name] == count]
        if not own:
            role = part_of(part.table.replace("/", "."))
            own = [name for name in lengths if role and name.startswith(role)] or lengths
        if len(own) != 1:
            continue
        most = part.rows * max(round(sizes[own[0]] / count), 1)
        if own[0] not in found or most < found[own[0]][0]:
            found[own[0]] = (most, part.table)
    return found


def _is_length(dim: Dim) -> bool:
    return dim.name.endswith("sequence_length") and not dim.fixed


def _line(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error, DummyioError) and error.__cause__ is not None else error
    return " ".join(str(cause).split())[:300]
