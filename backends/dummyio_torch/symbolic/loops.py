"""What rewritten code calls: loops over symbols as scans, and over numbers as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch._higher_order_ops.scan import scan as scan_operator
from torch.fx.experimental.symbolic_shapes import statically_known_true

from dummyio_torch.symbolic.rows import Pieces, Rows, all_rows

__all__ = ["Place", "Span", "Turns", "enumerate_", "mapped", "pick", "range_", "rows", "scan", "zip_"]


@dataclass
class Turns:
    """What a loop goes over."""

    plain: Any
    """As the loop was written."""
    items: tuple[torch.Tensor, ...] = ()
    """One element for each turn: the index, or a row."""
    start: Any = 0
    count: Any = None
    idle: bool = False
    """Whether the first turn does nothing: a loop may have no turn at all, which ONNX Runtime's scan cannot do."""
    several: bool = False
    """Whether each turn has more than one item, as ``zip`` and ``enumerate`` give them."""

    @property
    def symbolic(self) -> bool:
        """Whether the number of turns is a symbol."""
        return bool(self.items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.plain)


@dataclass(frozen=True)
class Span:
    """A slice."""

    start: Any = None
    stop: Any = None
    step: Any = None

    @property
    def has_tensors(self) -> bool:
        """Whether a bound is known in the turn only."""
        return isinstance(self.start, torch.Tensor) or isinstance(self.stop, torch.Tensor)

    def plain(self) -> slice:
        """Return the slice."""
        return slice(self.start, self.stop, self.step)

    def cut(self, values: torch.Tensor, axis: int) -> torch.Tensor:
        """Return ``values[start:stop]`` on an axis, whose length is then known in the turn only."""
        if self.step is not None:
            raise TypeError("a loop over a symbolic size takes every other element up to a bound of its own.")
        size = values.shape[axis]
        start, stop = _bound(self.start, 0, size), _bound(self.stop, size, size)
        length = (stop - start).clamp(min=0).item()
        torch._check(length >= 0)  # noqa: SLF001 - the way to say what a number is, in a trace
        torch._check(length <= size)  # noqa: SLF001 - as above
        if self.start is None:
            return values.narrow(axis, 0, length)
        return values.index_select(axis, start + torch.arange(length))


@dataclass(frozen=True)
class Place:
    """A number that is computed from a turn's: where it is negative, it counts from the end."""

    number: Any

    def within(self, size: Any) -> Any:
        """Return the number from the beginning."""
        if not _is_number(self.number):
            return self.number
        return torch.where(self.number < 0, self.number + size, self.number)


def _bound(bound: Any, default: Any, size: Any) -> torch.Tensor:
    """Return a bound as Python takes it: negative from the end, and none beyond."""
    if bound is None:
        return torch.full((), default, dtype=torch.int64)
    number = bound if isinstance(bound, torch.Tensor) else torch.full((), bound, dtype=torch.int64)
    return torch.where(number < 0, number + size, number).clamp(min=0, max=size)


