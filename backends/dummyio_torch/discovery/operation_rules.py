"""The requirements of operations on their operands: rank, channels, dtype, and the limit of indices."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import torch

from dummyio.sources.axis_names import IMAGE_RANK
from dummyio_torch.discovery.layout import Branch, InputLayout
from dummyio_torch.discovery.requirements import (
    require_axes,
    require_bool,
    require_dtype,
    require_floats,
    require_integers,
    require_rank,
    require_size,
)
from dummyio_torch.discovery.run_observer import AxisOrigin, LayoutChange, OperandMismatch, RunObserver, tensors_in

_EDGES = {1: ("sequence_length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def _linear(spy: RunObserver, x: torch.Tensor, weight: torch.Tensor, *_: Any) -> None:
    if x.ndim == 0:
        require_rank(spy, x, 2)
    require_floats(spy, x, weight)
    lineage = spy.lineage(x)
    variable = spy.variable(x, -1)
    if x.ndim == 1 and lineage is not None and variable in spy.layout.batches:
        require_rank(spy, x, 2, 3)
    require_size(spy, x, -1, weight.shape[-1])


def _embedding(
    spy: RunObserver, ids: torch.Tensor, weight: torch.Tensor, padding_idx: int | None = None, *_: Any, **__: Any
) -> None:
    require_integers(spy, ids)
    bound_indices(spy, ids, weight.shape[0], None if padding_idx in (None, -1) else padding_idx)


def _embedding_bag(
    spy: RunObserver, ids: torch.Tensor, weight: torch.Tensor, offsets: torch.Tensor | None = None, *_: Any, **__: Any
) -> None:
    _embedding(spy, ids, weight)
    lineage = spy.lineage(offsets)
    if offsets is None:
        require_rank(spy, ids, 2)
        return
    require_rank(spy, ids, 1)
    require_integers(spy, offsets)
    require_rank(spy, offsets, 1)
    if lineage is not None and lineage.direct:
        spy.facts.starts.add(lineage.direct)
        spy.facts.indices[lineage.direct] = spy.variable(ids, -1)


def _compared(spy: RunObserver, x: Any, number: Any, *_: Any) -> None:
    lineage = spy.lineage(x)
    if lineage is not None and lineage.direct and type(number) is int:
        spy.facts.compared.add((lineage.direct, number))


def bound_indices(spy: RunObserver, ids: torch.Tensor, rows: int, pad: int | None = None) -> None:
    """Note that ids index a table of so many rows; if they count along an axis, its size has that limit."""
    lineage = spy.lineage(ids)
    if lineage is not None and lineage.direct:
        spy.facts.bound(lineage.direct, rows, pad, exact=True)
    elif lineage is not None:
        for path in lineage.sources:
            if not spy.layout.leaves[path].dtype.is_floating_point:
                spy.facts.bound(path, rows, pad, exact=False)
    if lineage is not None and lineage.column is not None:
        known = spy.facts.columns.setdefault(next(iter(lineage.sources)), {})
        known[lineage.column] = min(rows, known.get(lineage.column, rows))
    if ids.ndim and (lineage is None or not lineage.direct):
        for variable, size in spy.layout.sizes.items():
            if ids.shape[-1] == size and variable not in spy.layout.batches:
                spy.facts.limits[variable] = min(rows, spy.facts.limits.get(variable, rows))


def _convolution(axes: int, *, transposed: bool = False) -> Callable[..., None]:
    def rule(spy: RunObserver, x: torch.Tensor, weight: torch.Tensor, *rest: Any, **named: Any) -> None:
        require_rank(spy, x, axes + 2)
        require_floats(spy, x, weight)
        groups = named.get("groups", rest[5 if transposed else 4] if len(rest) > (5 if transposed else 4) else 1)
        require_size(spy, x, -axes - 1, weight.shape[0] if transposed else weight.shape[1] * groups)
        lineage = spy.lineage(x)
        direct = lineage.direct if lineage is not None else None
        own = list(spy.layout.leaves[direct].axes) if direct is not None else []
        # What a module itself makes an image of, such as features of frames, has no height.
        is_made = axes > 1 and 0 < len(own) < x.ndim and own[0] in spy.layout.batches - spy.layout.fixed
        for place, name in enumerate(() if is_made else (*_EDGES[axes], "num_channels")):
            axis = place - axes if place < axes else -axes - 1
            # Inside of a module, an axis of the batch's size is another one.
            if direct is not None or spy.variable(x, axis) not in spy.layout.batches:
                spy.name(x, axis, name)
        if lineage is not None and lineage.direct and not transposed:
            _note_strides(spy, x, named.get("stride", rest[1] if len(rest) > 1 else 1), axes)

    return rule


def _note_strides(spy: RunObserver, x: torch.Tensor, stride: Any, axes: int) -> None:
    """Note how many times smaller a convolution makes the axes of an input: a module may name the sizes of its result."""
    strides = stride if isinstance(stride, (tuple, list)) else [stride] * axes
    for place, step in enumerate(strides):
        variable = spy.variable(x, place - axes)
        if variable is not None and type(step) is int:
            spy.facts.strides.setdefault(variable, step)


def _layer_norm(
    spy: RunObserver, x: torch.Tensor, shape: Any, weight: torch.Tensor | None = None, *_: Any, **__: Any
) -> None:
    for place, size in enumerate(reversed(list(shape)), 1):
        require_size(spy, x, -place, size)
    require_floats(spy, x, weight)


def _channels(spy: RunObserver, x: torch.Tensor, *rest: Any, **named: Any) -> None:
    sized = next((t for t in (*rest, *named.values()) if isinstance(t, torch.Tensor) and t.ndim == 1), None)
    if sized is not None and x.ndim > 1 and sized.numel() > 1:
        require_size(spy, x, 1, sized.shape[0])


def _masked_fill(spy: RunObserver, _: torch.Tensor, mask: torch.Tensor, *__: Any, **___: Any) -> None:
    require_bool(spy, mask)
    _note_mask(spy, mask, hides=True)


def _note_mask(spy: RunObserver, mask: Any, *, hides: bool) -> None:
    lineage = spy.lineage(mask)
    if lineage is not None and lineage.direct:
        (spy.facts.hiding if hides != lineage.flipped else spy.facts.keeping).add(lineage.direct)


def _where(spy: RunObserver, condition: Any, *_: Any) -> None:
    if isinstance(condition, torch.Tensor):
        require_bool(spy, condition)


def _attention(spy: RunObserver, _: Any, __: Any, ___: Any, mask: Any = None, *____: Any, **named: Any) -> None:
    mask = named.get("attn_mask", mask)
    if isinstance(mask, torch.Tensor) and not mask.dtype.is_floating_point:
        require_bool(spy, mask)
        _note_mask(spy, mask, hides=False)


def _product(spy: RunObserver, a: torch.Tensor, b: torch.Tensor, *_: Any, **__: Any) -> None:
    for mine, other in ((a, b), (b, a)):
        if other.dtype.is_complex and not mine.dtype.is_complex:
            require_dtype(spy, mine, other.dtype)


def _one_hot(spy: RunObserver, x: torch.Tensor, classes: int = -1, *_: Any, **named: Any) -> None:
    require_integers(spy, x)
    count = named.get("num_classes", classes)
    if isinstance(count, int) and count > 0:
        bound_indices(spy, x, count)


def _indexed(spy: RunObserver, table: torch.Tensor, index: Any) -> None:
    parts = index if isinstance(index, tuple) else (index,)
    for axis, part in enumerate(parts):
        if isinstance(part, str):
            _unnest(spy, table)
        if isinstance(part, torch.Tensor):
            if part.dtype.is_floating_point and spy.lineage(table) is not None:
                require_bool(spy, part)  # what is computed is chosen from by a mask more often than by places
            if part.dtype is torch.bool:
                _choose_by_mask(spy, part, table, axis)
                continue
            require_integers(spy, part)
            if axis < table.ndim:
                _bound_index(spy, part, table, axis)


def _choose_by_mask(spy: RunObserver, mask: torch.Tensor, table: torch.Tensor, first: int) -> None:
    """Require the axes of the table from one on for a mask that chooses from it, as far as they are axes of inputs."""
    if tuple(mask.shape) == tuple(table.shape[first : first + mask.ndim]):
        return
    axes = list(range(first, min(first + mask.ndim, table.ndim)))
    known = [axis for axis in axes if spy.variable(table, axis) is not None]
    if known and known == axes[: len(known)]:
        if len(known) < mask.ndim:
            require_rank(spy, mask, len(known))
        require_axes(spy, mask, [(table, axis) for axis in known])


def _unnest(spy: RunObserver, tensor: torch.Tensor) -> None:
    lineage = spy.lineage(tensor)
    if lineage is not None and lineage.direct:
        path = lineage.direct
        raise OperandMismatch([LayoutChange.of(0, InputLayout.with_tree, path, Branch("dict", ()))])


def _bound_index(spy: RunObserver, index: torch.Tensor, table: torch.Tensor, axis: int) -> None:
    lineage: AxisOrigin | None = spy.lineage(index)
    if spy.lineage(table) is None:
        bound_indices(spy, index, table.shape[axis])
    elif lineage is not None:
        variable = spy.variable(table, axis)
        for path in lineage.sources:
            if spy.layout.leaves[path].dtype.is_floating_point:
                spy.facts.chosen_from.append((path, variable))
            else:
                known = spy.facts.indices.setdefault(path, variable)
                spy.facts.indices[path] = variable if known == variable else None


def _gathered(spy: RunObserver, table: torch.Tensor, *rest: Any, **named: Any) -> None:
    index = named.get("index", next((r for r in rest if isinstance(r, torch.Tensor)), None))
    axis = named.get("dim", rest[0] if rest and isinstance(rest[0], int) else 0)
    if isinstance(index, torch.Tensor) and isinstance(axis, int):
        require_integers(spy, index)
        _bound_index(spy, index, table, axis)


def _classes(spy: RunObserver, x: torch.Tensor, target: torch.Tensor, *_: Any, **__: Any) -> None:
    if target.dtype.is_floating_point and (spy.strict or target.shape != x.shape):
        require_integers(spy, target)
    if not target.dtype.is_floating_point and target.ndim != x.ndim - 1:
        require_rank(spy, target, max(x.ndim - 1, 0))
    if not target.dtype.is_floating_point:
        bound_indices(spy, target, x.shape[1 if x.ndim > 1 else 0])


def _squeezed(spy: RunObserver, x: torch.Tensor, *axes: Any, **named: Any) -> None:
    """Prefer one element along an axis of an image or video that is taken away."""
    axis, lineage = named.get("dim", axes[0] if axes else None), spy.lineage(x)
    if type(axis) is not int or not -x.ndim <= axis < x.ndim or not spy.strict or x.shape[axis] == 1:
        return
    path = lineage.direct if lineage is not None and spy.is_input(x, lineage.direct or "") else None
    variable = spy.variable(x, axis)
    if variable is None or variable in spy.layout.fixed | spy.layout.batches or (x.ndim < IMAGE_RANK and path is None):
        return
    single = LayoutChange.of(0, InputLayout.with_sizes, (variable,), 1)
    if x.ndim < IMAGE_RANK and path is not None and axis in (-1, x.ndim - 1):
        # Ids and the like are rows of their own, each in a column.
        own: list[tuple[int | None, int | None]] = [(each, None) for each in spy.layout.leaves[path].axes]
        column = LayoutChange.of(
            0 if not x.dtype.is_floating_point else 1, InputLayout.with_known_axes, path, [*own, (None, 1)]
        )
        single = replace(single, cost=1 - column.cost)
        raise OperandMismatch([single, column])
    raise OperandMismatch([single])


_DIRECTIONS = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}


def _interpolate(
    spy: RunObserver, x: torch.Tensor, size: Any = None, factor: Any = None, mode: str = "nearest", *_: Any, **__: Any
) -> None:
    """A resized tensor has a batch, channels, and as many axes as it is resized along."""
    stated = [len(each) for each in (size, factor) if isinstance(each, (list, tuple))]
    directions = _DIRECTIONS.get(mode, next(iter(stated), None))
    if directions is not None and x.ndim != directions + 2:
        raise OperandMismatch(
            [LayoutChange.of(1, InputLayout.with_rank, path, directions + 2) for path in _sources(spy, x)]
        )


def _sources(spy: RunObserver, x: torch.Tensor) -> list[str]:
    lineage = spy.lineage(x)
    return [] if lineage is None else sorted(lineage.sources)


_ARITHMETIC = "add __add__ __radd__ __iadd__ sub __sub__ mul __mul__ __rmul__ __imul__ div __truediv__".split()  # noqa: SIM905


def _alike(spy: RunObserver, a: Any, b: Any, *_: Any, **__: Any) -> None:
    """Prefer the same number of axes for operands that both come from inputs: broadcasting hides mistakes."""
    if not (spy.strict and isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and a.ndim and b.ndim):
        return
    one, other = spy.lineage(a), spy.lineage(b)
    if one is None or other is None or one.sources & other.sources or a.ndim == b.ndim or 1 in (a.numel(), b.numel()):
        return
    repairs: list[LayoutChange] = []
    for mine, lineage, like in ((a, one, b), (b, other, a)):
        for path in lineage.sources if len(lineage.sources) == 1 and "mask" not in str(lineage.sources) else ():
            rank = len(spy.layout.leaves[path].axes) + like.ndim - mine.ndim
            repairs.append(LayoutChange.of(1, InputLayout.with_rank, path, rank))
    if repairs:
        raise OperandMismatch(repairs)


_RULES: dict[str, Callable[..., None]] = {
    "linear": _linear,
    "embedding": _embedding,
    "embedding_bag": _embedding_bag,
    **dict.fromkeys(("eq", "__eq__", "ne", "__ne__", "not_equal", "gt", "__gt__"), _compared),
    **{f"conv{axes}d": _convolution(axes) for axes in _EDGES},
    **{f"conv_transpose{axes}d": _convolution(axes, transposed=True) for axes in _EDGES},
    "layer_norm": _layer_norm,
    "rms_norm": _layer_norm,
    "batch_norm": _channels,
    "group_norm": lambda spy, x, _, *rest, **named: _channels(spy, x, *rest, **named),
    "instance_norm": _channels,
    "masked_fill": _masked_fill,
    "masked_fill_": _masked_fill,
    "where": _where,
    "scaled_dot_product_attention": _attention,
    "one_hot": _one_hot,
    **dict.fromkeys(("matmul", "__matmul__", "bmm", "mm"), _product),
    "interpolate": _interpolate,
    **dict.fromkeys(_ARITHMETIC, _alike),
    "__getitem__": _indexed,
    "squeeze": _squeezed,
    "gather": _gathered,
    "index_select": _gathered,
    "take_along_dim": _gathered,
    "cross_entropy": _classes,
    "nll_loss": _classes,
}


def check_operands(spy: RunObserver, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Raise `OperandMismatch` if the operands of an operation do not fit."""
    rule = _RULES.get(name)
    if rule is None or not (rule is _embedding or any(spy.lineage(t) is not None for t in tensors_in((args, kwargs)))):
        return
    if not args and "input" in kwargs:
        args, kwargs = (kwargs["input"],), {k: v for k, v in kwargs.items() if k != "input"}
    # Rules are not for other operands by keyword; the operation itself raises an error if one is missing.
    with suppress(TypeError, AttributeError, IndexError):
        rule(spy, *args, **kwargs)
