"""A spec from inputs that a person writes, as ``ids:int64[batch,seq]:0..30522``: name, dtype, axes, and values if they are known."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from dummyio.errors import DTypeError, OptionError
from dummyio.input_spec import InputSpec
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


class _Written(NamedTuple):
    axes: Axes
    dtype: DType
    bounds: tuple[float, float] | None


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
    chosen, sizes = check_options(dims, ())
    written: dict[str, _Written] = {}
    for text in texts:
        name, found = _parse(text)
        if name in written:
            raise OptionError(
                f"input {show_value(text)}: another input is named {name!r} too. Give each a name of its own."
            )
        written[name] = found
    axes = share_axis_names({name: each.axes for name, each in written.items()})
    table = DimTable(axes)
    shapes, past = resolve_shapes(table, axes)
    items = {name: Input(name, shapes[name], each.dtype) for name, each in written.items()}
    counted = {
        name: each.bounds
        for name, each in written.items()
        if each.bounds is not None and each.dtype.kind in ("int", "uint")
    }
    facts = GraphFacts(rows={name: (int(high), "its range") for name, (low, high) in counted.items() if low == 0})
    chooser = InputRuleChooser(items, facts, past, chosen)

    def choose(name: str) -> Rule:
        bounds = written[name].bounds
        return chooser.rule(name)[0] if bounds is None or name in facts.rows else Uniform(*bounds)

    leaves = {name: TensorSpec(name, item.shape, item.dtype, choose(name)) for name, item in items.items()}
    return apply_sizes(InputSpec(leaves, provenance={"source": "written inputs"}), sizes, (), "input")


def _parse(text: str) -> tuple[str, _Written]:
    match = _FORM.fullmatch(text.strip()) if len(text) <= _MOST else None
    if match is None:
        raise OptionError(f"input {show_value(text)} is not understood: {_HOW}.")
    try:
        dtype = DType.of(match["dtype"])
    except DTypeError as error:
        raise OptionError(f"input {show_value(text)}: {error}") from error
    return match["name"].strip(), _Written(_parse_axes(match["axes"] or ""), dtype, _parse_bounds(text, match))


def _parse_axes(text: str) -> Axes:
    parts = [part.strip() for part in text.split(",")] if text.strip() else []
    return tuple(None if part in ("?", "") else int(part) if part.isdecimal() else part for part in parts)


def _parse_bounds(text: str, match: re.Match[str]) -> tuple[float, float] | None:
    if match["low"] is None:
        return None
    try:
        low, high = (float(match[end]) for end in ("low", "high"))
    except ValueError:
        raise OptionError(
            f"input {show_value(text)}: {match['low']}..{match['high']} is not a range of numbers; {_HOW}."
        ) from None
    if not low < high:
        raise OptionError(f"input {show_value(text)}: {match['low']}..{match['high']} is empty; {_HOW}.")
    return low, high
