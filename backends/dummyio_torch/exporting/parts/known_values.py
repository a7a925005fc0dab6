"""Tensors whose values a trace knows: what a model computes from these alone, it computes at once, and may make sizes of.

A trace sees tensors without values, so that ``grid.tolist()`` fails, even if the grid of an image is the same for all images.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import _disable_current_modes

_FACTORIES = frozenset((torch.tensor, torch.arange, torch.zeros, torch.ones, torch.full, torch.linspace, torch.empty))
"""Functions that make a tensor of numbers."""


class KnownTensor(torch.Tensor):
    """A tensor with values, in a trace too."""

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]  # noqa: SLF001 - as PyTorch's documentation has it


class KnownValues(TorchFunctionMode):
    """Computes with known tensors at once while it is active; beside another tensor, a known one becomes a constant of the graph."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call a function at once if all its tensors are known."""
        given = kwargs or {}
        tensors = list(_iterate_tensors((args, list(given.values()))))
        known = [isinstance(each, KnownTensor) for each in tensors]
        if all(known) and (tensors or (func in _FACTORIES and not _has_symbol((args, list(given.values()))))):
            with _leave_trace():
                return _mark(func(*args, **given))
        if any(known):
            args, given = _replace(args, _make_constant), _replace(given, _make_constant)
        return func(*args, **given)


@contextmanager
def _leave_trace() -> Generator[None]:
    """Compute with real tensors, outside of all traces, until the context ends."""
    with _disable_current_modes(), torch._C.DisableTorchFunction():  # noqa: SLF001 - it has no other name
        yield


def make_known(values: Any) -> torch.Tensor:
    """Return a known tensor of nested lists of numbers."""
    with _leave_trace():
        made: torch.Tensor = _mark(torch.tensor(values))
        return made


def _make_constant(value: Any) -> Any:
    if not isinstance(value, KnownTensor):
        return value
    with _leave_trace():
        listed, dtype, shape = value.tolist(), value.dtype, tuple(value.shape)
    return torch.tensor(listed, dtype=dtype).reshape(shape)


def _mark(made: Any) -> Any:
    """Return results with their tensors marked as known."""
    if isinstance(made, torch.Tensor):
        return made.as_subclass(KnownTensor)
    if isinstance(made, Iterator):
        return iter([_mark(each) for each in made])
    return _replace(made, _mark) if type(made) in (list, tuple) else made


def _replace(values: Any, change: Callable[[Any], Any]) -> Any:
    if type(values) in (list, tuple):
        return type(values)(_replace(each, change) for each in values)
    if isinstance(values, dict):
        return {key: _replace(each, change) for key, each in values.items()}
    return change(values)


def _iterate_tensors(values: Any) -> Iterator[torch.Tensor]:
    if isinstance(values, torch.Tensor):
        yield values
    elif isinstance(values, (list, tuple)):
        for each in values:
            yield from _iterate_tensors(each)


def _has_symbol(values: Any) -> bool:
    if isinstance(values, (list, tuple)):
        return any(map(_has_symbol, values))
    return isinstance(values, (torch.SymInt, torch.SymFloat, torch.SymBool))
