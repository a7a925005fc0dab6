"""Bounds for the numbers in a program: a small file must not make a huge tensor, or an integer of millions of digits.

Sizes of inputs have no value yet. They count as 1 for the size of a tensor, and as integers of 64 bits for the digits of a number.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from torch._export.serde import schema

from dummyio_torch.program_file.expressions import MAX_BITS, MAX_EXPONENT, SYMBOL_BITS

_MAX_ELEMENTS = 1 << 30
"""Of a tensor, as far as the numbers in the file decide it."""
_ATEN = re.compile(r"torch\.ops\.(?:aten|prims)\.(\w+)\.\w+")
_NOT_SIZES = re.compile(r"as_strided\w*|\w*split\w*|slice\w*|narrow\w*|select\w*")
"""Operators whose lists of numbers make no tensor larger: strides, and positions in a tensor that is there."""
_COUNTED = re.compile(
    r"iota|linspace|logspace|randperm|one_hot|bincount|histc|vander|repeat_interleave|multinomial|fft_\w+|\w+_window"
)
"""Operators with a single integer that is a size."""
_RANGES = re.compile(r"arange|range")
"""Operators whose single numbers are the ends and the step of a range."""
_MULTIPLIED = re.compile(r"eye|tri[lu]_indices")
"""Operators whose single numbers are several sizes."""
_GROWS = re.compile(r"pow|lshift")


class _Estimate(NamedTuple):
    """Binary logarithms of a number."""

    low: float
    """With sizes that are 1."""
    high: float
    """With sizes of 64 bits."""
    is_float: bool = False


_UNKNOWN = _Estimate(0.0, SYMBOL_BITS)
_FLOAT_BITS = 1024
"""Of the largest float, when it becomes an integer."""


def find_large_numbers(graph: schema.Graph) -> Iterator[str]:
    """Yield the calls in a graph that make a number of too many digits, or a tensor that is too large."""
    known: dict[str, _Estimate] = {}
    for node in graph.nodes:
        operands = [operand.arg.value for operand in node.inputs]
        aten = _ATEN.fullmatch(node.target)
        if aten is not None:
            yield from _check_sizes(aten[1], node.target, operands, known)
        elif node.target.startswith(("_operator.", "math.", "torch.sym_", "torch._sym_")):
            name, made = node.target.rpartition(".")[2], _UNKNOWN
            if name != "getitem":
                try:
                    made = _estimate_result(name, operands, known)
                except _TooLarge as reason:
                    yield f"{reason} ({node.target})"
            known.update((output, made) for part in node.outputs if (output := _find_name(part.value)) is not None)


class _TooLarge(Exception):  # noqa: N818 - a message to the caller, not an error
    """A call makes a number that is too large."""


def _check_sizes(name: str, target: str, operands: Iterable[Any], known: Mapping[str, _Estimate]) -> Iterator[str]:
    if _NOT_SIZES.fullmatch(name):
        return
    values = list(operands)
    logs = [_list_logs(items, known) for items in values if isinstance(items, (list, tuple))]
    singles = _list_logs((item for item in values if not isinstance(item, (list, tuple))), known)
    if "strided" in name:  # a size and a stride for each dim
        found = max((sum(pair) for pair in zip(*logs[:2], strict=False)), default=0.0)
    else:
        found = max((sum(max(0.0, log) for log in items) for items in logs), default=0.0)
    if _RANGES.fullmatch(name) and singles:
        found = max(found, max(0.0, *singles) - min(0.0, *singles))
    elif _COUNTED.fullmatch(name):
        found = max(
            found, *_list_logs((item for item in values if not isinstance(item, (float, list, tuple))), known), 0.0
        )
    elif _MULTIPLIED.fullmatch(name):
        found = max(found, sum(singles))
    if found > math.log2(_MAX_ELEMENTS):
        yield f"a tensor of more than {_MAX_ELEMENTS:,} elements ({target})"


def _list_logs(items: Iterable[Any], known: Mapping[str, _Estimate]) -> list[float]:
    """Return the logarithms of those that are numbers."""
    return [estimate.low for item in items if (estimate := _estimate(item, known)) is not None]


def _estimate(item: Any, known: Mapping[str, _Estimate]) -> _Estimate | None:
    """Return the estimate of a literal or of a named number; None for other operands."""
    if isinstance(item, (int, float)):
        is_float = isinstance(item, float)
        size = math.log2(abs(item)) if item and math.isfinite(item) else _FLOAT_BITS if item else 0.0
        return _Estimate(size, size, is_float)
    if isinstance(item, (schema.SymIntArgument, schema.SymFloatArgument, schema.SymBoolArgument)):
        return known.get(item.as_name, _UNKNOWN) if item.type == "as_name" else _estimate(item.value, known)
    return None


def _find_name(output: Any) -> str | None:
    is_number = isinstance(output, (schema.SymIntArgument, schema.SymFloatArgument)) and output.type == "as_name"
    return str(output.as_name) if is_number else None


def _estimate_result(name: str, operands: Iterable[Any], known: Mapping[str, _Estimate]) -> _Estimate:
    """Return the estimate of what an operator on numbers makes.

    Raises
    ------
    _TooLarge
        if it is a number of too many digits, or the operands are not numbers, of which Python makes long texts and lists.
    """
    values = list(operands)
    if name.startswith("sym_"):  # torch.sym_sum takes a list
        values = [item for value in values for item in (value if isinstance(value, (list, tuple)) else (value,))]
    if any(isinstance(value, (str, list, tuple, dict)) for value in values):
        raise _TooLarge("text or a list in place of a number")
    parts = [estimate for value in values if (estimate := _estimate(value, known)) is not None]
    if not parts:
        return _UNKNOWN
    low, high = _combine(name, values, parts)
    is_float = name in ("truediv", "sym_float", "sqrt") or any(part.is_float for part in parts)
    if is_float and name not in ("trunc", "floor", "ceil"):  # a float has no more digits, whatever it is
        return _Estimate(min(low, _FLOAT_BITS), min(high, _FLOAT_BITS), is_float=True)
    if high > MAX_BITS:
        raise _TooLarge("a number of too many digits")
    return _Estimate(low, high)


def _combine(name: str, values: Sequence[Any], parts: Sequence[_Estimate]) -> tuple[float, float]:
    """Return the two logarithms of a result."""
    first, last = parts[0], parts[-1]
    if _GROWS.fullmatch(name):
        exponent = _find_literal(values[-1])
        if not any(part.is_float for part in parts) and (exponent is None or abs(exponent) > MAX_EXPONENT):
            raise _TooLarge("a power or shift by a number that is not small")
        power = 1.0 if exponent is None else exponent
        return (
            (first.low + power, first.high + power)
            if name == "lshift"
            else (first.low * power, first.high * abs(power))
        )
    if name == "mul":
        return sum(part.low for part in parts), sum(part.high for part in parts)
    if name in ("truediv", "floordiv"):
        return first.low - last.low, first.high - min(last.low, 0.0)
    more = math.log2(len(parts)) if name in ("add", "sub", "sym_sum") else 0.0
    return max(part.low for part in parts) + more, max(part.high for part in parts) + more


def _find_literal(value: Any) -> float | None:
    if isinstance(value, (schema.SymIntArgument, schema.SymFloatArgument)) and value.type != "as_name":
        value = value.value
    return value if isinstance(value, (int, float)) else None
