"""How each kind of operation carries ids, sizes and positions from its inputs to its outputs."""

import operator
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice

import onnx

from dummyio.errors import DimError
from dummyio.sources.graph.graph_facts import InputAlias
from dummyio.spec.dims import Size
from dummyio_onnx.analysis import known_values
from dummyio_onnx.analysis.flat_graph import HANDED, ROW, Op, iterate_operations
from dummyio_onnx.analysis.graph_facts import COST_OF_EXPRESSION, Known, ValueFacts
from dummyio_onnx.analysis.shape_rules import COMPARISONS, TESTS, infer_output_shape
from dummyio_onnx.analysis.value_ranges import read_ranges

MAX_OPERATIONS = 30_000
"""Operations that are read in addition to those of the graph itself: calls within calls can make any number of them."""

MAX_WORK = 2_000_000_000
"""The work after which the rest of a graph is not read, as in `ValueFacts.work`."""

_COST_OF_NAME, _COST_OF_CHARACTER = 100, 16
"""The work for a name and its characters: each call of a function has names of its own, and a name may be of any length."""

_INDEXED: dict[str, tuple[tuple[int, int, str | int], ...]] = {
    "Gather": ((1, 0, "axis"),),
    "GatherElements": ((1, 0, "axis"),),
    "ScatterElements": ((1, 0, "axis"),),
    "RotaryEmbedding": ((3, 1, 0),),
    "ai.onnx.ml.ArrayFeatureExtractor": ((1, 0, -1),),
    "com.microsoft.EmbedLayerNormalization": ((0, 2, 0), (1, 4, 0), (8, 3, 0)),
    "com.microsoft.GatherBlockQuantized": ((1, 0, "gather_axis"),),
    "com.microsoft.RotaryEmbedding": ((1, 2, 0),),
}
"""Operation → (indices, table, axis of the table): places among its inputs; the axis, or the attribute that holds it."""


def propagate_facts(model: onnx.ModelProto, shapes: Mapping[str, tuple[Size, ...]], known: Known) -> ValueFacts:
    """Return the facts after a walk along the operations.

    Parameters
    ----------
    model, shapes, known
        As in `ValueFacts`.
    """
    facts = ValueFacts(model, shapes, known)
    for op in islice(iterate_operations(model), len(model.graph.node) + MAX_OPERATIONS):
        names = (*op.inputs, *op.outputs)
        facts.work += _COST_OF_NAME * (len(names) + len(op.attributes)) + _COST_OF_CHARACTER * sum(map(len, names))
        if facts.work > MAX_WORK:
            break
        if not any(op.outputs):
            continue
        if not op.outputs[0]:  # left out: its facts must not be those of inputs that are left out
            op = replace(op, outputs=("\0", *op.outputs[1:]))  # noqa: PLW2901 - the same operation, under another name
        if op.kind == "Constant":
            facts.read_constant(op)
        else:
            with suppress(DimError):  # a size that dims cannot express is not followed
                _read(op, facts)
    facts.evidence.parameters |= dict(facts.parameters.list_values())
    for path in facts.strict & facts.evidence.choices.keys():
        facts.evidence.choices[path] = replace(facts.evidence.choices[path], takes_others=False)
    return facts


def _read(op: Op, facts: ValueFacts) -> None:
    """Enter the facts that one operation shows and carries on."""
    facts.read_parameters(op)
    for indices, table, axis in _INDEXED.get(op.kind, ()):
        place = axis if isinstance(axis, int) else op.number(axis, 0)
        facts.add_index(op.input(indices), facts.axis_size(op.input(table), place), op.input(table))
    reader = _READERS.get(op.kind)
    if reader is not None:
        reader(op, facts)
    read_ranges(op, facts)
    infer_output_shape(op, facts)


def _carry(op: Op, facts: ValueFacts) -> None:
    """Carry on elements that only move or change their type."""
    source, output = op.input(0), op.outputs[0]
    if source in facts.origins:
        facts.origins[output] = facts.origins[source]
    if source in facts.bounds:
        facts.bounds[output] = facts.bounds[source]
    if source in facts.flags:
        facts.flags.add(output)
    if source in facts.defaults:
        facts.defaults[output] = facts.defaults[source]


