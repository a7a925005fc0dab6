"""Which sizes of example arguments can change: those with which the function can still be traced as symbols.

Sizes that are equal in two arguments are one symbol, where the function can be traced so; they are told apart by examples of
different sizes, or by the option ``dynamic``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import TensorSpec

__all__ = ["find_dynamic_axes"]

Axis = tuple[str, int]
"""An axis of an input: its path and its place."""
Shapes = dict[str, tuple[Size, ...]]


def find_dynamic_axes(leaves: Mapping[str, TensorSpec], takes: Callable[[Shapes], bool]) -> Shapes:
    """Return the leaves' shapes with a symbol wherever the function `takes` one."""
    shapes: Shapes = {path: leaf.shape for path, leaf in leaves.items()}
    named: set[str] = set()
    for groups in _choices(leaves):
        for group in groups:
            name = _name(group, leaves, named)
            trial = _with(shapes, group, name)
            if trial is not None and takes(trial):
                shapes = trial
                named.add(name)
                if group is groups[0]:
                    break
    return shapes


def _choices(leaves: Mapping[str, TensorSpec]) -> Iterator[list[list[Axis]]]:
    """Yield lists of groups: where the first is taken, the others, which are parts of it, need no trial."""
    ranked = {path: leaf for path, leaf in leaves.items() if leaf.rank}
    batch = next((leaf.shape[0] for leaf in ranked.values()), None)
    leading = [(path, 0) for path, leaf in ranked.items() if leaf.shape[0] == batch]
    if leading:
        fewer = combinations(leading, len(leading) - 1) if len(leading) > 1 else ()
        yield [leading, *map(list, fewer)]
    groups: dict[Size, list[Axis]] = {}
    for path, leaf in ranked.items():
        for axis, size in enumerate(leaf.shape):
            if (path, axis) not in leading and size not in (0, 1):  # a size of 1 is broadcast
                groups.setdefault(size, []).append((path, axis))
    for group in groups.values():
        yield from _parts(group)


def _parts(group: list[Axis]) -> Iterator[list[list[Axis]]]:
    """Yield the whole group, then its parts: the axes at one place, then each alone."""
    places = [[axis for axis in group if axis[1] == place] for place in sorted({axis[1] for axis in group})]
    singles = [[axis] for axis in group]
    if len({path for path, _ in group}) == 1 and len(group) > 1:  # height and width of one image are two symbols
        for single in singles:
            yield [single]
        yield [group]
    else:
        several = [place for place in places if place != group]
        yield [group, *several, *(single for single in singles if single not in (group, *several))]


def _with(shapes: Shapes, group: Sequence[Axis], name: str) -> Shapes | None:
    """Return the shapes with one symbol more; None where an axis of the group has one already."""
    first = shapes[group[0][0]][group[0][1]]
    if any(not isinstance(shapes[path][axis], int) for path, axis in group) or not isinstance(first, int) or not first:
        return None
    new = dict(shapes)
    for path, axis in group:
        new[path] = (*new[path][:axis], Dim(name, first), *new[path][axis + 1 :])
    return new


def _name(group: Sequence[Axis], leaves: Mapping[str, TensorSpec], taken: Iterable[str]) -> str:
    """Return a name by role: batch, sequence, height and width; else by the input and the place."""
    used = set(taken)
    wanted = [name for name in (_role(leaves[path], axis) for path, axis in group) if name] or [""]
    path, axis = group[0]
    word = re.sub(r"\W", "_", path)
    parts = [part for part in ("encoder", "decoder", "source", "target") if part in path.lower()]
    own = f"{word}_size_{axis}" if word.isidentifier() else f"input_{word}_size_{axis}"
    names = [*(f"{part}_{wanted[0]}" for part in parts if wanted[0] == "sequence_length"), *wanted, own]
    return next((name for name in names if name and name not in used), f"{own}_of_{len(used)}")


def _role(leaf: TensorSpec, axis: int) -> str:
    if axis == 0:
        return "batch_size"
    if leaf.rank == 4 and leaf.dtype.kind == "float":
        last = leaf.shape[3] if isinstance(leaf.shape[3], int) else 0
        first = leaf.shape[1] if isinstance(leaf.shape[1], int) else 0
        height = 2 if 0 < first <= 4 < last else 1
        return {height: "height", height + 1: "width"}.get(axis, "")
    whole = leaf.dtype.kind in ("int", "uint", "bool")
    return "sequence_length" if axis == 1 and (leaf.rank == 3 or whole or "mask" in leaf.name.lower()) else ""
