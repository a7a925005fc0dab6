"""Loops of rewritten code: over a symbolic size they run as a scan, over a number as written."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch._higher_order_ops.scan import scan as scan_operator
from torch.fx.experimental.symbolic_shapes import statically_known_true

from dummyio_torch.symbolic.runtime.symbolic_lists import SplitList, StackedList, all_rows


@dataclass
class LoopRange:
    """The iterable of a rewritten loop: a symbolic range or the rows of tensors, which may become a scan."""

    plain: Any
    """The iterable as the loop was written."""
    items: tuple[torch.Tensor, ...] = ()
    """Tensors with one row for each iteration: the index, or a row of data."""
    start: Any = 0
    count: Any = None
    idle: bool = False
    """Whether the first iteration does nothing: a loop may have none at all, and ONNX Runtime cannot run an empty scan."""
    several: bool = False
    """Whether each iteration has more than one item, as with ``zip`` and ``enumerate``."""

    @property
    def symbolic(self) -> bool:
        """Whether the number of iterations is symbolic."""
        return bool(self.items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.plain)


def symbolic_range(*bounds: Any) -> LoopRange:
    """``range(...)``."""
    if not any(isinstance(bound, torch.SymInt) for bound in bounds):
        return LoopRange(range(*bounds))
    start, stop, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    if step != 1:
        return LoopRange((), (torch.arange(start, stop, step),))
    if isinstance(start, int) and start > 0:
        return LoopRange((), (torch.arange(start - 1, stop),), start, stop - start, idle=True)
    return LoopRange((), (torch.arange(start, stop),), start, stop - start)


def count_chunks(start: Any, stop: Any, step: Any) -> Any:
    """``range(start, stop, step)`` of a loop that cannot become a scan: one iteration if the bounds of a size exclude a second.

    A text that is at most as long as a window is one chunk, whatever its length.
    """
    is_size = isinstance(stop, torch.SymInt)
    if is_size and statically_known_true(start < stop) and statically_known_true(stop - start <= step):
        return [start]
    return range(start, stop, step)


def symbolic_rows(values: Any) -> LoopRange:
    """``for row in values``."""
    whole = all_rows(values)
    return LoopRange(values) if whole is None else LoopRange((), (whole,))


def symbolic_enumerate(values: Any) -> LoopRange:
    """``for number, row in enumerate(values)``."""
    whole = all_rows(values)
    if whole is None:
        return LoopRange(enumerate(values), several=True)
    return LoopRange((), (torch.arange(whole.shape[0]), whole), 0, whole.shape[0])


def symbolic_zip(*values: Any) -> LoopRange:
    """``for one, other in zip(...)``."""
    found = [all_rows(each) for each in values]
    items = tuple(whole for whole in found if whole is not None)
    return LoopRange((), items) if len(items) == len(values) else LoopRange(zip(*values, strict=False), several=True)


def symbolic_map(turns: LoopRange, body: Callable[..., Any], *, joins: bool = False) -> Any:
    """``[body(item) for item in ...]``; `joins` if the body does the same to concatenated items as to each alone."""
    if isinstance(turns.plain, SplitList) and joins:
        return SplitList(body(turns.plain.whole))
    if not turns.symbolic:
        return [body(*item) if turns.several else body(item) for item in turns]
    return run_scan(turns, lambda *items: ((), (), (body(*items),), ()), (), ([],), (), ())[2][0]


def run_scan(
    turns: LoopRange,
    body: Callable[..., tuple[Sequence[Any], ...]],
    carried: Sequence[Any],
    lists: Sequence[list[Any]],
    buffers: Sequence[torch.Tensor],
    axes: Sequence[int],
) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Run the body of a loop as PyTorch's ``scan`` operator.

    Returns
    -------
    tuple
        The values carried from iteration to iteration, those of the last iteration, the lists that were appended to, and the
        tensors with the written elements.
    """
    if any(lists):
        raise TypeError("a loop over a symbolic size appends to a list that is not empty.")
    strange = [type(value).__name__ for value in carried if not isinstance(value, torch.Tensor)]
    if strange:
        raise TypeError(
            f"a loop over a symbolic size changes a value of type {strange[0]}: only tensors can be carried."
        )
    begin = [value.clone(memory_format=torch.contiguous_format) for value in carried]
    begin = begin or [torch.zeros((), device=turns.items[0].device)]  # the operator needs a carried value

    def turn(held: list[torch.Tensor], items: list[torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        again, last, appended, written = body(*items, *(held if carried else ()))
        made = [
            value.to(buffer.dtype).expand(buffer.select(axis, 0).shape)
            for value, buffer, axis in zip(written, buffers, axes, strict=True)
        ]
        again = list(again if carried else held)
        if turns.idle:
            again = [torch.where(items[0] < turns.start, old, new) for old, new in zip(held, again, strict=True)]
        return _fresh(again), _fresh([*last, *appended, *made])

    held, made = scan_operator(turn, begin, list(turns.items))
    if turns.idle:
        made = [values[1:] for values in made]
    ends = len(made) - len(lists) - len(buffers)
    joined = [StackedList(values) for values in made[ends : ends + len(lists)]]
    written = [
        _put(buffer, values, axis, turns)
        for buffer, values, axis in zip(buffers, made[ends + len(lists) :], axes, strict=True)
    ]
    return list(held if carried else ()), [values[-1] for values in made[:ends]], list(joined), written


def _put(buffer: torch.Tensor, values: torch.Tensor, axis: int, turns: LoopRange) -> torch.Tensor:
    """Return `buffer` with the values of the iterations at their indices on an axis."""
    axis %= buffer.dim()
    moved = values.movedim(0, axis)
    if turns.start == 0 and turns.count is not None and statically_known_true(turns.count == buffer.shape[axis]):
        return moved
    return buffer.index_copy(axis, turns.items[0][int(turns.idle) :], moved)


def _fresh(values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return copies: an operator must not return its inputs or views of them."""
    return [value.clone(memory_format=torch.contiguous_format) for value in values]
