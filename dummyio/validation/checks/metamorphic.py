"""What must hold for an export whatever its reference is: rows do not see each other, nor their padding, nor how a text was cut.

Each check runs the actual one twice on inputs that must give the same numbers. Where it does not hold, the reference is
asked as well: what does not hold there is the model's own nature, and no finding.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np

from dummyio.errors import DimError, RunError, SpecError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim, evaluate_size, is_static
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import TokenIds, get_padding_value
from dummyio.typing import Array, Feeds
from dummyio.validation.comparing.cases import BATCH, batch_axis, masks_of, row_axes
from dummyio.validation.comparing.metrics import compare
from dummyio.validation.comparing.model_pair import Pair
from dummyio.validation.data.records import Case, Comparison, Finding

__all__ = ["CHECKS", "check_relations"]

Run = Callable[[Feeds], Feeds]

_WIDER = 4.0
"""As many times the tolerance: kernels differ by shape, and both runs have their error."""
_EXTRA = 3
"""Columns of padding that are added."""


@dataclass(frozen=True)
class _Check:
    """A relation between two runs: yields (output, expected, found), or nothing where it cannot be asked."""

    name: str
    message: str
    pairs: Callable[[InputSpec, Case, Feeds, Run], Iterator[tuple[str, Array, Array]]]


def check_relations(pair: Pair, case: Case) -> Iterator[Finding]:
    """Yield a finding for each relation that the actual one breaks and the reference keeps."""
    feeds = pair.cases.feeds(case)
    actual, reference = (_shared(pair, which, feeds) for which in ("actual", "reference"))
    for check in CHECKS:
        broken = _broken(pair, check, case, feeds, actual)
        if broken and not (pair.reference is not None and _broken(pair, check, case, feeds, reference)):
            yield Finding(check.name, "error", broken[0].output, f"{check.message} {_worst(broken)}", (case.name,))


def _shared(pair: Pair, which: Literal["reference", "actual"], feeds: Feeds) -> Run:
    """Return how one of the two is run, on the case's own feeds once for all checks."""
    own: list[Feeds] = []

    def run(values: Feeds) -> Feeds:
        if values is not feeds:
            return pair.run(which, values)
        if not own:
            own.append(pair.run(which, feeds))
        return own[0]

    return run


def _broken(pair: Pair, check: _Check, case: Case, feeds: Feeds, run: Run) -> list[Comparison]:
    broken = []
    try:
        for name, expected, found in check.pairs(pair.cases.spec, case, feeds, run):
            own = pair.tolerances.of(name, expected.dtype, found.dtype)
            wide = {field: _WIDER * getattr(own, field) for field in ("of_scale", "relative", "absolute")}
            made = compare(name, expected, found, msgspec.structs.replace(own, cosine=-1.0, **wide))
            broken += [] if made.ok else [made]
    except (RunError, DimError, SpecError):  # sizes that the model or the artifact refuses: the other cases say so
        return broken
    return broken


def _worst(broken: list[Comparison]) -> str:
    most = max(broken, key=lambda made: made.max_abs)
    if most.max_abs <= most.bound:  # a shape, integers, NaN
        return f"{most.output}: {most.reason}."
    return f"{most.output} is off by {most.max_abs:.2e} at most, {most.bound:.2e} is allowed."


# Rows.


def _rows(spec: InputSpec, feeds: Feeds, choose: Any) -> Feeds | None:
    """Return the feeds with their rows chosen; None where some input has rows that cannot be told apart."""
    chosen = {}
    for path, leaf in spec.leaves:
        axis = batch_axis(leaf)
        if axis is None and any(_names_batch(size) for size in leaf.shape):
            return None
        chosen[path] = feeds[path] if axis is None else np.take(feeds[path], choose, axis=axis)
    return chosen


def _names_batch(size: Any) -> bool:
    return not isinstance(size, int) and re.search(rf"\b{BATCH}\b", str(size)) is not None


def _permuted(spec: InputSpec, case: Case, feeds: Feeds, run: Run) -> Iterator[tuple[str, Array, Array]]:
    count = case.sizes.get(BATCH, 1)
    order = np.roll(np.arange(count), 1)
    moved = _rows(spec, feeds, order) if count > 1 else None
    if moved is None:
        return
    before, after = run(feeds), run(moved)
    for name, axis in row_axes(spec, case.sizes, before).items():
        yield name, np.take(before[name], order, axis=axis), after[name]


def _alone(spec: InputSpec, case: Case, feeds: Feeds, run: Run) -> Iterator[tuple[str, Array, Array]]:
    count = case.sizes.get(BATCH, 1)
    single = _rows(spec, feeds, [count - 1]) if count > 1 and _takes(spec, BATCH, 1) else None
    if single is None:
        return
    together, alone = run(feeds), run(single)
    for name, axis in row_axes(spec, case.sizes, together).items():
        yield name, np.take(together[name], [count - 1], axis=axis), alone[name]


def _takes(spec: InputSpec, name: str, size: int) -> bool:
    return name in spec.dims and spec.dims[name].takes(size)


