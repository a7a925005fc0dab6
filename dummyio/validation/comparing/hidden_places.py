"""Elements that depend on what a padding mask hides: before the first token of a text, where a causal model sees nothing.

Kernels differ in a softmax over no element: one gives 0, another the mean. Such a result is arbitrary, and no defect of an export. Which
elements they are, the reference tells: it runs with other ids under the mask.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from dummyio.input_spec import InputSpec
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import TokenIds, get_padding_value
from dummyio.typing import Array, Feeds
from dummyio.validation.comparing.cases import find_padding_masks
from dummyio.validation.data.records import Comparison

_OTHERS = 2
"""The number of other samples under the mask: an integer may be the same by chance."""


def find_hidden_places(
    spec: InputSpec,
    feeds: Feeds,
    expected: Mapping[str, Array],
    wrong: Mapping[str, Comparison],
    run: Callable[[Feeds], Mapping[str, Array]],
) -> dict[str, Array]:
    """Return output → where an output of the reference depends on what masks hide at the beginning of rows, for those that are `wrong`.

    Raises
    ------
    RunError
        If the reference does not run with other values under the mask.
    """
    hidden = {path: places for path, places in _iterate_hidden(spec, feeds) if places.any()}
    if not hidden:
        return {}
    places: dict[str, Array] = {}
    for step in range(1, _OTHERS + 1):
        changed = run({**feeds, **_change_hidden(spec, feeds, hidden, step)})
        for name, made in wrong.items():
            now = changed.get(name)
            if now is not None and now.shape == expected[name].shape:
                apart = _differ(expected[name], now, made.bound)
                places[name] = places[name] | apart if name in places else apart
    return places


def _iterate_hidden(spec: InputSpec, feeds: Feeds) -> Iterator[tuple[str, Array]]:
    """Yield each mask, and what it hides in the rows that begin with something hidden."""
    for path, leaf in find_padding_masks(spec).items():
        if feeds[path].size:
            places = feeds[path] == get_padding_value(leaf.values)
            yield path, places & places[..., :1]


def _change_hidden(spec: InputSpec, feeds: Feeds, hidden: Mapping[str, Array], step: int) -> dict[str, Array]:
    """Return path → values with others where a mask of their shape hides them: ids of texts, and real numbers."""
    changed = {}
    for path, leaf in spec.leaves:
        where = next((place for mask, place in hidden.items() if _is_hidden_by(leaf, mask, place, feeds[path])), None)
        if where is None:
            continue
        values = feeds[path].copy()
        if isinstance(leaf.values, TokenIds):
            values[where] = _choose_other_ids(leaf.values, values[where], step)
        else:
            values[where] += values.dtype.type(step)
        changed[path] = values
    return changed


def _is_hidden_by(leaf: TensorSpec, mask: str, place: Array, values: Array) -> bool:
    if isinstance(leaf.values, TokenIds):
        return leaf.values.mask == mask and values.shape == place.shape
    return values.dtype.kind == "f" and values.shape[: place.ndim] == place.shape


def _choose_other_ids(rule: TokenIds, ids: Array, step: int) -> Array:
    barred = {rule.pad, rule.first, rule.last, *rule.reserved, *(run.id for run in rule.runs)}
    free = [number for number in range(rule.high - 1, rule.low - 1, -1) if number not in barred][:_OTHERS]
    return np.full_like(ids, free[(step - 1) % len(free)]) if free else ids


def _differ(before: Array, after: Array, bound: float) -> Array:
    if before.dtype.kind not in "fc":
        return np.asarray(before != after)
    both = np.isfinite(before) & np.isfinite(after)
    return both & (np.abs(np.where(both, after, 0) - np.where(both, before, 0)) > bound)
