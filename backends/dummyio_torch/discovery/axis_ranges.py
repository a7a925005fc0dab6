"""Which axes are dynamic, and their ranges: found by runs of a layout that works at other sizes."""

import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from dummyio.sources.input_names import is_mask, is_position_ids
from dummyio_torch.discovery.layout import InputLayout
from dummyio_torch.discovery.runs.layout_trial import LayoutTrial, Run

_STEPS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 48, 64)
_FAR = 1 << 14
_SECONDS = 10.0
"""Processor time of trying sizes with values; an axis that is not tried then keeps its size."""
_NEAR = 160
"""The largest size that is tried where runs have values, and cost memory and time."""


@dataclass(frozen=True)
class Range:
    """The sizes that an axis can take."""

    min: int
    max: int | None
    step: int = 1


def join_axes(trial: LayoutTrial, run: Run) -> Run:
    """Return a run in which an axis is that of the input whose places are looked up on it: runs of small sizes have few places."""
    for path, axis in dict.fromkeys(run.spy.facts.chosen_from):
        kept, layout = run.layout.fixed | run.layout.batches, run.layout
        own = [each for each in layout.leaves[path].axes if each not in kept]
        if len(own) == 1 and axis is not None and axis not in kept and axis != own[0]:
            joined = layout.with_equal(own[0], axis)
            new = run if joined is None else trial.run(joined)
            run = new if new.error is None else run
    return run


def separate_axes(trial: LayoutTrial, run: Run) -> Run:
    """Return a run in which axes that need not be one are separate."""
    for path, leaf in run.layout.leaves.items():
        if path not in run.spy.facts.used or is_mask(path) or path in run.layout.images:
            continue
        for place, axis in enumerate(leaf.axes):
            now = run.layout.leaves
            shared = [p for p, other in now.items() if p != path and axis in other.axes and p in run.spy.facts.used]
            if axis in run.layout.fixed or not shared or path == next(iter(now)):
                continue
            layout, new = run.layout.new_axis()
            own = now[path].axes
            layout = layout.with_axes(path, (*own[:place], new, *own[place + 1 :]))
            if axis in layout.batches:
                layout = replace(layout, batches=layout.batches | {new})
            other_run = trial.run(layout)
            if other_run.error is None and trial.passes(layout.with_sizes((new,), layout.sizes[new] + 1, fix=False)):
                run = other_run
    return run


def find_axis_ranges(trial: LayoutTrial, run: Run) -> tuple[InputLayout, dict[int, Range]]:
    """Return the layout, and the range of each axis that can change alone; two that must stay equal have one size."""
    layout, found = run.layout.with_own_axes(), dict[int, Range]()
    if trial.shadow.real:
        trial.ends = time.thread_time() + _SECONDS
    most = 20 * run.count + 2000
    for axis in _axes_to_try(layout):
        sizes = _find_range(trial, layout, axis, most, list(found.values()))
        if sizes is not None:
            found[axis] = sizes
    limits = dict(run.spy.facts.limits)
    for path, (rows, _, _) in run.spy.facts.rows.items():
        leaf = layout.leaves.get(path)
        if leaf is not None and leaf.axes and is_position_ids(path):
            limits[leaf.axes[-1]] = min(rows, limits.get(leaf.axes[-1], rows))
    for axis, limit in limits.items():
        sizes = found.get(axis)
        if sizes is not None and sizes.min <= limit and (sizes.max is None or limit < sizes.max):
            found[axis] = replace(sizes, max=limit // sizes.step * sizes.step)
    return layout, found


def _axes_to_try(layout: InputLayout) -> list[int]:
    axes = (axis for leaf in layout.leaves.values() for axis in leaf.axes)
    return [axis for axis in dict.fromkeys(axes) if axis not in layout.fixed - layout.guessed]


def _find_range(
    trial: LayoutTrial, layout: InputLayout, axis: int, most: int, others: Sequence[Range] = ()
) -> Range | None:
    """Return the range of one axis, which may be that of another; None if it takes no size but its own."""
    size = layout.sizes[axis]

    @cache
    def passes(other: int) -> bool | None:
        return trial.passes(layout.with_sizes((axis,), other, fix=False), most)

    steps = trial.prefix is None or trial.lengths is not None  # rows that are full may be taken step by step
    far = _NEAR if trial.shadow.real and steps else _FAR
    for other in others:
        if other.step > 1 and size % other.step == 0 and _has_range(passes, size, other, far):
            return other
    step = next((s for s in (*_STEPS, size) if size % s == 0 and passes(size + s)), None)
    if step is None:
        return None
    low = step if passes(step) else step * find_smallest_size(lambda n: passes(n * step), 1, size // step)
    if layout.is_graph and axis not in layout.batches and low == 1 and passes(0):
        low = 0  # a graph may lack edges
    far = far // step * step
    if far <= size or passes(far) is not False:
        return Range(low, None, step)
    # The limit is mostly the number of rows of a table.
    known = next((n for n in sorted(layout.taken) if n > size and not passes((n // step + 1) * step)), far)
    if known < far and passes(known // step * step):
        return Range(low, known // step * step, step)
    return Range(low, step * find_largest_size(lambda n: passes(n * step), size // step, far // step), step)


def _has_range(passes: Callable[[int], bool | None], size: int, known: Range, far: int) -> bool:
    """Whether an axis has a known range: the other side of an image mostly has, and a few runs show it."""
    inside, outside = {size + known.step, known.min}, {size + 1}
    if known.min > known.step:
        outside.add(known.min - known.step)
    if known.max is None:
        inside.add(far // known.step * known.step)
    else:
        inside = {*(each for each in inside if each <= known.max), known.max}
        outside.add(known.max + known.step)
    return not any(map(passes, outside)) and all(passes(each) is not False for each in inside)


def find_smallest_size(passes: Callable[[int], bool | None], bad: int, good: int) -> int:
    """Return the smallest size that passes, between one that does not and one that does."""
    sizes = range(bad + 1, good)
    return bad + 1 + bisect_left(sizes, True, key=lambda size: bool(passes(size)))


def find_largest_size(passes: Callable[[int], bool | None], good: int, bad: int) -> int:
    """Return the largest size that passes, between one that does and one that does not."""
    sizes = range(good + 1, bad)
    return good + bisect_left(sizes, True, key=lambda size: not passes(size))
