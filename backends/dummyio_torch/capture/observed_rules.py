"""What recorded inputs held, as rules: masks, ids, positions, and ranges of numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Constant, PaddingMask, Positions, Rule, TokenIds, Uniform
from dummyio_torch.capture.recorded_calls import Recorded
from dummyio_torch.discovery.input_roles import affix, is_mask, pads_rows
from dummyio_torch.discovery.run_observer import Facts

__all__ = ["choose_observed_rules"]

_POSITIONS = re.compile(r"(position|pos)_?ids$|positions?$")
_IDS = re.compile(r"(ids|tokens?)$|^(src|tgt|text)$")


def choose_observed_rules(
    leaves: Sequence[Mapping[str, Recorded]], tensors: Mapping[str, TensorSpec], facts: Facts | None
) -> dict[str, tuple[Rule, str]]:
    """Return the rule of every input and how it is known, by path; ids and positions follow the mask of their part."""
    found = {path: _rule(path, leaves, tensors, facts) for path in leaves[0]}
    for path, (rule, note) in found.items():
        if isinstance(rule, (TokenIds, Positions)) and rule.mask is None:
            mask = _mask_for(path, found, tensors)
            if mask is not None and isinstance(rule, TokenIds):
                found[path] = (TokenIds(rule.high, reserved=rule.reserved, mask=mask, pad=rule.pad), note)
    return found


def _mask_for(path: str, found: Mapping[str, tuple[Rule, str]], tensors: Mapping[str, TensorSpec]) -> str | None:
    for other, (rule, _) in found.items():
        alike = tensors[other].rank == tensors[path].rank and tensors[other].shape[:-1] == tensors[path].shape[:-1]
        if isinstance(rule, PaddingMask) and alike and affix(other) == affix(path):
            longer = tensors[other].shape[-1] - tensors[path].shape[-1]
            if not isinstance(longer, int) or longer >= 0:
                return other
    return None


def _rule(
    path: str, leaves: Sequence[Mapping[str, Recorded]], tensors: Mapping[str, TensorSpec], facts: Facts | None
) -> tuple[Rule, str]:
    seen = [call[path] for call in leaves]
    name = path.rpartition(".")[2] if not path.rpartition(".")[2].isdigit() else path.split(".", maxsplit=1)[0]
    tensor = tensors[path]
    low, high = min(leaf.low for leaf in seen), max(leaf.high for leaf in seen)
    if facts is not None and path in facts.hiding:
        return _hiding({leaf.hidden for leaf in seen}, tensor)
    sides = {leaf.side for leaf in seen}
    if None not in sides and is_mask(name):
        return _mask(sides)
    if not all(leaf.finite for leaf in seen):
        return _constant(tensor, 0), "a mask that is added: nothing is hidden"
    if tensor.dtype.kind == "float":
        return _numbers(low, high, tensor)
    if tensor.dtype.kind == "complex":
        return Uniform(), "nothing is known of complex numbers: uniform"
    if tensor.dtype.kind == "bool":
        return Uniform(int(low), int(high) + 1), f"seen from {int(low)} to {int(high)}"
    return _whole(path, name, leaves, tensors, facts)


def _constant(tensor: TensorSpec, value: float) -> Constant:
    return Constant(float(value) if tensor.dtype.kind == "float" else int(value))


def _hiding(sides: set[str | None], tensor: TensorSpec) -> tuple[Rule, str]:
    if None in sides or not pads_rows(tensor):
        return _constant(tensor, 0), "true where something is hidden: nothing is"
    return _mask(sides, pad=1)


def _mask(sides: set[str | None], pad: Literal[0, 1] = 0) -> tuple[Rule, str]:
    if sides == {"none"}:
        return PaddingMask(policy="full", pad=pad), f"a mask that was {1 - pad} everywhere"
    sides -= {"none"}
    if len(sides) > 1:
        return PaddingMask(pad=pad), "a mask that was padded on either side; right is taken"
    side: Any = next(iter(sides))
    return PaddingMask(side, pad=pad), f"a mask, padded on the {side}" + (" where it is 1" if pad else "")


def _numbers(low: float, high: float, tensor: TensorSpec) -> tuple[Rule, str]:
    if low == high:
        return Constant(low), f"always {low:g}"
    limits = tensor.dtype.limits
    top = min(math.nextafter(high, math.inf), float(limits.max))
    low = max(low, float(limits.min))
    rule = Uniform(low, top)
    try:
        rule.check(tensor.dtype, tensor.rank)
    except ValueError:
        return Constant(low), f"always about {low:g}"
    return rule, f"seen from {low:g} to {high:g}"


def _whole(
    path: str,
    name: str,
    leaves: Sequence[Mapping[str, Recorded]],
    tensors: Mapping[str, TensorSpec],
    facts: Facts | None,
) -> tuple[Rule, str]:
    tensor, seen = tensors[path], [call[path] for call in leaves]
    low, high = int(min(leaf.low for leaf in seen)), int(max(leaf.high for leaf in seen))
    start = _start(path, leaves, tensors) if _POSITIONS.search(name) and tensor.rank else None
    if start is not None:
        return Positions(start=start), f"counted from {start} in every call"
    rows = facts.rows.get(path) if facts is not None else None
    if rows is not None and rows[2] and high < rows[0]:
        pad = rows[1]
        if _IDS.search(name) or pad is not None:
            kept = (pad,) if pad is not None and rows[0] > 1 else ()
            return TokenIds(rows[0], reserved=kept, pad=pad or 0), f"indexes a table of {rows[0]} rows"
        return Uniform(0, rows[0]), f"indexes a table of {rows[0]} rows"
    return (Constant(low) if low == high else Uniform(low, high + 1)), f"seen from {low} to {high}"


def _start(path: str, leaves: Sequence[Mapping[str, Recorded]], tensors: Mapping[str, TensorSpec]) -> int | str | None:
    """Return what positions count from: a number, or a size that was it in every call; None where they do not count."""
    starts = tuple(call[path].counts_from for call in leaves)
    if None in starts:
        return None
    if len(set(starts)) == 1 and len(leaves) > 1:
        return starts[0] if starts[0] is not None and starts[0] >= 0 else None
    for other, tensor in tensors.items():
        for axis, size in enumerate(tensor.shape):
            if not isinstance(size, int) and tuple(call[other].shape[axis] for call in leaves) == starts:
                return str(size)
    return starts[0] if len(leaves) == 1 and starts[0] is not None and starts[0] >= 0 else None
