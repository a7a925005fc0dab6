"""Finds the size of an input's axis at which a size that follows from it is as an operation needs it, by runs at other sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations

from dummyio_torch.discovery.layout import InputLayout
from dummyio_torch.discovery.repairs import suggest_changes
from dummyio_torch.discovery.run_observer import LayoutChange, OperandMismatch
from dummyio_torch.discovery.runs.layout_trial import LayoutTrial, Run

USUAL_SIZES = (28, 32, 64, 224, 16, 128, 256, 8, 96, 48, 384, 512, 84, 227, 299)
_MAX_SIZE = 2048
EDGES_OF_VIDEO = 3
FEW = 6


def list_free_axes(
    layout: InputLayout, paths: frozenset[str], *, channels: bool = False, guessed: bool = False
) -> list[int]:
    """Return the axes of some inputs whose sizes are still free, without batches; channels of images and guesses only if asked for."""
    leaves = [leaf for path, leaf in layout.leaves.items() if path in paths]
    axes = [axis for leaf in leaves for axis in leaf.axes[2 if len(leaf.axes) >= 4 and not channels else 0 :]]
    kept = (layout.fixed - layout.guessed if guessed else layout.fixed) | layout.batches
    return [axis for axis in dict.fromkeys(axes) if axis not in kept]


def solve_size(trial: LayoutTrial, run: Run, error: OperandMismatch) -> Iterator[LayoutChange]:
    """Yield changes after which a size that follows from several axes is as needed.

    An axis that alone decides it is solved for: the size is a multiple of its own, and perhaps a number more. Of several axes, such as
    the edges of an image whose features are flattened, all get one size: more gives more.
    """
    samples = [path for path in error.paths if run.layout.with_items_alone(path) is not None]
    if samples:  # features are counted in each item of a list, not over a batch of them
        yield LayoutChange.of(0, InputLayout.with_items_alone, min(samples))
        return
    moving = dict(_solve_alone(trial, run, error))
    cost = 0 if len(moving) == 1 else 1
    if len(moving) != 1:
        yield from _solve_together(trial, run, error)
    for axis, size in moving.items():
        if size is not None:
            yield LayoutChange.of(cost, _with_tied_sizes, axis, size, error.like)


def _with_tied_sizes(layout: InputLayout, axis: int, size: int, like: int | None) -> InputLayout | None:
    """Return a layout with a size that follows from that of another axis, which then keeps its own."""
    found = layout.with_sizes((axis,), size)
    return found if like is None or found is None else found.with_sizes((like,), layout.sizes[like])


def _solve_alone(trial: LayoutTrial, run: Run, error: OperandMismatch) -> Iterator[tuple[int, int | None]]:
    """Yield axes that change the size, and the size of each at which it is as needed if it grows evenly; None if there is none."""
    assert error.need is not None
    assert error.got is not None
    for axis in list_free_axes(run.layout, error.paths, channels=True, guessed=True):
        size = run.layout.sizes[axis]
        layout = run.layout.with_sizes((axis,), 2 * size, fix=False)
        new = None if layout is None else trial.run(layout, strict=run.spy.strict)
        got = None if new is None else _find_size(trial, run, new, error.need)
        if got is None or got == error.got:
            continue
        found, rest = divmod(size * (error.need - error.got), got - error.got)
        yield axis, size + found if rest == 0 and 0 < size + found <= _MAX_SIZE else None


def _find_video_sizes(trial: LayoutTrial, run: Run, axes: list[int], need: int) -> tuple[int, int] | None:
    """Return the frames, and the height and width, that the module names: of the video, or of its patches."""
    steps = [run.spy.facts.strides.get(axis, 1) for axis in axes]
    pairs = list(permutations(trial.numbers[:FEW], 2))
    for frames, edge in (*((frames * steps[0], edge * steps[-1]) for frames, edge in pairs), *pairs):
        layout = with_video_sizes(run.layout, axes, frames, edge)
        new = trial.run(layout, strict=run.spy.strict) if layout is not None else run
        if new.error is None or new.count > run.count or _find_size(trial, run, new, need) == need:
            return frames, edge
    return None


def with_video_sizes(layout: InputLayout, axes: list[int], frames: int, edge: int) -> InputLayout | None:
    """Return a layout with one size for the frames, and another for height and width."""
    found = layout.with_guessed_sizes(axes[:1], frames)
    return found and found.with_guessed_sizes(axes[1:], edge)


def _find_size(trial: LayoutTrial, run: Run, new: Run, need: int) -> int | None:
    """Return the size that the operation at which one run ended has in another run; None if this one ends elsewhere.

    A run that is longer, because a module takes frames in groups, ends there if the same size is needed.
    """
    found = new.error
    if new.count < run.count or found is None:
        return None
    if not isinstance(found, OperandMismatch):
        try:
            suggest_changes(new.spy, found, trial.floating)
        except OperandMismatch as mismatch:
            found = mismatch
    if not isinstance(found, OperandMismatch) or (new.count > run.count and found.need != need):
        return None
    return found.got


def _solve_together(trial: LayoutTrial, run: Run, error: OperandMismatch) -> Iterator[LayoutChange]:
    """Yield one size for all free axes."""
    axes, need = list_free_axes(run.layout, error.paths), error.need
    if not axes or need is None:
        return

    def reached(size: int) -> int:
        """Whether that size is too small (-1), too large (1), or right (0)."""
        layout = run.layout.with_sizes(axes, size)
        new = trial.run(layout, strict=run.spy.strict) if layout is not None else run
        got = _find_size(trial, run, new, need)
        if got is not None:
            return (got > need) - (got < need)
        return 0 if new.error is None or new.count > run.count else -1

    video = _find_video_sizes(trial, run, axes, need) if len(axes) == EDGES_OF_VIDEO else None
    if video is not None:
        yield replace(LayoutChange.of(0, with_video_sizes, axes, *video), shown=True)
        return
    for size in trial.numbers[:4]:
        if reached(size) == 0 and reached(2 * size) > 0:  # a single one fits any number, by broadcasting
            yield LayoutChange.of(0, InputLayout.with_sizes, axes, size)
            return
    low, high = 1, _MAX_SIZE
    while low <= high:
        size = (low + high) // 2
        way = reached(size)
        if way == 0:
            near = [] if size in USUAL_SIZES else [n for n in USUAL_SIZES if abs(n - size) <= max(2, size // 6)]
            best = next((n for n in near if reached(n) == 0), size)
            yield LayoutChange.of(0, InputLayout.with_sizes, axes, best)
            return
        low, high = (size + 1, high) if way < 0 else (low, size - 1)
