"""Relations that hold for any export: rows are independent of each other, of padding, and of how a text is split into steps.

Each check runs the artifact twice on inputs that must give the same numbers. If the artifact violates a relation, the
reference is checked too: if it also does, that is a property of the model, and no finding.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from dummyio.errors import DimError, RunError, SpecError
from dummyio.input_spec import InputSpec
from dummyio.sources.input_names import present_name
from dummyio.spec.dims import Dim, Size, evaluate_size, is_static
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import TokenIds, get_padding_value
from dummyio.typing import Array, Feeds
from dummyio.validation.comparing.case_values import find_padding_masks
from dummyio.validation.comparing.cases import find_batch_axis, find_row_axes
from dummyio.validation.comparing.metrics import compare_arrays
from dummyio.validation.comparing.model_pair import Pair, Side
from dummyio.validation.comparing.thresholds import BATCH
from dummyio.validation.data.records import Case, Comparison, Finding

Run = Callable[[Feeds], Feeds]
Triples = Iterator[tuple[str, Array, Array]]

_WIDER = 4.0
"""The factor of the tolerance: kernels differ by shape, and both runs have rounding errors."""
_EXTRA = 3
"""The number of added columns of padding."""


@dataclass(frozen=True)
class _Check:
    """A relation between two runs: yields (output, expected, found); nothing if it does not apply to the spec."""

    name: str
    message: str
    pairs: Callable[[InputSpec, Case, Feeds, Run], Triples]


def check_relations(pair: Pair, case: Case) -> Iterator[Finding]:
    """Yield a finding for each relation that the artifact violates and the reference satisfies."""
    feeds = pair.cases.feeds(case)
    actual, reference = (_run_with_cache(pair, side, feeds) for side in ("actual", "reference"))
    for check in CHECKS:
        broken = _find_violations(pair, check, case, feeds, actual)
        if broken and not (pair.reference is not None and _find_violations(pair, check, case, feeds, reference)):
            message = f"{check.message} {_describe_worst(broken)}"
            yield Finding(check.name, "error", broken[0].output, message, (case.name,))


def _run_with_cache(pair: Pair, side: Side, feeds: Feeds) -> Run:
    """Return the run of one side; on `feeds` it runs once for all checks."""
    results: list[Feeds] = []

    def run(values: Feeds) -> Feeds:
        if values is not feeds:
            return pair.run(side, values)
        if not results:
            results.append(pair.run(side, feeds))
        return results[0]

    return run


def _find_violations(pair: Pair, check: _Check, case: Case, feeds: Feeds, run: Run) -> list[Comparison]:
    broken = []
    try:
        for name, expected, found in check.pairs(pair.cases.spec, case, feeds, run):
            own = pair.tolerances.of(name, expected.dtype, found.dtype)
            wide = {field: _WIDER * getattr(own, field) for field in ("of_scale", "relative", "absolute")}
            made = compare_arrays(name, expected, found, msgspec.structs.replace(own, cosine=-1.0, **wide))
            broken += [] if made.ok else [made]
    except (RunError, DimError, SpecError):  # the model or the artifact refuses these sizes: other cases report that
        return broken
    return broken


def _describe_worst(broken: list[Comparison]) -> str:
    worst = max(broken, key=lambda made: made.max_abs)
    if worst.max_abs <= worst.bound:  # a shape, integers, NaN
        return f"{worst.output}: {worst.reason}."
    return f"{worst.output} differs by at most {worst.max_abs:.2e}; the tolerance is {worst.bound:.2e}."


# Rows.


def _select_rows(spec: InputSpec, feeds: Feeds, rows: Any) -> Feeds | None:
    """Return the feeds with the chosen rows; None if the batch size is a part of another size, as in ``3 * batch_size``."""
    chosen = {}
    for path, leaf in spec.leaves:
        axis = find_batch_axis(leaf)
        if axis is None and any(_contains_symbol(size, BATCH) for size in leaf.shape):
            return None
        chosen[path] = feeds[path] if axis is None else np.take(feeds[path], rows, axis=axis)
    return chosen


def _contains_symbol(size: Size, name: str) -> bool:
    return not isinstance(size, int) and re.search(rf"\b{name}\b", str(size)) is not None


def _compare_rows(spec: InputSpec, case: Case, feeds: Feeds, run: Run, rows: Any) -> Triples:
    chosen = _select_rows(spec, feeds, rows)
    if chosen is None:
        return
    together, found = run(feeds), run(chosen)
    for name, axis in find_row_axes(spec, case.sizes, together).items():
        yield name, np.take(together[name], rows, axis=axis), found[name]


def _permute_rows(spec: InputSpec, case: Case, feeds: Feeds, run: Run) -> Triples:
    count = case.sizes.get(BATCH, 1)
    if count > 1:
        yield from _compare_rows(spec, case, feeds, run, np.roll(np.arange(count), 1))


def _run_one_row(spec: InputSpec, case: Case, feeds: Feeds, run: Run) -> Triples:
    count = case.sizes.get(BATCH, 1)
    if count > 1 and spec.dims[BATCH].takes(1):
        yield from _compare_rows(spec, case, feeds, run, [count - 1])


# Padding.


def _add_padding(spec: InputSpec, case: Case, feeds: Feeds, run: Run) -> Triples:
    """Add columns of padding at the end of each input that has the length of the mask."""
    masks = find_padding_masks(spec)
    lengths = {str(leaf.shape[-1]): leaf.shape[-1] for leaf in masks.values()}
    length = next(iter(lengths.values())) if len(lengths) == 1 else None
    if not isinstance(length, Dim) or length.fixed:
        return
    size = case.sizes[length.name]
    extras = (extra for extra in range(_EXTRA, 4 * length.multiple_of + _EXTRA) if length.takes(size + extra))
    extra = next(extras, None)
    others = [one for _, leaf in spec.leaves for one in leaf.shape if not is_static(one) and str(one) != length.name]
    # A size that is computed from the length changes more than the padding.
    if extra is None or any(_contains_symbol(one, length.name) for one in others):
        return
    full = _without_hidden(spec, feeds)
    wide = {path: _append_padding(leaf, full[path], length.name, extra, path in masks) for path, leaf in spec.leaves}
    short, long = run(full), run(wide)
    for name, values in short.items():
        axes = [axis for axis, (a, b) in enumerate(zip(values.shape, long[name].shape, strict=False)) if a != b]
        if values.ndim == long[name].ndim and all(long[name].shape[axis] == size + extra for axis in axes):
            yield name, values, long[name][tuple(slice(0, own) for own in values.shape)]


def _without_hidden(spec: InputSpec, feeds: Feeds) -> Feeds:
    """Return the feeds with masks that hide nothing."""
    shown = {path: 1 - get_padding_value(mask.values) for path, mask in find_padding_masks(spec).items()}
    return {path: np.full_like(values, shown[path]) if path in shown else values for path, values in feeds.items()}


def _append_padding(leaf: TensorSpec, values: Array, name: str, extra: int, is_mask: bool) -> Array:
    for axis, size in enumerate(leaf.shape):
        if str(size) != name:
            continue
        tail = np.take(values, [-1], axis=axis).repeat(extra, axis=axis)
        if is_mask:
            tail = np.full_like(tail, get_padding_value(leaf.values))
        elif isinstance(leaf.values, TokenIds):
            tail = np.full_like(tail, leaf.values.pad)
        values = np.concatenate([values, tail], axis=axis)
    return values


# Prefill and decode.


def _split_into_steps(spec: InputSpec, case: Case, feeds: Feeds, run: Run) -> Triples:
    """Run a text at once, and in two steps with the past of the first: the last scores must be the same."""
    del feeds  # their past is not empty
    pasts = _find_pasts(spec)
    new = next((leaf.shape[-1] for path, leaf in spec.leaves if path in ("input_ids", "decoder_input_ids")), None)
    if not pasts or not isinstance(new, Dim) or not spec.dims["past_sequence_length"].takes(0):
        return
    count = max(case.sizes[new.name], 4)
    sizes = {**case.sizes, "past_sequence_length": 0, new.name: count}
    if not all(new.takes(part) for part in (count, count - 2, 2)):
        return
    whole = _without_hidden(spec, spec.feeds(seed=case.seed, sample=case.sample, **sizes))
    at_once = run(whole)
    first = run(_slice_step(spec, whole, sizes, new.name, slice(0, count - 2), 0))
    second = _slice_step(spec, whole, sizes, new.name, slice(count - 2, count), count - 2)
    if any(present not in first for present in pasts.values()):
        return
    second |= {path: first[present] for path, present in pasts.items()}
    for name, scores in run(second).items():
        if "logits" in name and at_once[name].ndim == 3:
            yield name, at_once[name][:, -1], scores[:, -1]


def _find_pasts(spec: InputSpec) -> dict[str, str]:
    """Return the input of each part of the past → the output that continues it; empty if an output is missing."""
    outputs = {output.name for output in spec.outputs}
    paths = [path for path, _ in spec.leaves]
    found = {path: present for path in paths if (present := present_name(path)) is not None}
    return found if "past_sequence_length" in spec.dims and set(found.values()) <= outputs else {}


def _slice_step(spec: InputSpec, whole: Feeds, sizes: Mapping[str, int], name: str, part: slice, past: int) -> Feeds:
    """Return the feeds of one step: axes of new tokens have the slice, axes of all tokens so far end there."""
    now = {**sizes, name: part.stop - part.start, "past_sequence_length": past}
    step = {}
    for path, leaf in spec.leaves:
        values = whole[path]
        for axis, size in enumerate(leaf.shape):
            wanted = evaluate_size(size, now)
            if str(size) == name:
                values = np.take(values, range(part.start, part.stop), axis=axis)
            elif values.shape[axis] > wanted:
                values = np.take(values, range(wanted), axis=axis)
        step[path] = values
    return step


CHECKS = (
    _Check("permuted rows", "rows in another order give other results.", _permute_rows),
    _Check("alone and in a batch", "a row alone gives another result than in a batch.", _run_one_row),
    _Check("padding", "columns of padding change the results of other columns.", _add_padding),
    _Check("prefill and decode", "a text in two steps gives other scores than at once.", _split_into_steps),
)
