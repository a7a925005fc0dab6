"""A spec from inputs that a person writes, as ``ids:int64[batch,seq]:0..30522``: name, dtype, axes, and values if they are known."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dummyio.errors import DTypeError, OptionError, SpecError
from dummyio.input_spec import InputSpec
from dummyio.sources.axis_names import is_anonymous
from dummyio.sources.graph.dim_symbols import DimTable
from dummyio.sources.graph.graph_facts import GraphFacts
from dummyio.sources.graph.input_roles import Input, InputRuleChooser
from dummyio.sources.graph.shared_axes import resolve_shapes, share_axis_names
from dummyio.sources.options import apply_sizes, check_options
from dummyio.spec.dtypes import DType
from dummyio.spec.plain_values import show_value
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Rule, Uniform
from dummyio.typing import Axes

_FORM = re.compile(
    r"(?P<name>[^:\[\]]+):(?P<dtype>\w+)(\[(?P<axes>[^\[\]]*)\])?(:(?P<low>[-+.\deE]+?)\.\.(?P<high>[-+.\deE]+))?"
)
_MOST = 10_000
"""Characters of one input."""
_HOW = "write name:dtype[axes]:low..high, such as ids:int64[batch,seq]:0..30522, with values from low to below high"


class WrittenInput(NamedTuple):
    """One input as it is written."""

    axes: Axes
    dtype: DType
    bounds: tuple[float, float] | None = None
    """The smallest value, and the one that values are below."""
    rule: Rule | None = None
    """What it holds, if that is written."""


def describe_written(texts: Sequence[str], dims: Mapping[str, Any] | None = None) -> InputSpec:
    """Return the spec of written inputs.

    Parameters
    ----------
    texts
        One text for each input. Its axes are names, numbers, or ``?``; one name is one size in all inputs. Without values, the name and the dtype
        of an input decide what it holds, as for a graph that shows nothing: a mask has padding, ids stay small.
    dims
        Sizes by name, and the options of all readers.

    Raises
    ------
    OptionError
        if a text has another form, its dtype or range is not valid, or a name comes twice.
    """
    written: dict[str, WrittenInput] = {}
    for text in texts:
        name, found = parse_input(text)
        if name in written:
            raise OptionError(
                f"input {show_value(text)}: another input is named {name!r} too. Give each a name of its own."
            )
        written[name] = found
    return build_spec(written, dims)


def build_spec(written: Mapping[str, WrittenInput], dims: Mapping[str, Any] | None = None) -> InputSpec:
    """Return the spec of inputs by name; `dims` and errors as `describe_written`."""
    chosen, sizes = check_options(dims, ())
    axes = share_axis_names({name: each.axes for name, each in written.items()})
    table = DimTable(axes)
    shapes, past = resolve_shapes(table, axes)
    items = {name: Input(name, shapes[name], each.dtype) for name, each in written.items()}
    for name, each in written.items():
        _check_range(name, each)
    counted = {
        name: each.bounds
        for name, each in written.items()
        if each.bounds is not None and each.dtype.kind in ("int", "uint")
    }
    facts = GraphFacts(rows={name: (int(high), "its range") for name, (low, high) in counted.items() if low == 0})
    chooser = InputRuleChooser(items, facts, past, chosen)

    def choose(name: str) -> Rule:
        bounds, rule = written[name].bounds, written[name].rule
        if rule is not None:
            return rule
        return chooser.rule(name)[0] if bounds is None or name in facts.rows else Uniform(*bounds)

    leaves = {name: TensorSpec(name, item.shape, item.dtype, choose(name)) for name, item in items.items()}
    return apply_sizes(InputSpec(leaves, provenance={"source": "written inputs"}), sizes, (), "input")


def _check_range(name: str, each: WrittenInput) -> None:
    """Raise `OptionError` if the dtype of an input does not hold the values that are written."""
    if each.bounds is not None and each.rule is None and each.dtype.kind in ("int", "uint", "float"):
        low, high = each.bounds
        rule = Uniform(int(low), int(high)) if each.dtype.kind != "float" else Uniform(low, high)
        try:
            TensorSpec(name, (), each.dtype, rule)
        except SpecError as error:
            raise OptionError(f"input {name!r}: {error}") from error


def parse_input(text: str) -> tuple[str, WrittenInput]:
    """Return the name and the content of one input's text; errors as `describe_written`."""
    match = _FORM.fullmatch(text.strip()) if len(text) <= _MOST else None
    if match is None:
        raise OptionError(f"input {show_value(text)} is not understood: {_HOW}.")
    try:
        dtype = DType.of(match["dtype"])
    except DTypeError as error:
        raise OptionError(f"input {show_value(text)}: {error}") from error
    bounds = None
    if match["low"] is not None:
        try:
            bounds = check_bounds(match["low"], match["high"])
        except ValueError as error:
            raise OptionError(f"input {show_value(text)}: {error}; {_HOW}.") from None
    return match["name"].strip(), WrittenInput(parse_axes((match["axes"] or "").split(",")), dtype, bounds)


def parse_axes(parts: Sequence[str | int | None]) -> Axes:
    """Return axes as they are written: numbers, names, and ``?`` or nothing for an axis without a name."""
    texts = ["" if part is None else str(part).strip() for part in parts]
    if texts == [""]:
        return ()
    return tuple(int(text) if text.isdecimal() else None if is_anonymous(text) else text for text in texts)


def check_bounds(low: Any, high: Any) -> tuple[float, float]:
    """Return two ends as numbers; raise `ValueError` if one is not a number, or nothing is between them."""
    try:
        ends = (float(low), float(high))
    except (TypeError, ValueError):
        raise ValueError(f"{low}..{high} is not a range of numbers") from None
    if not ends[0] < ends[1]:
        raise ValueError(f"{low}..{high} is empty")
    return ends
