"""Searches for inputs that a module takes: runs it, changes what does not fit, the likeliest way first, and runs it again."""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, permutations

from dummyio_torch.discovery.changes.derived_sizes import (
    EDGES_OF_VIDEO,
    FEW,
    USUAL_SIZES,
    list_free_axes,
    solve_size,
    with_video_sizes,
)
from dummyio_torch.discovery.layout import InputLayout
from dummyio_torch.discovery.repairs import suggest_changes
from dummyio_torch.discovery.run_observer import LayoutChange, OperandMismatch
from dummyio_torch.discovery.runs.layout_trial import LayoutTrial, Run, depends_on_values

_SECONDS = 6.0
"""Processor time of one search; other programs on the machine do not shorten it."""
_AFTER = 30
"""Runs after the first one that worked, to find one with fewer guesses."""
_STALLED = 120
"""Runs without progress after which a search ends: what fails is not the inputs' affair."""
_NO_PROGRESS = 3
"""The cost of a change that brings a run no farther."""


class NeedsValues(Exception):  # noqa: N818 - a message to the caller, not an error
    """The module's path depends on values, which a run on shapes alone does not have."""

    def __init__(self, layout: InputLayout) -> None:
        super().__init__("the module needs values")
        self.layout = layout


def search_layout(
    trial: LayoutTrial, start: InputLayout, budget: int, accept: Callable[[Run], bool] = lambda _: True
) -> tuple[Run | None, Run]:
    """Return the first run that worked and is accepted, or None; and the run that got farthest.

    Raises `NeedsValues` if shapes alone do not determine the module's path.
    """
    trial.asked = False
    end = time.thread_time() + _SECONDS
    found, farthest = _searched(trial, start, (budget, end), accept, strict=True)
    # Rules that only prefer may have been in the way.
    if found is None and trial.asked and not _lacks_input(trial, farthest):
        found, far = _searched(trial, start, (budget, end), accept, strict=False)
        farthest = far if far.count > farthest.count else farthest
    return found, farthest


def _lacks_input(trial: LayoutTrial, run: Run) -> bool:
    """Whether a run has ended where an input is missing, which no other layout replaces."""
    return run.error is not None and trial.lacks_input(run.error)


def _searched(
    trial: LayoutTrial, start: InputLayout, limits: tuple[int, float], accept: Callable[[Run], bool], *, strict: bool
) -> tuple[Run | None, Run]:
    """Search best first: a layout runs when its turn comes, the one with the least cost first, then the one that came farthest."""
    first = trial.run(start, strict=strict)
    progress = _Progress(trial, first, trial.runs + limits[0], limits[1])
    done: set[object] = set()
    order = count()
    queue: list[tuple[int, int, int, InputLayout, Run | None]] = [(0, -first.count, next(order), start, first)]
    while queue and (queue[0][-1] is first or not progress.is_over()):  # the first has run, however long that took
        cost, before, _, layout, known = heapq.heappop(queue)
        if progress.cost is not None and progress.cost <= cost:
            break
        if layout.key in done:
            continue
        done.add(layout.key)
        run = known or trial.run(layout, strict=strict)
        progress.note(run)
        if run is progress.farthest and _lacks_input(trial, run):
            break
        if run.error is None and accept(run):
            progress.keep(run, cost)
            continue
        if run.error is not None and depends_on_values(run.error) and not trial.shadow.real:
            if progress.best is not None:
                continue
            raise NeedsValues(run.layout)
        # A change that brings a run no farther has most likely changed the wrong input: guesses elsewhere come first.
        penalty = 0 if known is not None or run.count > -before else _NO_PROGRESS
        for change in _candidate_changes(trial, run):
            new = change.change(run.layout)
            if new is not None and new.key not in done:
                price = cost + change.cost + (0 if change.shown else penalty)
                heapq.heappush(queue, (price, -run.count, next(order), new, None))
    return progress.best, progress.farthest


@dataclass
class _Progress:
    """How far the runs of a search came, and when it ends."""

    trial: LayoutTrial
    farthest: Run
    last: int
    """The number of the last run."""
    end: float
    """The processor time after which none begins."""
    best: Run | None = None
    cost: int | None = None
    moved: int = 0
    """The number of the run that came farthest."""

    def __post_init__(self) -> None:
        self.moved = self.trial.runs

    def is_over(self) -> bool:
        """Whether no run is to begin."""
        stalled = self.best is None and self.trial.runs - self.moved > _STALLED
        return stalled or self.trial.runs > self.last or time.thread_time() > self.end

    def note(self, run: Run) -> None:
        """Note how far a run came."""
        if run.count > self.farthest.count:
            self.farthest, self.moved = run, self.trial.runs

    def keep(self, run: Run, cost: int) -> None:
        """Keep a run that worked; a few more may find one with fewer guesses."""
        self.best, self.cost, self.last = run, cost, min(self.last, self.trial.runs + _AFTER)


def _candidate_changes(trial: LayoutTrial, run: Run) -> Iterator[LayoutChange]:
    """Yield changes that could make a run work."""
    if run.error is None:  # it works and is not what is looked for
        return
    error = run.error
    try:
        found = suggest_changes(run.spy, error, trial.floating)
    except OperandMismatch as mismatch:
        error, found = mismatch, suggest_changes(run.spy, mismatch, trial.floating)
    if isinstance(error, OperandMismatch) and error.need is not None:
        yield from solve_size(trial, run, error)
    yield from sorted(found, key=lambda repair: repair.cost)
    yield from _sizes_that_an_error_names(trial, run)
    yield from _named_sizes(trial, run)


def _sizes_that_an_error_names(trial: LayoutTrial, run: Run) -> Iterator[LayoutChange]:
    """Yield the numbers in attributes of the module that its own words name, as the size of the channels or the last axis."""
    if not isinstance(run.error, (ValueError, AssertionError)):
        return
    words = re.findall(r"[a-z]\w*_\w+|(?<=[`'])[a-z]\w+(?=[`'])", str(run.error))
    values = (getattr(trial.shadow.module, word, None) for word in dict.fromkeys(words))
    for size in dict.fromkeys(value for value in values if type(value) is int and value > 0):
        for leaf in run.layout.leaves.values():
            for axis in dict.fromkeys((leaf.axes[1:2] or leaf.axes) + leaf.axes[-1:]):
                if axis not in run.layout.batches:
                    yield LayoutChange.of(1, InputLayout.with_sizes, (axis,), size)


def _named_sizes(trial: LayoutTrial, run: Run) -> Iterator[LayoutChange]:
    """Sizes that the module's attributes name, and usual ones, for axes that nothing else decides."""
    for path in run.layout.leaves:
        axes = list_free_axes(run.layout, frozenset({path}))
        for size in dict.fromkeys((*trial.numbers, *USUAL_SIZES)) if axes else ():
            cost = 3 if size in trial.numbers else 6
            yield LayoutChange.of(cost, InputLayout.with_guessed_sizes, axes, size)
        if len(axes) == EDGES_OF_VIDEO:
            for frames, edge in permutations(trial.numbers[:FEW], 2):
                yield LayoutChange.of(4, with_video_sizes, axes, frames, edge)
