"""The value rule of a graph's input: by what the graph does with it, else by its name and dtype, else a guess.

`_ROLES` has the rules in the order in which they are tried: each applies to some names and kinds of dtype, and returns a
value rule, or None if it does not fit after all.
"""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from dummyio.sources.graph.graph_facts import GraphFacts, ParameterValues, SizeLimit
from dummyio.sources.input_names import (
    get_name_prefix,
    is_ids,
    is_length,
    is_padding_mask,
    is_position_ids,
    is_timestep,
    is_type_ids,
    strip_framework_parts,
)
from dummyio.sources.known_values import choose_known_values
from dummyio.sources.options import make_padding_mask
from dummyio.sources.row_lengths import choose_length_rule
from dummyio.spec.dims import Dim, Size, find_dims
from dummyio.spec.dtypes import DType
from dummyio.spec.values import Boxes, Choices, Constant, Indices, Positions, Rows, Rule, Strings, TokenIds, Uniform

_ENOUGH = 0.25
"""The length of a part of [0, 1) from which it is taken."""
_MOST_EXACT = 1 << 24
"""Whole numbers up to this one are exact in float32."""
_MOST_QUANTIZED = 1 << 15


@dataclass(frozen=True, slots=True)
class Input:
    """One input of a graph."""

    name: str
    shape: tuple[Size, ...]
    dtype: DType


