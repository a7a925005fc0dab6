"""From declared inputs to a spec: axes get names, inputs their rules, dims their bounds, outputs their shapes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dummyio.errors import format_error_line
from dummyio.input_spec import InputSpec
from dummyio.sources.declared import Declared
from dummyio.sources.graph.describe_declared import choose_leaves, describe_declared, note_shared_sizes
from dummyio.sources.graph.dynamic_axes import get_part_prefix
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio_tensorflow.declarations.embedding_tables import TableFacts, find_graph_tables
from dummyio_tensorflow.description.output_shapes import describe_outputs
from dummyio_tensorflow.description.trial_traces import (
    Trace,
    find_bounds,
    list_windowed_dims,
    note_results,
    trace_at_sizes,
    trace_symbolic,
)

_FACTORS = (2, 4, 8)
"""How much larger than usual the sizes are that are tried."""
_MOST_SHARED = 8
"""Inputs of shared sizes up to which each is tried with sizes of its own."""


class SpecBuilder:
    """The spec of one model, from its declared inputs and the reader's options."""

    def __init__(self, declared: Declared, options: Mapping[str, Any]) -> None:
        self._declared = declared
        self._options = options
        self._notes = {"source": declared.label, **declared.notes}
        self._leaves = choose_leaves(declared, options)

    def spec(self) -> InputSpec:
        """Return the spec."""
        facts, free = self._read_graph()
        for path in self._declared.guessed & facts.rows.keys():
            axes, dtype = self._leaves[path]
            if dtype.kind == "float":  # guessed from shapes alone, but an index of a table is an integer
                self._leaves[path] = (axes, DType.INT32)
        spec, several = self._describe_inputs(facts)
        traced = self._trace_at_distinct_sizes(spec, facts)
        if several and (traced is None or traced.error is not None):
            spec, traced = self._share_sizes(facts, several)
        defaults = spec.sizes()
        if traced is not None and traced.error is not None:
            spec, traced = self._enlarge(spec, traced, facts)
        if traced is not None and traced.error is not None:
            self._notes["trace"] = f"it does not trace at sizes that all differ: {_cause_line(traced.error)}"
        elif traced is not None:
            spec, reasons = find_bounds(self._declared.callable, spec, _bound_sequences(facts, traced, spec.dims))
            self._note_bounds(reasons)
            spec = spec.with_dims(
                **{n: replace(d, size=max(d.min, min(d.size, defaults[n]))) for n, d in spec.dims.items()}
            )
        model, described = self._declared.callable, spec
        outputs = describe_outputs(
            spec, free, traced, self._declared.outputs, lambda sizes: trace_at_sizes(model, described, sizes)
        )
        return InputSpec(dict(spec), outputs=outputs, provenance=self._notes)

    def _enlarge(self, spec: InputSpec, traced: Trace, facts: TableFacts) -> tuple[InputSpec, Trace]:
        """Return a spec of larger sizes that traces, and its trace: windows without padding need more than the usual sizes."""
        names = list_windowed_dims(spec)
        for factor in _FACTORS if names else ():
            larger = spec.with_dims(**{name: spec.dims[name].size * factor for name in names})
            trial = self._trace_at_distinct_sizes(larger, facts)
            if trial is not None and trial.error is None:
                return larger, trial
        return spec, traced

    def _share_sizes(self, facts: TableFacts, several: Sequence[str]) -> tuple[InputSpec, Trace | None]:
        """Return the spec in which inputs share sizes, but for those that trace with sizes of their own, and its trace."""
        spec, _ = self._describe_inputs(facts, ())
        traced = self._trace_at_distinct_sizes(spec, facts)
        own: list[str] = []
        for name in several if traced is not None and traced.error is None and 2 < len(several) <= _MOST_SHARED else ():
            other, _ = self._describe_inputs(facts, (*own, name))
            trial = self._trace_at_distinct_sizes(other, facts)
            if trial is not None and trial.error is None:
                own, spec, traced = [*own, name], other, trial
        self._notes |= note_shared_sizes([name for name in several if name not in own])
        return spec, traced

    def _note_bounds(self, reasons: Mapping[str, str]) -> None:
        self._notes |= {f"dim {name}": reason for name, reason in reasons.items()}

    def _trace_at_distinct_sizes(self, spec: InputSpec, facts: TableFacts) -> Trace | None:
        """Return the trace at sizes that all differ, no sequence longer than any table of positions."""
        if self._declared.callable is None:
            return None
        most = min((part.rows for part in facts.slices), default=None)
        if most is not None and most >= len(spec.dims):
            lengths = [dim for dim in spec.dims.values() if _is_dynamic_length(dim)]
            spec = spec.with_dims(**{d.name: replace(d, size=min(d.size, most), max=most) for d in lengths})
        trace = trace_at_sizes(self._declared.callable, spec, spec.probes()[0])
        note_results(self._declared.callable, trace, spec)
        return trace

    def _read_graph(self) -> tuple[TableFacts, Trace | None]:
        """Return the facts of the graph with all sizes dynamic; and its trace, if it was traced for them."""
        declared = self._declared
        if declared.graph is not None:
            return find_graph_tables(declared.graph, {f"{path}:0": path for path in self._leaves}), None
        plain, _ = self._describe_inputs(TableFacts({}))
        trace = trace_symbolic(declared.callable, plain)
        if trace.error is not None:
            self._notes["graph"] = f"not read, since it does not trace with dynamic sizes: {_cause_line(trace.error)}"
            return TableFacts({}), None
        return find_graph_tables(trace.graph, trace.placeholders), trace

    def _describe_inputs(
        self, facts: TableFacts, separate: Collection[str] | None = None
    ) -> tuple[InputSpec, list[str]]:
        """Return the spec of the inputs, and the names of which `separate` makes a difference; see `name_axes`."""
        found = describe_declared(
            self._declared, self._leaves, self._options, rows=facts.rows, indices=facts.axes, separate=separate
        )
        self._notes |= found.notes
        return InputSpec(found.inputs), found.separable


def _bound_sequences(facts: TableFacts, traced: Trace, dims: Mapping[str, Dim]) -> dict[str, tuple[int, str]]:
    """Return dim → the largest size that a table of positions allows, and the table's name.

    In the trace at sizes that all differ, the number of rows taken from a table is the length of one sequence. If it is
    none of the lengths (strides make an input shorter inside), the part of the model in the table's name decides.
    """
    sizes = traced.sizes
    lengths = [name for name, dim in dims.items() if _is_dynamic_length(dim) and name in sizes]
    found: dict[str, tuple[int, str]] = {}
    for part in facts.slices:
        count = part.count_rows(traced.graph)
        if not count:
            continue
        own = [name for name in lengths if sizes[name] == count]
        if not own:
            prefix = get_part_prefix(part.table.replace("/", "."))
            own = [name for name in lengths if prefix and name.startswith(prefix)] or lengths
        if len(own) == 1:
            most = part.rows * max(round(sizes[own[0]] / count), 1)
            found[own[0]] = min(found.get(own[0], (most, part.table)), (most, part.table), key=lambda table: table[0])
    return found


def _is_dynamic_length(dim: Dim) -> bool:
    return dim.name.endswith("sequence_length") and not dim.fixed


def _cause_line(error: BaseException) -> str:
    return format_error_line(error.__cause__ or error)
