"""Value rules from recorded inputs: masks, ids, positions, and ranges of numbers."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from dummyio.errors import SourceError
from dummyio.sources.input_names import can_be_token_ids, get_model_part, is_length, is_mask, is_position_ids
from dummyio.sources.row_lengths import choose_length_rule, find_counted_axis
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Constant, PaddingMask, Positions, Rule, TokenIds, Uniform
from dummyio_torch.capture.recorded_calls import Recorded
from dummyio_torch.discovery.input_roles import masks_rows
from dummyio_torch.discovery.run_observer import Facts


def choose_observed_rules(
    leaves: Sequence[Mapping[str, Recorded]], tensors: Mapping[str, TensorSpec], facts: Facts | None
) -> dict[str, tuple[Rule, str]]:
    """Return the rule of every input and how it is known, by path; ids follow the mask of their part."""
    found = {path: _rule(path, leaves, tensors, facts) for path in leaves[0]}
    for path, (rule, note) in found.items():
        if isinstance(rule, TokenIds):
            mask = _mask_for(path, found, tensors)
            found[path] = (TokenIds(rule.high, reserved=rule.reserved, mask=mask, pad=rule.pad), note)
    return found


def _mask_for(path: str, found: Mapping[str, tuple[Rule, str]], tensors: Mapping[str, TensorSpec]) -> str | None:
    for other, (rule, _) in found.items():
        alike = tensors[other].rank == tensors[path].rank and tensors[other].shape[:-1] == tensors[path].shape[:-1]
        if isinstance(rule, PaddingMask) and alike and get_model_part(other) == get_model_part(path):
            longer = tensors[other].shape[-1] - tensors[path].shape[-1]
            if not isinstance(longer, int) or longer >= 0:
                return other
    return None


def _rule(
    path: str, leaves: Sequence[Mapping[str, Recorded]], tensors: Mapping[str, TensorSpec], facts: Facts | None
) -> tuple[Rule, str]:
    seen = [call[path] for call in leaves]
    tensor = tensors[path]
    low, high = min(leaf.low for leaf in seen), max(leaf.high for leaf in seen)
    if facts is not None and path in facts.hiding:
        return _hiding({leaf.hidden for leaf in seen}, tensor)
    sides = {leaf.side for leaf in seen}
    if None not in sides and is_mask(path):
        return _mask(sides)
    if not all(leaf.finite for leaf in seen):
        return _constant(tensor, 0), "a mask that is added: nothing is hidden"
    if tensor.dtype.kind == "float":
        rule, note = _numbers(low, high, tensor)
        missing = any(leaf.missing for leaf in seen)
        return rule, f"{note}; values that were missing (NaN) are not made" if missing else note
    if tensor.dtype.kind == "complex":
        return Uniform(), "nothing is known of complex numbers: uniform"
    if tensor.dtype.kind == "bool":
        return Uniform(int(low), int(high) + 1), f"seen from {int(low)} to {int(high)}"
    return _whole(path, leaves, tensors, facts)


def _constant(tensor: TensorSpec, value: float) -> Constant:
    return Constant(float(value) if tensor.dtype.kind == "float" else int(value))


def _hiding(sides: set[str | None], tensor: TensorSpec) -> tuple[Rule, str]:
    if None in sides or not masks_rows(tensor):
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
    path: str, leaves: Sequence[Mapping[str, Recorded]], tensors: Mapping[str, TensorSpec], facts: Facts | None
) -> tuple[Rule, str]:
    tensor, seen = tensors[path], [call[path] for call in leaves]
    low, high = int(min(leaf.low for leaf in seen)), int(max(leaf.high for leaf in seen))
    start = _start(path, leaves, tensors) if is_position_ids(path) and tensor.rank else None
    if start is not None:
        return Positions(start=start), f"counted from {start} in every call"
    counted = _lengths(path, leaves, tensors)
    if counted is not None:
        return counted
    rows = facts.rows.get(path) if facts is not None else None
    if rows is not None and rows[2] and high < rows[0]:
        pad = rows[1]
        if can_be_token_ids(path) or pad is not None:
            kept = (pad,) if pad is not None and rows[0] > 1 else ()
            return TokenIds(rows[0], reserved=kept, pad=pad or 0), f"indexes a table of {rows[0]} rows"
        return Uniform(0, rows[0]), f"indexes a table of {rows[0]} rows"
    return (Constant(low) if low == high else Uniform(low, high + 1)), f"seen from {low} to {high}"


def _lengths(
    path: str, leaves: Sequence[Mapping[str, Recorded]], tensors: Mapping[str, TensorSpec]
) -> tuple[Rule, str] | None:
    """Return the rule of lengths by their name, if none was longer than the rows that they count."""
    shapes = {other: tensor.shape for other, tensor in tensors.items()}
    counted = find_counted_axis(path, shapes) if is_length(path) else None
    if counted is None:
        return None
    rows, axis = counted
    longest = [(int(call[path].high), call[rows].shape[axis]) for call in leaves]
    is_longer = any(high > size for high, size in longest)
    if is_longer and any(high == size for high, size in longest):
        number, (high, size) = next(pair for pair in enumerate(longest, 1) if pair[1][0] > pair[1][1])
        raise SourceError(
            f"call {number}: {path!r} has a length of {high}, and the rows of {rows!r} that it counts in other calls have {size}. "
            "Record calls with lengths of their own rows."
        )
    return None if is_longer or min(call[path].low for call in leaves) < 0 else choose_length_rule(path, shapes)


def _start(path: str, leaves: Sequence[Mapping[str, Recorded]], tensors: Mapping[str, TensorSpec]) -> int | str | None:
    """Return the number that positions count from, or the size that equals it in every call; None if they do not count."""
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
