"""Indexing with numbers of a loop iteration: in the body of a scan they are tensors."""

from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class SymbolicSlice:
    """A slice whose bounds may be tensors."""

    start: Any = None
    stop: Any = None
    step: Any = None

    @property
    def has_tensors(self) -> bool:
        """Whether a bound is known only in the iteration."""
        return isinstance(self.start, torch.Tensor) or isinstance(self.stop, torch.Tensor)

    def plain(self) -> slice:
        """Return the slice of Python."""
        return slice(self.start, self.stop, self.step)

    def cut(self, values: torch.Tensor, axis: int) -> torch.Tensor:
        """Return ``values[start:stop]`` along an axis; its length is then known only in the iteration."""
        if self.step is not None:
            raise TypeError(
                "a loop over a symbolic size uses a slice with a step whose bound depends on the iteration: only a step of 1 can be traced."
            )
        size = values.shape[axis]
        start, stop = _bound(self.start, 0, size), _bound(self.stop, size, size)
        length: Any = (stop - start).clamp(min=0).item()
        torch._check(length >= 0)  # noqa: SLF001 - how a trace is told the range of a number
        torch._check(length <= size)  # noqa: SLF001 - how a trace is told the range of a number
        if self.start is None:
            return values.narrow(axis, 0, length)
        return values.index_select(axis, start + torch.arange(length))


@dataclass(frozen=True)
class SymbolicIndex:
    """An index computed from the number of an iteration; a negative one counts from the end."""

    number: Any

    def within(self, size: Any) -> Any:
        """Return the index counted from the beginning of an axis of this size."""
        if not _is_number(self.number):
            return self.number
        return torch.where(self.number < 0, self.number + size, self.number)


def symbolic_getitem(values: Any, *key: Any) -> Any:
    """``values[key]``; a part of the key, or a bound of a slice, may be a number of the iteration.

    Slices come as `SymbolicSlice`: in the body of a scan, a slice with tensors as bounds has no size.
    """
    plain: tuple[Any, ...] = tuple(_plain(part) for part in key)
    if not isinstance(values, torch.Tensor) or not any(_is_turns(part) for part in key):
        return values[plain[0]] if len(plain) == 1 else values[plain]
    axis = 0
    rest: list[Any] = []
    for each in _spelled_out(key, values.dim()):
        part: Any = each.within(values.shape[axis]) if isinstance(each, SymbolicIndex) else each
        if isinstance(part, SymbolicSlice) and part.has_tensors:
            values = part.cut(values, axis)
            rest.append(slice(None))
        elif isinstance(part, torch.Tensor) and _is_number(part):
            values = values.index_select(axis, part.reshape(1))
            rest.append(0)
        else:
            rest.append(_plain(part))
        axis += int(part is not None)
    return values[tuple(rest)]


def _bound(bound: Any, default: Any, size: Any) -> torch.Tensor:
    """Return a bound as Python reads it: a negative one counts from the end, and none lies outside the axis."""
    if bound is None:
        return torch.full((), default, dtype=torch.int64)
    number = bound if isinstance(bound, torch.Tensor) else torch.full((), bound, dtype=torch.int64)
    return torch.where(number < 0, number + size, number).clamp(min=0, max=size)


def _spelled_out(key: tuple[Any, ...], rank: int) -> list[Any]:
    """Return the key with ``...`` replaced by whole axes."""
    named = 0
    for part in key:
        named += int(part is not None and part is not ...)
    parts: list[Any] = []
    for part in key:
        parts += [SymbolicSlice()] * (rank - named) if part is ... else [part]
    return parts


def _is_turns(part: Any) -> bool:
    return (
        part.has_tensors
        if isinstance(part, SymbolicSlice)
        else _is_number(part.number if isinstance(part, SymbolicIndex) else part)
    )


def _plain(part: Any) -> Any:
    if isinstance(part, SymbolicIndex):
        return part.number
    return part.plain() if isinstance(part, SymbolicSlice) else part


def _is_number(part: Any) -> bool:
    return isinstance(part, torch.Tensor) and part.dim() == 0 and not part.dtype.is_floating_point