# Padding.


def _padded(spec: InputSpec, case: Case, feeds: Feeds, run: Run) -> Iterator[tuple[str, Array, Array]]:
    """Add columns of padding on the right of every input that is as long as the mask."""
    masks = masks_of(spec)
    lengths = {str(leaf.shape[-1]) for leaf in masks.values()}
    length = next(iter(masks.values())).shape[-1] if len(lengths) == 1 else None
    if not isinstance(length, Dim) or length.fixed:
        return
    size = case.sizes[length.name]
    longer = next(
        (size + extra for extra in range(_EXTRA, 4 * length.multiple_of + _EXTRA) if length.takes(size + extra)), None
    )
    if longer is None or _mentions(spec, length.name):
        return
    full = _kept(spec, feeds)
    wide = {path: _widened(leaf, full[path], length.name, longer - size, path in masks) for path, leaf in spec.leaves}
    short, long = run(full), run(wide)
    for name, values in short.items():
        axes = [axis for axis, (a, b) in enumerate(zip(values.shape, long[name].shape, strict=False)) if a != b]
        if values.ndim == long[name].ndim and all(long[name].shape[axis] == longer for axis in axes):
            part = long[name][tuple(slice(0, own) for own in values.shape)]
            yield name, values, part


def _kept(spec: InputSpec, feeds: Feeds) -> Feeds:
    """Return the inputs with masks that hide nothing."""
    masks = masks_of(spec)
    return {
        path: np.full_like(v, 1 - get_padding_value(masks[path].values)) if path in masks else v
        for path, v in feeds.items()
    }


def _mentions(spec: InputSpec, name: str) -> bool:
    """Whether a size is computed from the symbol: then adding columns changes more than the padding."""
    sizes = [size for _, leaf in spec.leaves for size in leaf.shape if not is_static(size)]
    return any(str(size) != name and re.search(rf"\b{name}\b", str(size)) for size in sizes)


def _widened(leaf: TensorSpec, values: Array, name: str, extra: int, is_mask: bool) -> Array:
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


def _in_steps(spec: InputSpec, case: Case, feeds: Feeds, run: Run) -> Iterator[tuple[str, Array, Array]]:
    """Run a text at once, and in two steps with the past of the first: the last scores must be the same."""
    del feeds  # their past is not empty
    pasts = _pasts(spec)
    new = next((leaf.shape[-1] for path, leaf in spec.leaves if path in ("input_ids", "decoder_input_ids")), None)
    if not pasts or not isinstance(new, Dim) or not spec.dims["past_sequence_length"].takes(0):
        return
    count = max(case.sizes[new.name], 4)
    sizes = {**case.sizes, "past_sequence_length": 0, new.name: count}
    if not all(new.takes(part) for part in (count, count - 2, 2)):
        return
    whole = _kept(spec, _made(spec, case, sizes))
    at_once = run(whole)
    first = run(_cut(spec, whole, sizes, new.name, slice(0, count - 2), 0))
    second = _cut(spec, whole, sizes, new.name, slice(count - 2, count), count - 2)
    if any(present not in first for present in pasts.values()):
        return
    second |= {path: first[present] for path, present in pasts.items()}
    then = run(second)
    for name in then:
        if "logits" in name and at_once[name].ndim == 3:
            yield name, at_once[name][:, -1], then[name][:, -1]


def _made(spec: InputSpec, case: Case, sizes: Mapping[str, int]) -> Feeds:
    return spec.feeds(seed=case.seed, sample=case.sample, **sizes)


def _pasts(spec: InputSpec) -> dict[str, str]:
    """Return the input of each part of the past → the output that continues it; empty where some has none."""
    outputs = {output.name for output in spec.outputs}
    paths = [path for path, _ in spec.leaves if path.startswith("past_key_values.")]
    found = {path: path.replace("past_key_values.", "present.", 1) for path in paths}
    return found if "past_sequence_length" in spec.dims and set(found.values()) <= outputs else {}


def _cut(spec: InputSpec, whole: Feeds, sizes: Mapping[str, int], name: str, part: slice, past: int) -> Feeds:
    """Return the feeds of one step: what counts new tokens is cut, what counts all that were seen goes on to there."""
    now = {**sizes, name: part.stop - part.start, "past_sequence_length": past}
    cut = {}
    for path, leaf in spec.leaves:
        values = whole[path]
        for axis, size in enumerate(leaf.shape):
            wanted = evaluate_size(size, now)
            if str(size) == name:
                values = np.take(values, range(part.start, part.stop), axis=axis)
            elif values.shape[axis] > wanted:
                values = np.take(values, range(wanted), axis=axis)
        cut[path] = values
    return cut


CHECKS = (
    _Check("permuted rows", "rows in another order give other results.", _permuted),
    _Check("alone and in a batch", "a row alone gives another result than in a batch.", _alone),
    _Check("padding", "columns of padding change the result of what is not padding.", _padded),
    _Check("prefill and decode", "a text in two steps gives other scores than at once.", _in_steps),
)
