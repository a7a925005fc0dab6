"""Changes that could make a failed run work: from the failing operation's operands, the error's text, and guesses."""

import re
import traceback
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, permutations
from math import prod
from typing import Any

import torch

from dummyio.sources.axis_names import IMAGE_RANK
from dummyio_torch.discovery.changes.containers import suggest_containers
from dummyio_torch.discovery.layout import BATCH, Branch, InputLayout, MissingItem
from dummyio_torch.discovery.run_observer import LayoutChange, OperandMismatch, RunObserver, tensors_in

_UNPACK = re.compile(r"(?:not enough|too many) values to unpack \(expected (\d+)")
_SHAPE = re.compile(r"[\[(]([\w =]+(?:,[\w =]+)+),?[\])]")
"""A shape in an error's text: words and numbers in brackets, or both (``channel==1``)."""
_NEEDED = re.compile(r"dimension (-?\d+) must (?:have length|have size|be) (\d+)")
_BEYOND = re.compile(r"out of bounds for dimension \d+ with size (\d+)")
_PRODUCTS = frozenset({"matmul", "__matmul__", "__rmatmul__", "bmm", "mm", "mv", "baddbmm"})
_JOINS = frozenset({"cat", "concat", "concatenate", "stack", "hstack", "vstack"})
_PARTED = frozenset({"split", "unbind", "__iter__"})
_SHAPERS = frozenset({"view", "reshape"})
_WINDOWS = ("conv", "pool", "pad", "unfold", "stft", "interpolate")


def suggest_changes(spy: RunObserver, error: Exception, floating: torch.dtype) -> list[LayoutChange]:
    """Return changes that could make a run work that ended in `error`, the likeliest first."""
    containers = list(suggest_containers(spy, error, floating))
    if isinstance(error, MissingItem):
        return containers
    if isinstance(error, OperandMismatch):
        found = list(error.repairs)
    else:
        found = list(_changes_for_operation(spy, *spy.last)) if spy.last is not None else []
        found += _changes_from_error_text(spy, error, floating)
    return [*containers, *found, *_guesses(spy, floating)]