@dataclass(frozen=True, slots=True)
class InputRuleChooser:
    """All inputs of a graph, and the facts that it shows of them."""

    all: Mapping[str, Input]
    evidence: GraphFacts
    past: Size
    """The length of the decoder's own past; 0 without one."""

    options: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The options that the caller gives the reader."""

    def rule(self, name: str) -> tuple[Rule, str | None]:
        """Return an input's value rule, and a note for people if it is a guess."""
        item = self.all[name]
        parameter = self.evidence.parameters.get(name)
        if parameter is not None and item.dtype.kind in _CASTS:
            return _parameter(parameter, _CASTS[item.dtype.kind])
        known = self.evidence.choices.get(name)
        if known is not None and name not in self.evidence.rows:
            found = choose_known_values(known.values, takes_others=known.takes_others)
            return found, f"{len(known.values)} values of {known.reason}"
        if is_length(name) and item.dtype.kind in _WHOLE:
            return self._lengths(item)
        for role in _ROLES:
            if item.dtype.kind in role.kinds and role.has_name(strip_framework_parts(name)):
                rule = role.make(self, item)
                if rule is not None:
                    return rule, role.note or self._note(item, rule)
        return self._by_dtype(item)

    def _lengths(self, item: Input) -> tuple[Rule, str | None]:
        masks = [name for name in self.all if is_padding_mask(name)]
        found = choose_length_rule(item.name, {name: other.shape for name, other in self.all.items()}, masks)
        return found or (Constant(1), "assumed to be lengths, of rows that no input has: always 1")

    def _note(self, item: Input, rule: Rule) -> str | None:
        found = self.evidence.rows.get(item.name)
        if found is not None:
            return f"below {found[0]}, the rows of {' '.join(found[1].split())}"
        return f"its table is not in the graph: ids below {rule.high}" if isinstance(rule, TokenIds) else None

    def _by_dtype(self, item: Input) -> tuple[Rule, str | None]:
        match item.dtype.kind:
            case "string":
                return Strings(), None
            case "int" | "uint":
                return self._whole_numbers(item)
            case "float":
                return self._real_numbers(item)
            case _:
                return Uniform(0, 2 if item.dtype.kind == "bool" else 1), None

    def _real_numbers(self, item: Input) -> tuple[Rule, str | None]:
        found = self.evidence.rows.get(item.name)
        if found is not None:  # cast before they are indices
            rule = Uniform(0, min(found[0], _MOST_EXACT))
            return rule, self._note(item, rule)
        low, high, reason = self.evidence.ranges.get(item.name, (0.0, 1.0, ""))
        ends = _choose_interval(low, high)
        if ends == (0, 1):
            return Uniform(), None
        return Uniform(*ends), f"in [{ends[0]:g}, {ends[1]:g}), where {reason} is defined"

    def _whole_numbers(self, item: Input) -> tuple[Rule, str | None]:
        found = self.evidence.rows.get(item.name)
        if found is not None:
            rule = Uniform(0, _fitted(found[0], item.dtype))
            return rule, self._note(item, rule)
        if item.name in self.evidence.indices:
            size = self.evidence.indices[item.name]
            held = {dim for other in self.all.values() for axis in other.shape for dim in find_dims(axis)}
            if size is not None and held.issuperset(find_dims(size)):
                return Indices(str(size)), f"indices below {size}, an axis that the model gathers from"
            return Constant(0), "an index of an axis of which the size is not known: always 0"
        if item.name in self.evidence.ranges:
            low, high, reason = self.evidence.ranges[item.name]
            least, most = (
                max(low, float(item.dtype.limits.min), -_MOST_QUANTIZED),
                min(high, float(item.dtype.limits.max), _MOST_QUANTIZED),
            )
            return Uniform(int(least), int(most) + 1), f"quantized numbers, for {reason}"
        if item.name in self.evidence.divisors:
            return Constant(1), "a divisor: always 1"
        if item.dtype is DType.UINT8 and len(item.shape) >= 3:
            return Uniform(0, 256), "assumed to be an image: uniform in [0, 256)"
        high = 2 if item.dtype.limits.max >= 1 else 1
        return Uniform(0, high), f"the model does not show its contents: uniform in [0, {high})"

    def limits(self, rules: Mapping[str, Rule]) -> list[SizeLimit]:
        """Return the limits of sizes: those that the graph shows, and the rows of the tables that positions index."""
        found = list(self.evidence.limits)
        for name, rule in rules.items():
            if isinstance(rule, Positions) and name in self.evidence.rows:
                # Positions are as many as the mask that they follow is long, or continue from where they start.
                length = self.all[name if rule.mask is None else rule.mask].shape[-1]
                end = self.past + length if rule.mask is None and rule.start else length
                found.append(SizeLimit(end, *self.evidence.rows[name]))
        return found

    def mask_for(self, item: Input) -> str | None:
        """Return the mask that an input follows: of its part of the model, of its shape, and as long or longer."""
        for other in self.all.values():
            if (
                is_padding_mask(other.name)
                and get_name_prefix(other.name) == get_name_prefix(item.name)
                and len(other.shape) == len(item.shape) > 0
                and other.shape[:-1] == item.shape[:-1]
                and _covers(other.shape[-1], item.shape[-1])
            ):
                return other.name
        return None

    def covers_past(self, item: Input) -> bool:
        """Whether a mask covers the past too."""
        return self.past not in (0, item.shape[-1]) and _covers(item.shape[-1], self.past)


def _covers(longer: Size, shorter: Size) -> bool:
    """Whether the first size is at least the second at all sizes of their dims: the difference is a sum of sizes."""
    rest = longer - shorter
    if isinstance(rest, int):
        return rest >= 0
    return isinstance(rest, Dim) or all(count > 0 for _, count in rest.terms)


def _choose_interval(low: float, high: float) -> tuple[float, float]:
    """Return an interval to draw from inside of another one: [0, 1) or most of it if possible, else one that is as long."""
    usual = (max(low, 0.0), min(high, 1.0))
    if usual[1] - usual[0] >= _ENOUGH:
        found = usual
    elif math.isinf(low) and math.isinf(high):
        found = (0.0, 1.0)
    elif math.isinf(high):
        found = (low, low + 1)
    elif math.isinf(low):
        found = (high - 1, high)
    else:
        found = (max(low, high - 1), high) if high <= 0 else (low, min(high, low + 1))
    ends = [float(f"{end:.6g}") for end in found]
    return ends[0], ends[1]


def _fitted(rows: int, dtype: DType) -> int:
    return min(rows, int(dtype.limits.max) + 1)


