"""What a case changes in the values of its inputs, in place: ends of ranges, special ids, magnitudes, hidden rows."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from dummyio.input_spec import InputSpec
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import (
    Indices,
    Lengths,
    Normal,
    PaddingMask,
    Rule,
    TokenIds,
    Uniform,
    get_padding_value,
    substitute_rule_dims,
)
from dummyio.typing import Array
from dummyio.validation.data.records import Case

_LARGE = 64
"""The factor of the case of large numbers: a clamp at 100 behind a linear layer is met."""


def change_values(spec: InputSpec, case: Case, values: dict[str, Array]) -> None:
    """Change the values of a case's inputs, path → array, as its kind says."""
    for path, leaf in spec.leaves:
        if case.values == "ends":
            _put_ends(leaf, values[path], find_rule(spec, leaf, case))
        elif case.values in ("pads", "specials"):
            _put_specials(leaf, values, path, pads=case.values == "pads")
        elif case.values == "magnitudes" and isinstance(leaf.values, Normal):
            _spread_magnitudes(values[path])
        elif case.values == "large" and may_be_large(leaf):
            values[path] *= _LARGE
        elif case.values == "hidden_row" and isinstance(leaf.values, PaddingMask):
            values[path][-1] = get_padding_value(leaf.values)


def find_rule(spec: InputSpec, leaf: TensorSpec, case: Case) -> Rule:
    """Return the rule of a tensor with the sizes of the case in place of expressions of dims."""
    return substitute_rule_dims(leaf.values, spec.dims, case.sizes)


def find_padding_masks(spec: InputSpec) -> Mapping[str, TensorSpec]:
    """Return path → tensor of the padding masks."""
    return {path: leaf for path, leaf in spec.leaves if isinstance(leaf.values, PaddingMask)}


def may_be_large(leaf: TensorSpec) -> bool:
    """Whether no rule bounds the real numbers of a tensor: they are normal, or nobody stated a rule."""
    return leaf.dtype.kind == "float" and (isinstance(leaf.values, Normal) or leaf.values == Uniform())


def _put_ends(leaf: TensorSpec, values: Array, rule: Rule | None) -> None:
    """Replace the last and the first drawn value by the smallest and the largest value of the range."""
    if isinstance(leaf.values, TokenIds):
        pad = None if leaf.values.mask is None else leaf.values.pad
        taken = {pad, leaf.values.first, leaf.values.last, *(run.id for run in leaf.values.runs)}
        ends = _ordinary_ids(leaf.values, taken)
    elif isinstance(leaf.values, Uniform) and leaf.dtype.kind in ("int", "uint"):
        taken, ends = set(), (int(leaf.values.high) - 1, int(leaf.values.low))
    elif isinstance(rule, Lengths) and rule.size is not None and rule.policy == "ragged":
        taken, ends = set(), (int(rule.size), min(rule.least, int(rule.size)))
    elif isinstance(rule, Indices) and rule.order == "random" and int(rule.size) > 0:
        taken, ends = set(), (int(rule.size) - 1, 0)
    else:
        return
    flat = values.reshape(-1)
    drawn = np.flatnonzero(~np.isin(flat, [number for number in taken if number is not None]))
    if drawn.size and ends:
        flat[drawn[-1]], flat[drawn[0]] = ends[1], ends[0]


def _put_specials(leaf: TensorSpec, values: dict[str, Array], path: str, *, pads: bool) -> None:
    """Put ids with a special meaning where a text has others: twice in a row in the first row, all over the last one.

    Placeholders stay as many as there are; beside them, only the ids of pads and ends are put, since others may be placeholders of media that
    the inputs do not have.
    """
    rule = leaf.values
    if not isinstance(rule, TokenIds) or leaf.rank < 2:
        return
    ends = {rule.first, rule.last}
    special = (
        [rule.pad]
        if pads
        else [number for number in (() if rule.runs else rule.reserved) if number not in {rule.pad, *ends}]
    )
    kept = np.isin(
        values[path], [run.id for run in rule.runs] + [number for number in ends if number is not None], invert=True
    )
    if rule.mask is not None and values[rule.mask].shape == kept.shape:
        kept &= values[rule.mask].astype(bool)
    rows, free = values[path].reshape(-1, kept.shape[-1]), kept.reshape(-1, kept.shape[-1])
    places = np.flatnonzero(free[0])[1:]
    for number, place in zip(special * 2, places[::3], strict=False):
        rows[0, [place, *places[places == place + 1]]] = number
    if special and len(rows) > 1:
        last = np.flatnonzero(free[-1])
        rows[-1, last] = np.resize(special, last.size)


def _spread_magnitudes(values: Array) -> None:
    """Make one channel of real numbers 16 times as large, one 1024 times as small, and the last row constant, so that scores tie."""
    channels = np.moveaxis(values, 1 if values.ndim > 3 else -1, 0) if values.ndim else values.reshape(1)
    channels[0] *= 16
    if len(channels) > 2:
        channels[1] /= 1024
    if values.ndim > 1 and len(values) > 1:
        values[-1] = values[-1].reshape(-1)[-1]


def _ordinary_ids(rule: TokenIds, taken: set[Any]) -> tuple[int, int] | None:
    """Return the highest and the lowest id without a special meaning."""
    barred = {*taken, *rule.reserved}
    high = next((number for number in range(rule.high - 1, rule.low - 1, -1) if number not in barred), None)
    low = next((number for number in range(rule.low, rule.high) if number not in barred), None)
    return None if high is None or low is None else (high, low)