def _carry_all(op: Op, facts: ValueFacts) -> None:
    """Carry on a few elements, in their order: the contents too."""
    _carry(op, facts)
    if op.input(0) in facts.contents:
        facts.add_contents(op.outputs[0], facts.contents[op.input(0)])
    if op.input(0) in facts.constants and op.kind == "Identity":
        facts.constants[op.outputs[0]] = facts.constants[op.input(0)]


def _hand_over(op: Op, facts: ValueFacts) -> None:
    """Carry on what a loop is given; only a constant keeps its shape through all iterations."""
    _carry(op, facts)
    if op.input(0) in facts.constants:
        facts.add_shape(op.outputs[0], facts.shapes[op.input(0)])


def _take_row(op: Op, facts: ValueFacts) -> None:
    """Carry on one row of what a loop runs over."""
    _carry(op, facts)
    shape, axis = facts.shapes.get(op.input(0)), op.number("axis", 0)
    if shape is not None and -len(shape) <= axis < len(shape):
        axis %= len(shape)
        facts.add_shape(op.outputs[0], (*shape[:axis], *shape[axis + 1 :]))


def _shape(op: Op, facts: ValueFacts) -> None:
    shape = facts.shapes.get(op.input(0))
    if shape is None:
        return
    part = shape[op.number("start", 0) : op.number("end", len(shape))]
    known = tuple(size for size in part if size is not None)
    if len(known) == len(part):
        facts.add_contents(op.outputs[0], known)


def _gather(op: Op, facts: ValueFacts) -> None:
    data, indices, output = op.input(0), op.input(1), op.outputs[0]
    axis = op.number("axis", 0)
    _carry(op, facts)
    contents, chosen = facts.contents.get(data), facts.contents.get(indices)
    if contents is not None and chosen is not None:
        places = [place for place in chosen if isinstance(place, int) and -len(contents) <= place < len(contents)]
        if len(places) == len(chosen):
            facts.add_contents(output, tuple(contents[place] for place in places))
    table, places_shape = facts.shapes.get(data), facts.shapes.get(indices)
    if table and places_shape is not None and -len(table) <= axis < len(table):
        axis %= len(table)
        facts.add_shape(output, (*table[:axis], *places_shape, *table[axis + 1 :]))


def _gather_nd(op: Op, facts: ValueFacts) -> None:
    """Read an index into one or several axes at once: the shortest of them bounds it."""
    shape, count = facts.shapes.get(op.input(0)) or (None,), facts.axis_size(op.input(1), -1)
    indexed = set(shape[:count] if isinstance(count, int) else shape)
    known = [size for size in indexed if isinstance(size, int)]
    alike = next(iter(indexed)) if len(indexed) == 1 else None
    facts.add_index(op.input(1), min(known) if known and len(known) == len(indexed) else alike, op.input(0))
    _carry(op, facts)


def _slice(op: Op, facts: ValueFacts) -> None:
    """Read a part of a vector of sizes, or a part of a constant table that is as long as a sequence can be."""
    data = op.input(0)
    starts, ends = facts.contents.get(op.input(1)), facts.contents.get(op.input(2))
    axes = facts.contents.get(op.input(3)) if op.input(3) else None
    _carry(op, facts)
    if starts is None or ends is None:
        return
    if data in facts.contents and len(starts) == len(ends) == 1 and not op.input(4):
        start, end = starts[0], ends[0]
        if isinstance(start, int) and isinstance(end, int):
            facts.add_contents(op.outputs[0], facts.contents[data][start:end])
    for place, end in enumerate(ends):
        axis = place if axes is None else axes[place] if place < len(axes) else None
        size = facts.axis_size(data, axis) if isinstance(axis, int) else None
        if data in facts.constants and isinstance(size, int):
            facts.add_limit(end, size, data)


def _concat(op: Op, facts: ValueFacts) -> None:
    _merge(op, facts)
    parts = [facts.contents.get(name) for name in op.inputs]
    if all(part is not None for part in parts):
        facts.add_contents(op.outputs[0], tuple(size for part in parts for size in part or ()))


def _merge(op: Op, facts: ValueFacts) -> None:
    """Carry on the elements of all inputs."""
    facts.add_origins(op.outputs[0], (origin for name in op.inputs for origin in facts.origins.get(name, ())))


def _where(op: Op, facts: ValueFacts) -> None:
    _merge(Op(op.kind, op.inputs[1:], op.outputs, op.attributes), facts)


