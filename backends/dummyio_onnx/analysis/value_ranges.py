"""Intervals of inputs that operations need: a logarithm of numbers above 0, a root of those from 0, the whole range of quantized ones.

A value that is an input times a number plus another is followed; where an operation is defined on an interval alone, the input gets the
interval that leads there.
"""

import math
from typing import NamedTuple

from dummyio_onnx.analysis.flat_graph import Op
from dummyio_onnx.analysis.graph_facts import Line, ValueFacts

_INFINITE = math.inf
_NEAR = 1e-3
"""The distance from an end that is not part of an interval."""
_MOST_ROWS = 1 << 20


class _Domain(NamedTuple):
    low: float
    high: float


_DOMAINS: dict[str, _Domain] = {
    "Log": _Domain(_NEAR, _INFINITE),
    "Sqrt": _Domain(0, _INFINITE),
    "Reciprocal": _Domain(_NEAR, _INFINITE),
    "Acosh": _Domain(1, _INFINITE),
    "Acos": _Domain(-1, 1),
    "Asin": _Domain(-1, 1),
    "Atanh": _Domain(_NEAR - 1, 1 - _NEAR),
}
"""Operation → the interval on which it is defined."""
_MOVING = frozenset(
    (
        "Identity",
        "Cast",
        "CastLike",
        "Reshape",
        "Unsqueeze",
        "Squeeze",
        "Flatten",
        "Transpose",
        "Expand",
        "Slice",
        "Tile",
        "Dropout",
    )
)
"""Operations that change no number."""
_QUANTIZED: dict[str, tuple[int, ...]] = {
    "DequantizeLinear": (0,),
    "MatMulInteger": (0, 1),
    "ConvInteger": (0,),
    "QLinearConv": (0,),
    "QLinearMatMul": (0, 3),
}
"""Operation → its inputs that are quantized numbers."""


def read_ranges(op: Op, facts: ValueFacts) -> None:
    """Enter the intervals that one operation needs, and follow what it computes of an input."""
    for place in _QUANTIZED.get(op.kind, ()):
        for origin in facts.origins.get(op.input(place), ()):
            facts.evidence.add_range(origin.path, -_INFINITE, _INFINITE, op.kind)
    if op.kind in ("Clip", "Mod"):
        _read_whole(op, facts)
    domain = _find_power(op, facts) if op.kind == "Pow" else _DOMAINS.get(op.kind)
    if domain is not None:
        _require(op.input(0), domain, op.kind, facts)
    if op.kind == "Div":
        _require(op.input(1), _DOMAINS["Reciprocal"], op.kind, facts)
    line = _follow(op, facts)
    if line is not None:
        facts.lines[op.outputs[0]] = line


def _require(name: str, domain: _Domain, kind: str, facts: ValueFacts) -> None:
    line = facts.lines.get(name)
    if line is None or not line.scale:
        return
    ends = sorted((end - line.shift) / line.scale for end in domain)
    facts.evidence.add_range(line.path, ends[0], ends[1], kind)


def _find_power(op: Op, facts: ValueFacts) -> _Domain | None:
    exponent = _read_scalar(op.input(1), facts)
    if exponent is None or (exponent >= 0 and exponent.is_integer()):
        return None
    return _DOMAINS["Log"] if exponent < 0 else _DOMAINS["Sqrt"]


def _follow(op: Op, facts: ValueFacts) -> Line | None:
    """Return the result as a multiple of an input plus a number; None if it is something else."""
    left, right = facts.lines.get(op.input(0)), facts.lines.get(op.input(1))
    if op.kind in _MOVING:
        return left
    if op.kind == "Neg" and left is not None:
        return Line(left.path, -left.scale, -left.shift)
    if op.kind not in ("Add", "Sub", "Mul", "Div") or (left is None) == (right is None):
        return None
    number = _read_scalar(op.input(0 if left is None else 1), facts)
    line = right if left is None else left
    if number is None or line is None or (op.kind == "Div" and (left is None or not number)):
        return None
    if op.kind in ("Mul", "Div"):
        factor = number if op.kind == "Mul" else 1 / number
        return Line(line.path, line.scale * factor, line.shift * factor)
    if op.kind == "Add":
        return Line(line.path, line.scale, line.shift + number)
    return (
        Line(line.path, line.scale, line.shift - number)
        if right is None
        else Line(line.path, -line.scale, number - line.shift)
    )


def _read_scalar(name: str, facts: ValueFacts) -> float | None:
    """Return the one number of a constant."""
    constant = facts.constants.get(name)
    values = () if constant is None or not constant.values else set(constant.values)
    return (
        next((float(value) for value in values if isinstance(value, (int, float))), None) if len(values) == 1 else None
    )


def _read_whole(op: Op, facts: ValueFacts) -> None:
    """Note that whole numbers are clipped, or divided for the rest: those that this does not change are drawn."""
    if op.kind == "Mod":
        low, high = 0.0, _read_scalar(op.input(1), facts)
    else:
        low, high = _read_scalar(op.input(1), facts) or 0.0, _read_scalar(op.input(2), facts)
        high = None if high is None else high + 1
    if low or high is None or not 1 < high <= _MOST_ROWS:
        return
    for origin in facts.origins.get(op.input(0), ()):
        if facts.kinds.get(origin.path) in ("int", "uint") and high.is_integer():
            facts.evidence.add_index(origin, int(high), op.kind)