def _changes_for_operation(
    spy: RunObserver, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Iterator[LayoutChange]:
    tensors = list(tensors_in((args, kwargs)))
    if name in _PRODUCTS and len(tensors) >= 2:
        yield from _multiplied(spy, *tensors[-2:])
    elif name in _JOINS:
        axis = kwargs.get("dim", args[1] if len(args) > 1 else 0)
        yield from _joined(spy, tensors, axis if name != "stack" else None)
    elif name in _SHAPERS and tensors:
        yield from _shaped(spy, tensors[0], args[1:])
    elif name == "unflatten" and len(args) == 3:
        _split(spy, *args)
    elif any(word in name for word in _WINDOWS):
        yield from _larger(spy, tensors)
    else:
        for a, b in pairwise(tensors):
            yield from _lifted(spy, a, b)
            for axis in range(-1, -min(a.ndim, b.ndim) - 1, -1):
                if 1 not in (a.shape[axis], b.shape[axis]):
                    yield from _equal(spy, a, axis, b, axis)


def _multiplied(spy: RunObserver, a: torch.Tensor, b: torch.Tensor) -> Iterator[LayoutChange]:
    if b.ndim and a.ndim:
        yield from _equal(spy, a, -1, b, -2 if b.ndim > 1 else -1)
    if a.dtype != b.dtype:
        yield from _same_dtype(spy, a, b)
    for axis in range(-min(a.ndim, b.ndim), -2):
        yield from _equal(spy, a, axis, b, axis)


def _equal(spy: RunObserver, a: torch.Tensor, i: int, b: torch.Tensor, j: int) -> Iterator[LayoutChange]:
    """Yield changes that make two axes equal."""
    if a.shape[i] == b.shape[j]:
        return
    one, other = spy.variable(a, i), spy.variable(b, j)
    yield from _halved(spy, a, b, (a.shape[i], b.shape[j]))
    yield from _repeated(spy, a, a.shape[i], b.shape[j])
    yield from _repeated(spy, b, b.shape[j], a.shape[i])
    if one is not None and other is not None:
        yield LayoutChange.of(0, InputLayout.with_equal, one, other)
    for mine, tensor, axis in ((one, b, j), (other, a, i)):
        if mine is not None:
            size, alike = tensor.shape[axis], spy.counted_axis(tensor, axis)
            is_batch = mine in spy.layout.batches and size not in _count_items(spy.layout)
            cost = (0 if spy.lineage(tensor) is None else 2) + (4 if is_batch else 0)
            if alike is None or (one is not None and other is not None):
                yield LayoutChange.of(cost, InputLayout.with_sizes, (mine,), size)
            else:  # no weight has this size: it is counted along the axis of another input
                yield LayoutChange.of(cost, InputLayout.with_equal, alike, mine)
    for known, tensor, got, need in ((b, a, a.shape[i], b.shape[j]), (a, b, b.shape[j], a.shape[i])):
        lineage = spy.lineage(tensor)
        if lineage is not None and spy.lineage(known) is None and (one is None and other is None):
            raise OperandMismatch([], paths=lineage.sources, got=got, need=need)


def _halved(spy: RunObserver, a: torch.Tensor, b: torch.Tensor, sizes: tuple[int, int]) -> Iterator[LayoutChange]:
    """Yield the size of an axis of which two tensors are parts that have to be equal."""
    one, other = spy.lineage(a), spy.lineage(b)
    if one is not None and other is not None and one.direct and one.direct == other.direct:
        axes = [axis for axis in spy.layout.leaves[one.direct].axes if axis not in spy.layout.batches]
        parted = [axis for axis in axes if spy.layout.sizes[axis] == sum(sizes)]
        yield LayoutChange.of(0, InputLayout.with_sizes, parted, 2 * max(sizes))


def _count_items(layout: InputLayout) -> set[int]:
    """Return how many items lists have: samples, of which a batch has as many."""
    return {len(tree.items) for _, tree in layout.trees if isinstance(tree, Branch) and tree.kind == "list"}


def _same_dtype(spy: RunObserver, a: torch.Tensor, b: torch.Tensor) -> Iterator[LayoutChange]:
    for mine, other in ((a, b), (b, a)):
        lineage = spy.lineage(mine)
        if lineage is not None and lineage.direct and other.dtype.is_floating_point:
            yield LayoutChange.of(0, InputLayout.with_dtype, lineage.direct, other.dtype)


def _joined(spy: RunObserver, tensors: list[torch.Tensor], dim: Any) -> Iterator[LayoutChange]:
    for a, b in pairwise(tensors):
        if a.ndim != b.ndim:
            yield from _alike_but(spy, a, b, dim)
            yield from _lifted(spy, a, b)
            continue
        for axis in range(a.ndim):
            if dim is None or axis != dim % a.ndim:
                yield from _equal(spy, a, axis, b, axis)


def _alike_but(spy: RunObserver, a: torch.Tensor, b: torch.Tensor, dim: Any) -> Iterator[LayoutChange]:
    """Yield changes that give an input the axes of what it is joined with; it has one of its own where both are joined."""
    for mine, other in ((a, b), (b, a)):
        lineage = spy.lineage(mine)
        if lineage is None or not lineage.direct or spy.lineage(other) is None or type(dim) is not int:
            continue
        sizes: list[int | None] = list(other.shape)
        known = [spy.counted_axis(other, axis) for axis in range(other.ndim)]
        last = spy.layout.leaves[lineage.direct].axes[-1]
        if last in spy.layout.fixed and mine.shape[-1] == other.shape[-1]:
            known[-1] = last
        if -other.ndim <= dim < other.ndim:
            known[dim] = sizes[dim] = None
        axes = list(zip(known, sizes, strict=True))
        yield LayoutChange.of(0, InputLayout.with_known_axes, lineage.direct, axes)


def _lifted(spy: RunObserver, a: torch.Tensor, b: torch.Tensor) -> Iterator[LayoutChange]:
    """Yield changes that give two operands the same number of axes."""
    for mine, other in ((a, b), (b, a)):
        lineage = spy.lineage(mine)
        if lineage is not None and len(lineage.sources) == 1 and mine.ndim != other.ndim:
            path, more = next(iter(lineage.sources)), other.ndim - mine.ndim
            rank = len(spy.layout.leaves[path].axes) + more
            certain = lineage.direct is None and spy.lineage(other) is not None
            yield LayoutChange.of(0 if certain else 2, InputLayout.with_rank, path, rank)


def _shaped(spy: RunObserver, x: torch.Tensor, target: tuple[Any, ...]) -> Iterator[LayoutChange]:
    """Yield changes for elements that must fill a shape."""
    sizes = list(target[0]) if len(target) == 1 and isinstance(target[0], (tuple, list)) else list(target)
    found, lineage = list(_filling(spy, x, sizes)), spy.lineage(x)
    if lineage is not None and not lineage.direct and all(type(size) is int and size > 0 for size in sizes):
        raise OperandMismatch(found, paths=lineage.sources, got=x.numel(), need=prod(sizes))
    yield from found


def _split(spy: RunObserver, x: torch.Tensor, axis: int, sizes: Any) -> None:
    """Ask that a number that other inputs make is that of the frames, or of an edge, in which the places of a video are split."""
    lineage = spy.lineage(x)
    sources = frozenset() if lineage is None else lineage.sources
    leaves = (spy.layout.leaves[path] for path in sorted(sources))
    inner = [each for leaf in leaves if len(leaf.axes) >= IMAGE_RANK for each in leaf.axes[2:]]
    like = next(
        (each for each in inner if spy.layout.sizes[each] > 1 and x.shape[axis] % spy.layout.sizes[each] == 0), None
    )
    got = prod(size for size in sizes if size > 0)
    if like is not None and x.shape[axis] % got:
        paths = frozenset(spy.layout.leaves) - sources
        raise OperandMismatch([], paths=paths, got=got, need=spy.layout.sizes[like], like=like)


def _filling(spy: RunObserver, x: torch.Tensor, sizes: list[Any]) -> Iterator[LayoutChange]:
    """Yield changes of the last axes of inputs: the numbers of a shape that are not sizes of inputs are the module's own."""
    own = [s for s in sizes if isinstance(s, int) and s > 0 and s not in spy.layout.sizes.values()]
    product = prod(own)
    lineage = spy.lineage(x)
    if lineage is None or product <= 1:
        return
    for path in sorted(lineage.sources):
        axes = [a for a in spy.layout.leaves[path].axes[1:] if a not in spy.layout.fixed]
        unit = x.numel() // max(prod(spy.layout.shape(spy.layout.leaves[path])), 1)
        if len(axes) == 1 and len(spy.layout.leaves[path].axes) == 2 and unit > 1 and product % unit == 0:
            yield LayoutChange.of(0, InputLayout.with_sizes, (axes[0],), product // unit)  # as many as fill a row
        if len(axes) == 1:
            yield LayoutChange.of(1, InputLayout.with_sizes, (axes[0],), product, fix=False)  # or a multiple of it
        rest = prod(spy.layout.sizes[axis] for axis in axes[:-1])
        if len(axes) > 1 and product % rest == 0:
            yield LayoutChange.of(2, InputLayout.with_sizes, (axes[-1],), product // rest, fix=False)


def _larger(spy: RunObserver, tensors: list[torch.Tensor]) -> Iterator[LayoutChange]:
    """Yield changes for a window that could be larger than its input."""
    for tensor in tensors:
        lineage = spy.lineage(tensor)
        for path in sorted(lineage.sources) if lineage is not None else ():
            axes = [a for a in spy.layout.leaves[path].axes[1:] if a not in spy.layout.fixed]
            if axes and max(spy.layout.sizes[a] for a in axes) < 1 << 14:
                yield LayoutChange.of(1, _grown, axes)


def _grown(layout: InputLayout, axes: list[int]) -> InputLayout:
    larger = {axis: -(-layout.sizes[axis] * 4 // 32) * 32 for axis in axes}
    return replace(layout, sizes={**layout.sizes, **larger})


def _with_shorter_axes(layout: InputLayout, rows: int) -> InputLayout | None:
    """Return a layout in which no free axis is longer than a table that places are looked up in."""
    long = {axis for axis, size in layout.sizes.items() if size > rows and axis not in layout.fixed | layout.batches}
    return replace(layout, sizes={**layout.sizes, **dict.fromkeys(long, rows)}) if long else None


def _changes_from_error_text(spy: RunObserver, error: Exception, floating: torch.dtype) -> Iterator[LayoutChange]:
    text, line = str(error), _source_line(error)
    leaves = spy.layout.leaves
    unpack = _UNPACK.search(text)
    for path, leaf in leaves.items():
        name = rf"\b{re.escape(path.rpartition('.')[2])}\b"
        named = re.search(name, line) is not None
        rank = len(leaf.axes)
        if len(leaves) == 1 or re.search(name, text):
            yield from (LayoutChange.of(0, _with_stated_shape, path, shape) for shape in _SHAPE.findall(text))
        if unpack is not None:
            yield LayoutChange.of(0 if named else 1, InputLayout.with_rank, path, int(unpack[1]))
        elif "out of range" in text:
            yield LayoutChange.of(1 if named else 2, InputLayout.with_rank, path, rank + 1)
    if isinstance(error, (ValueError, AssertionError)):  # the model's own words
        yield from _sizes_in_words(spy, text)
    needed = _NEEDED.search(text)
    if needed is not None and spy.last is not None:
        found = (spy.variable(tensor, int(needed[1])) for tensor in tensors_in(spy.last[1:]))
        yield LayoutChange.of(0, InputLayout.with_sizes, [axis for axis in found if axis is not None], int(needed[2]))
    if "complex" in text:
        yield from (LayoutChange.of(1, InputLayout.with_dtype, path, torch.complex64) for path in leaves)
    beyond = _BEYOND.search(text)
    if beyond is not None:
        yield LayoutChange.of(1, _with_shorter_axes, int(beyond[1]))
    if unpack is not None:
        yield from _taken_apart(spy, int(unpack[1]))
        yield from _longer_containers(spy, int(unpack[1]), line, floating)


def _taken_apart(spy: RunObserver, count: int) -> Iterator[LayoutChange]:
    """Yield the size of an axis along which a tensor is taken apart into so many parts."""
    if spy.done is None or spy.done[0] not in _PARTED or not isinstance(spy.done[1][0], torch.Tensor):
        return
    name, (x, *rest), kwargs = spy.done
    length = rest.pop(0) if name == "split" and rest else kwargs.get("split_size", 1)
    axis = kwargs.get("dim", rest[0] if rest else 0)
    variable = spy.variable(x, axis)
    if variable is not None and type(length) is int:
        cost = 1 if variable in spy.layout.batches else 0
        yield LayoutChange.of(cost, InputLayout.with_sizes, (variable,), count * length)


def _longer_containers(spy: RunObserver, count: int, line: str, floating: torch.dtype) -> Iterator[LayoutChange]:
    """Yield one more item for containers that may be what is taken apart into so many items."""
    for name, tree in spy.layout.trees:
        if isinstance(tree, Branch) and tree.kind != "dict" and len(tree.items) < count:
            key, cost = str(len(tree.items)), 0 if re.search(rf"\b{re.escape(name)}\b", line) else 4
            yield LayoutChange.of(cost, InputLayout.with_item, name, key, floating, 2)


def _sizes_in_words(spy: RunObserver, text: str) -> Iterator[LayoutChange]:
    """Yield the numbers of an error's text as the size of the edges of an image, or of the last axis of another input."""
    numbers = dict.fromkeys(int(number) for number in re.findall(r"\d+", text))
    for leaf in spy.layout.leaves.values():
        own = {*spy.layout.shape(leaf)}
        # Of a text about sizes that an input has, the other numbers are for it, whatever other inputs have them.
        known = own if own & {*numbers} else {*spy.layout.sizes.values()}
        wanted = [number for number in numbers if 1 < number < 1 << 14 and number not in known]
        axes = leaf.axes[-2:] if len(leaf.axes) >= 4 else leaf.axes[-1:]
        free = [axis for axis in axes if axis not in spy.layout.fixed | spy.layout.batches]
        # Trials at other sizes show whether it is the only one.
        yield from (LayoutChange.of(2, InputLayout.with_sizes, free, number, fix=False) for number in wanted if free)


def _with_stated_shape(layout: InputLayout, path: str, text: str) -> InputLayout | None:
    """Return a layout in which a tensor has the rank and the numbers of a shape in words; None for a shape of numbers alone."""
    items = [item.strip() for item in text.split(",")]
    if all(item.isdigit() for item in items):
        return None
    changed = layout.with_rank(path, len(items)) or layout
    for axis, word in zip(changed.leaves[path].axes, items, strict=False):
        item = word.rpartition("=")[2].strip()
        fixed = changed.with_sizes((axis,), int(item)) if item.isdigit() and axis not in changed.batches else changed
        changed = fixed or changed
    return changed


def _repeated(spy: RunObserver, tensor: torch.Tensor, got: int, need: int) -> Iterator[LayoutChange]:
    """Yield changes for rows that a module repeats for the batch itself: an input that they come from has one row."""
    lineage = spy.lineage(tensor)
    rows = spy.layout.sizes.get(BATCH)
    if lineage is None or need != rows or got != need * need:
        return
    for path in sorted(lineage.sources):
        if spy.layout.leaves[path].axes[:1] == (BATCH,):
            yield LayoutChange.of(0 if len(lineage.sources) == 1 else 1, InputLayout.with_single_row, path)


def _source_line(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return (frames[-1].line or "") if frames else ""


def _guesses(spy: RunObserver, floating: torch.dtype) -> Iterator[LayoutChange]:
    """Yield changes that are tried last: two inputs of one shape, another axis, another dtype, two equal axes."""
    leaves = spy.layout.leaves
    yield from _equal_axes(spy)
    for path, other_path in permutations(leaves, 2):
        if leaves[path].dtype == leaves[other_path].dtype and leaves[path].dtype.is_floating_point:
            yield LayoutChange.of(3, InputLayout.with_same_shape, path, other_path)
    for path, leaf in leaves.items():
        rank = len(leaf.axes)
        if path.endswith(".0"):
            yield LayoutChange.of(2, InputLayout.with_items_alone, path)
        for other in (rank + 1, rank - 1):
            if 1 <= other <= 5:
                yield LayoutChange.of(4 if other > rank else 5, InputLayout.with_rank, path, other)
        if leaf.dtype.is_floating_point and rank == 3:
            yield LayoutChange.of(4, InputLayout.with_leading_axis, path)
        for dtype in (torch.int64, floating, torch.bool):
            yield LayoutChange.of(5, InputLayout.with_dtype, path, dtype)
        if rank >= 2 and leaf.axes[-2] not in spy.layout.batches:
            a, b = leaf.axes[-2:]
            yield LayoutChange.of(5, InputLayout.with_equal, a, b)


def _equal_axes(spy: RunObserver) -> Iterator[LayoutChange]:
    """Yield changes that make a free axis of an input the axis of another, such as one time step for each frame."""
    layout = spy.layout
    kept = layout.batches | layout.fixed
    free = {path: [axis for axis in leaf.axes if axis not in kept] for path, leaf in layout.leaves.items()}
    for path, other in permutations(layout.leaves, 2):
        if path in spy.facts.used and len(layout.leaves[path].axes) <= len(layout.leaves[other].axes):
            pairs = ((two, one) for one in free[path] for two in free[other] if two != one)
            yield from (LayoutChange.of(4, InputLayout.with_equal, two, one) for two, one in pairs)