@dataclass(frozen=True, slots=True)
class _Role:
    """One row of the table."""

    has_name: Callable[[str], Any]
    kinds: tuple[str, ...]
    make: Callable[[InputRuleChooser, Input], Rule | None]
    note: str | None = None


def _mask(inputs: InputRuleChooser, item: Input) -> Rule | None:
    if not item.shape or not is_padding_mask(item.name):
        return None
    # New tokens after a past are not padded, so the padding of a row is before the past.
    side: Literal["left", "right"] = "left" if inputs.covers_past(item) else "right"
    # A mask of keys declares which keys attention must hide.
    pad: Literal[0, 1] = 1 if item.dtype.kind == "bool" and "key_padding" in strip_framework_parts(item.name) else 0
    return make_padding_mask(inputs.options, side, pad)


def _token_ids(inputs: InputRuleChooser, item: Input) -> Rule | None:
    if not item.shape:
        return None
    rows, _ = inputs.evidence.rows.get(item.name, (2, ""))
    return TokenIds(_fitted(rows, item.dtype), mask=inputs.mask_for(item))


def _positions(inputs: InputRuleChooser, item: Input) -> Rule | None:
    # Floats that are called `positions` are coordinates; as ids they come from layers that cast them.
    if not item.shape or (item.dtype.kind == "float" and "id" not in item.name.lower()):
        return None
    mask = inputs.mask_for(item)
    if mask is not None:
        return Positions(mask=mask)
    start = inputs.past if isinstance(inputs.past, int) else str(inputs.past)
    return Positions(start=start)


def _types(inputs: InputRuleChooser, item: Input) -> Rule | None:
    rows, _ = inputs.evidence.rows.get(item.name, (2, ""))
    return Uniform(0, _fitted(rows, item.dtype))


def _boxes(inputs: InputRuleChooser, item: Input) -> Rule | None:
    if not item.shape or item.shape[-1] != 4:
        return None
    if item.dtype.kind == "float":
        return Boxes()
    rows, _ = inputs.evidence.rows.get(item.name, (1001, ""))
    return Boxes(0, min(_fitted(1001, item.dtype), rows))


def _parameter(known: ParameterValues, cast: Callable[[Any], Any]) -> tuple[Rule, str | None]:
    """Return the rule of a parameter, and which values it has."""
    values = [cast(value) for value in known.row or known.options]
    text, what = ", ".join(map(str, values)), f"a parameter of {known.reason}"
    if known.row is not None:
        return Rows(tuple(values)), f"{what}: {text}"
    if len(values) > 1:
        return Choices(tuple(values)), f"{what}: one of {text}"
    return Constant(values[0]), f"{what}: always {text}"


def _always(value: int) -> Callable[[InputRuleChooser, Input], Rule | None]:
    return lambda _, item: Constant(_CASTS[item.dtype.kind](value))


def _matching(pattern: str) -> Callable[[str], Any]:
    return re.compile(pattern).search


_CASTS: dict[str, type[bool | int | float]] = {"bool": bool, "float": float, "int": int, "uint": int}
_WHOLE = ("int", "uint")
_NUMBERS = (*_WHOLE, "float")
_ROLES: tuple[_Role, ...] = (
    _Role(_matching(r"(head|pixel|pixel_attention)_mask$"), (*_NUMBERS, "bool"), _always(1), "nothing is masked out"),
    _Role(is_padding_mask, (*_NUMBERS, "bool"), _mask),
    _Role(is_position_ids, _NUMBERS, _positions),
    _Role(is_type_ids, _WHOLE, _types),
    _Role(is_ids, _WHOLE, _token_ids),
    _Role(_matching(r"^bbox(es)?$|^boxes$"), _NUMBERS, _boxes),
    _Role(_matching(r"^use_cache_branch$"), ("bool",), _always(1), "the branch that uses the past: always true"),
    _Role(_matching(r"logits_to_keep$"), _WHOLE, _always(1), "the last position's logits only"),
    _Role(
        is_timestep, _NUMBERS, lambda _, __: Uniform(0, 1000), "assumed to be time steps of a diffusion: in [0, 1000)"
    ),
)
