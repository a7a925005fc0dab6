"""Requirements of rank, size and dtype: `OperandMismatch` with the changes that could meet them, if an input can be changed."""

from dataclasses import replace

import torch

from dummyio_torch.discovery.layout import InputLayout
from dummyio_torch.discovery.run_observer import LayoutChange, OperandMismatch, RunObserver


def require_rank(spy: RunObserver, tensor: torch.Tensor, *ranks: int) -> None:
    """Ask for a number of axes, the first of `ranks` best."""
    lineage = spy.lineage(tensor)
    if lineage is None or tensor.ndim in (ranks if spy.strict else range(max(ranks) + 1)):
        spy.granted()
        return
    more = ranks[0] - tensor.ndim
    ranks_now = {path: len(spy.layout.leaves[path].axes) for path in lineage.sources}
    cost = int(len(ranks_now) > 1)
    raise OperandMismatch(
        [LayoutChange.of(cost, InputLayout.with_rank, path, rank + more) for path, rank in ranks_now.items()]
    )


def require_size(spy: RunObserver, tensor: torch.Tensor, axis: int, need: int) -> None:
    """Ask for the size of an axis."""
    lineage = spy.lineage(tensor)
    if lineage is None or not -tensor.ndim <= axis < tensor.ndim:
        return
    variable, got = spy.variable(tensor, axis), tensor.shape[axis]
    if got == need:
        # A size that fits by chance, or because the caller says so, is fixed all the same.
        spy.granted()
        return
    if variable is None:
        raise OperandMismatch([], paths=lineage.sources, got=got, need=need)
    cost = 4 if variable in spy.layout.batches else 0
    repairs = [LayoutChange.of(cost, InputLayout.with_sizes, (variable,), need)]
    if need == 1 and lineage.direct and tensor.ndim > (rank := len(spy.layout.leaves[lineage.direct].axes)) > 1:
        # The module itself makes a column of numbers that have no axis of features.
        repairs = [LayoutChange.of(0, InputLayout.with_rank, lineage.direct, rank - 1), replace(repairs[0], cost=1)]
    raise OperandMismatch(repairs, paths=lineage.sources)


def require_equal_sizes(spy: RunObserver, one: torch.Tensor, other: torch.Tensor, axis: int) -> None:
    """Ask for the same size of an axis of two tensors, which are then one axis."""
    if axis < min(one.ndim, other.ndim) and one.shape[axis] != other.shape[axis]:
        variables = spy.variable(one, axis), spy.variable(other, axis)
        if variables[0] is not None and variables[1] is not None:
            raise OperandMismatch([LayoutChange.of(0, InputLayout.with_equal, variables[0], variables[1])])
    spy.granted()


def require_integers(spy: RunObserver, tensor: torch.Tensor) -> None:
    """Ask for whole numbers."""
    if tensor.dtype.is_floating_point or tensor.dtype is torch.bool:
        require_dtype(spy, tensor, torch.int64)
    spy.granted()


def require_bool(spy: RunObserver, tensor: torch.Tensor) -> None:
    """Ask for booleans."""
    if tensor.dtype is not torch.bool:
        require_dtype(spy, tensor, torch.bool)
    spy.granted()


def require_floats(spy: RunObserver, tensor: torch.Tensor, like: torch.Tensor | None) -> None:
    """Ask for the dtype of a layer's weights."""
    if like is not None and (like.dtype.is_floating_point or like.dtype.is_complex) and tensor.dtype != like.dtype:
        require_dtype(spy, tensor, like.dtype)
    spy.granted()


def require_dtype(spy: RunObserver, tensor: torch.Tensor, dtype: torch.dtype) -> None:
    """Ask for a dtype."""
    lineage = spy.lineage(tensor)
    if lineage is not None:
        paths = [lineage.direct] if lineage.direct else sorted(lineage.sources)
        cost = 0 if len(paths) == 1 else 1
        repairs = [LayoutChange.of(cost, InputLayout.with_dtype, path, dtype) for path in paths]
        if any(repair.change(spy.layout) is not None for repair in repairs):
            raise OperandMismatch(repairs)


def require_axes(spy: RunObserver, tensor: torch.Tensor, likes: list[tuple[torch.Tensor, int]]) -> None:
    """Ask for the shape that axes of other tensors have; they are then the same axes."""
    lineage = spy.lineage(tensor)
    needed = tuple(x.shape[axis] for x, axis in likes)
    if lineage is None or lineage.direct is None or tuple(tensor.shape) == needed:
        spy.granted()
        return
    axes = [(spy.counted_axis(x, axis), size) for (x, axis), size in zip(likes, needed, strict=True)]
    raise OperandMismatch([LayoutChange.of(0, InputLayout.with_known_axes, lineage.direct, axes)])
