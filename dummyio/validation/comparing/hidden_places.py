"""Elements that depend on what a padding mask hides, and on nothing that it shows: there, a model sees nothing.

Before the first token of a text in a causal model, or behind the last one by more than its window, kernels differ in a softmax over no
element: one gives 0, another the mean. Such a result is arbitrary, and no defect of an export. Which elements they are, the reference
tells: it runs with other values under the mask, and with others beside it.
"""

from collections.abc import Callable, Mapping

import numpy as np

from dummyio.input_spec import InputSpec
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import TokenIds, get_padding_value
from dummyio.typing import Array, Feeds
from dummyio.validation.comparing.case_values import find_padding_masks
from dummyio.validation.data.records import Comparison

_OTHERS = 2
"""The number of other samples: an integer may be the same by chance."""


def find_hidden_places(
    spec: InputSpec,
    feeds: Feeds,
    expected: Mapping[str, Array],
    wrong: Mapping[str, Comparison],
    run: Callable[[Feeds], Mapping[str, Array]],
) -> dict[str, Array]:
    """Return output → where the reference depends on what masks hide, and not on what they show, for outputs that are `wrong`.

    Raises
    ------
    RunError
        If the reference does not run with other values.
    """
    hidden = {path: feeds[path] == get_padding_value(leaf.values) for path, leaf in find_padding_masks(spec).items()}
    if not any(places.any() for places in hidden.values()):
        return {}

    def find_changed(places: Mapping[str, Array]) -> dict[str, Array]:
        found = {name: np.zeros(expected[name].shape, bool) for name in wrong}
        for step in range(1, _OTHERS + 1):
            changed = run({**feeds, **_change_values(spec, feeds, places, step)})
            for name, made in wrong.items():
                found[name] |= _differ(expected[name], changed[name], made.bound)
        return found

    by_hidden = find_changed(hidden)
    by_shown = find_changed({path: ~places for path, places in hidden.items()})
    return {name: by_hidden[name] & ~by_shown[name] for name in wrong if (by_hidden[name] & ~by_shown[name]).any()}


def _change_values(spec: InputSpec, feeds: Feeds, places: Mapping[str, Array], step: int) -> dict[str, Array]:
    """Return path → other values at the places of the mask that it has: ids of texts without special ones, and real numbers."""
    changed = {}
    for path, leaf in spec.leaves:
        where = next((place for mask, place in places.items() if _is_masked_by(leaf, mask, place, feeds[path])), None)
        if where is None:
            continue
        values = feeds[path].copy()
        if isinstance(leaf.values, TokenIds):
            kept = [*(run.id for run in leaf.values.runs), leaf.values.first, leaf.values.last]
            where = where & ~np.isin(values, [number for number in kept if number is not None])
            values[where] = _choose_other_ids(leaf.values, values[where], step)
        else:
            values[where] += values.dtype.type(step)
        changed[path] = values
    return changed


def _is_masked_by(leaf: TensorSpec, mask: str, place: Array, values: Array) -> bool:
    if isinstance(leaf.values, TokenIds):
        return leaf.values.mask == mask and values.shape == place.shape
    return values.dtype.kind == "f" and values.shape[: place.ndim] == place.shape


def _choose_other_ids(rule: TokenIds, ids: Array, step: int) -> Array:
    barred = {rule.pad, rule.first, rule.last, *rule.reserved, *(run.id for run in rule.runs)}
    free = [number for number in range(rule.high - 1, rule.low - 1, -1) if number not in barred][:_OTHERS]
    return np.full_like(ids, free[(step - 1) % len(free)]) if free else ids


def _differ(before: Array, after: Array, bound: float) -> Array:
    if before.shape != after.shape:
        return np.ones(before.shape, bool)
    if before.dtype.kind not in "fc":
        return np.asarray(before != after)
    both = np.isfinite(before) & np.isfinite(after)
    return ~both | (np.abs(np.where(both, after, 0) - np.where(both, before, 0)) > bound)