def _add(op: Op, facts: ValueFacts, sign: int = 1) -> None:
    """Add sizes; shift ids by a constant; shift positions by a size."""
    left, right, output = op.input(0), op.input(1), op.outputs[0]
    _combine(op, facts, lambda a, b: a + sign * b)
    pairs = ((left, right), (right, left)) if sign > 0 else ((left, right),)
    for values, other in pairs:
        shift = facts.scalar(other)
        if shift is None:
            continue
        if isinstance(shift, int) and values in facts.origins:
            facts.add_origins(output, (InputAlias(o.path, o.offset + sign * shift) for o in facts.origins[values]))
        if values in facts.bounds:
            facts.bounds[output] = facts.bounds[values] + sign * shift


def _divide(op: Op, facts: ValueFacts) -> None:
    facts.evidence.divisors |= {origin.path for origin in facts.origins.get(op.input(1), ())}
    _combine(op, facts, operator.floordiv)


def _combine(op: Op, facts: ValueFacts, work: Callable[[Size, Size], Size]) -> None:
    """Compute with sizes, one with one or one with each."""
    left, right = facts.contents.get(op.input(0)), facts.contents.get(op.input(1))
    if not left or not right or not (len(left) == len(right) or 1 in (len(left), len(right))):
        return
    count = max(len(left), len(right))
    left, right = left * (count // len(left)), right * (count // len(right))
    facts.work += COST_OF_EXPRESSION * sum(not isinstance(size, int) for size in (*left, *right))
    with suppress(ZeroDivisionError):  # a division by a size of 0 is not followed
        facts.add_contents(op.outputs[0], tuple(work(a, b) for a, b in zip(left, right, strict=True)))


def _flag(op: Op, facts: ValueFacts) -> None:
    """Note that a result is 0 or 1."""
    facts.flags.add(op.outputs[0])


def _count(op: Op, facts: ValueFacts) -> None:
    """Count the ones along an axis: at most its size."""
    axis = facts.scalar(op.input(1))
    size = facts.axis_size(op.input(0), axis) if isinstance(axis, int) else None
    if size is not None and op.input(0) in facts.flags:
        facts.bounds[op.outputs[0]] = size + 1


def _multiply(op: Op, facts: ValueFacts) -> None:
    """Multiply sizes; hide elements by a mask."""
    left, right, output = op.input(0), op.input(1), op.outputs[0]
    _combine(op, facts, lambda a, b: a * b)
    for values, mask in ((left, right), (right, left)):
        if values in facts.bounds and mask in facts.flags:
            facts.bounds[output] = facts.bounds[values]
    if left in facts.flags and right in facts.flags:
        facts.flags.add(output)


def _range(op: Op, facts: ValueFacts) -> None:
    limit = facts.scalar(op.input(1))
    if limit is not None and facts.scalar(op.input(2)) == 1:
        facts.bounds[op.outputs[0]] = limit


def _one_hot(op: Op, facts: ValueFacts) -> None:
    depth = facts.scalar(op.input(1))
    if depth is not None:
        facts.add_index(op.input(0), depth, op.kind)


_READERS: dict[str, Callable[[Op, ValueFacts], None]] = {
    **dict.fromkeys(("SequenceAt", "OptionalGetElement", "Optional"), _carry_all),
    **dict.fromkeys(("ConcatFromSequence", "SplitToSequence"), _carry),
    **dict.fromkeys(("SequenceConstruct", "SequenceInsert"), _merge),
    **dict.fromkeys(("Identity", "Cast", "CastLike", "Squeeze", "Unsqueeze", "Reshape", "Flatten"), _carry_all),
    **dict.fromkeys(("Transpose", "Expand", "Tile", "Dropout", "GatherElements", "Split", "ReverseSequence"), _carry),
    HANDED: _hand_over,
    ROW: _take_row,
    "Shape": _shape,
    "Gather": _gather,
    "GatherND": _gather_nd,
    "ScatterND": _gather_nd,
    "Slice": _slice,
    "Concat": _concat,
    "Max": _merge,
    "Where": _where,
    "Add": _add,
    "Sub": partial(_add, sign=-1),
    "Mul": _multiply,
    "CumSum": _count,
    **dict.fromkeys((*COMPARISONS, *TESTS), _flag),
    **known_values.READERS,
    "Div": _divide,
    "Mod": _divide,
    "Range": _range,
    "OneHot": _one_hot,
}