def range_(*bounds: Any) -> Turns:
    """``range(...)``."""
    if not any(isinstance(bound, torch.SymInt) for bound in bounds):
        return Turns(range(*bounds))
    start, stop, step = (0, *bounds, 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    if step != 1:
        return Turns((), (torch.arange(start, stop, step),))
    if isinstance(start, int) and start > 0:
        return Turns((), (torch.arange(start - 1, stop),), start, stop - start, idle=True)
    return Turns((), (torch.arange(start, stop),), start, stop - start)


def rows(values: Any) -> Turns:
    """``for row in values``."""
    whole = all_rows(values)
    return Turns(values) if whole is None else Turns((), (whole,))


def enumerate_(values: Any) -> Turns:
    """``for number, row in enumerate(values)``."""
    whole = all_rows(values)
    if whole is None:
        return Turns(enumerate(values), several=True)
    return Turns((), (torch.arange(whole.shape[0]), whole), 0, whole.shape[0])


def zip_(*values: Any) -> Turns:
    """``for one, other in zip(...)``."""
    found = [all_rows(each) for each in values]
    items = tuple(whole for whole in found if whole is not None)
    return Turns((), items) if len(items) == len(values) else Turns(zip(*values, strict=False), several=True)


def mapped(turns: Turns, body: Callable[..., Any], *, joins: bool = False) -> Any:
    """``[body(item) for item in ...]``; with whether the body does to items concatenated what it does to each."""
    if isinstance(turns.plain, Pieces) and joins:
        return Pieces(body(turns.plain.whole))
    if not turns.symbolic:
        return [body(*item) if turns.several else body(item) for item in turns]
    return scan(turns, lambda *items: ((), (), (body(*items),), ()), (), ([],), (), ())[2][0]


def scan(
    turns: Turns,
    body: Callable[..., tuple[Sequence[Any], ...]],
    carried: Sequence[Any],
    lists: Sequence[list[Any]],
    buffers: Sequence[torch.Tensor],
    axes: Sequence[int],
) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    """Run a loop's body as an operator.

    Returns
    -------
    tuple
        What goes from turn to turn, what the last turn left, what was appended to lists, and the tensors that were written
        on at the place of the turn.
    """
    if any(lists):
        raise TypeError("a loop over a symbolic size appends to a list that is not empty.")
    strange = [type(value).__name__ for value in carried if not isinstance(value, torch.Tensor)]
    if strange:
        raise TypeError(f"a loop over a symbolic size changes a value that is no tensor ({strange[0]}).")
    begin = [value.clone(memory_format=torch.contiguous_format) for value in carried]
    begin = begin or [
        torch.zeros((), device=turns.items[0].device)
    ]  # an operator of its own rules: something must go on

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
    joined = [Rows(values) for values in made[ends : ends + len(lists)]]
    written = [
        _put(buffer, values, axis, turns)
        for buffer, values, axis in zip(buffers, made[ends + len(lists) :], axes, strict=True)
    ]
    return list(held if carried else ()), [values[-1] for values in made[:ends]], list(joined), written


def pick(values: Any, *key: Any) -> Any:
    """``values[key]``, where a part of the key may be the number of a turn, and a bound of a slice what a turn holds.

    Slices come as `Span`, for an operator's body is traced by other rules, under which a slice of tensors has no size.
    """
    plain = tuple(_plain(part) for part in key)
    if not isinstance(values, torch.Tensor) or not any(_is_turns(part) for part in key):
        return values[plain if len(plain) > 1 else plain[0]]
    axis, rest = 0, []
    for each in _spelled_out(key, values.dim()):
        part = each.within(values.shape[axis]) if isinstance(each, Place) else each
        if isinstance(part, Span) and part.has_tensors:
            values = part.cut(values, axis)
            rest.append(slice(None))
        elif _is_number(part):
            values = values.index_select(axis, part.reshape(1))
            rest.append(0)
        else:
            rest.append(_plain(part))
        axis += int(part is not None)
    return values[tuple(rest)]


def _put(buffer: torch.Tensor, values: torch.Tensor, axis: int, turns: Turns) -> torch.Tensor:
    """Return `buffer` with the turns' values at their places on an axis."""
    axis %= buffer.dim()
    moved = values.movedim(0, axis)
    if turns.start == 0 and turns.count is not None and statically_known_true(turns.count == buffer.shape[axis]):
        return moved
    return buffer.index_copy(axis, turns.items[0][int(turns.idle) :], moved)


def _fresh(values: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return copies: what an operator returns may be no part of what it was given."""
    return [value.clone(memory_format=torch.contiguous_format) for value in values]


def _spelled_out(key: tuple[Any, ...], rank: int) -> list[Any]:
    """Return a key without dots."""
    named = 0
    for part in key:
        named += int(part is not None and part is not ...)
    parts: list[Any] = []
    for part in key:
        parts += [Span()] * (rank - named) if part is ... else [part]
    return parts


def _is_turns(part: Any) -> bool:
    return part.has_tensors if isinstance(part, Span) else _is_number(part.number if isinstance(part, Place) else part)


def _plain(part: Any) -> Any:
    if isinstance(part, Place):
        return part.number
    return part.plain() if isinstance(part, Span) else part


def _is_number(part: Any) -> bool:
    return isinstance(part, torch.Tensor) and part.dim() == 0 and not part.dtype.is_floating_point
