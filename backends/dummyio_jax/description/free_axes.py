"""Finds the dynamic axes of example arguments: those with which the function can be traced as symbols.

Equal sizes of two arguments become one symbol if the function can be traced so; examples of different sizes, or the option
``dynamic``, tell them apart.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import combinations

from dummyio.sources.axis_names import make_unique, name_axis, name_by_place
from dummyio.sources.input_names import is_mask
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import TensorSpec

Axis = tuple[str, int]
"""An axis of an input: its path and its place."""
Shapes = dict[str, tuple[Size, ...]]


def find_dynamic_axes(leaves: Mapping[str, TensorSpec], can_trace: Callable[[Shapes], bool]) -> Shapes:
    """Return the shapes of the leaves with symbols wherever the function can be traced with them."""
    shapes: Shapes = {path: leaf.shape for path, leaf in leaves.items()}
    names: set[str] = set()
    for groups in _candidate_groups(leaves):
        for group in groups:
            name = _name_group(group, leaves, names)
            trial = _insert_dim(shapes, group, name)
            if trial is not None and can_trace(trial):
                shapes = trial
                names.add(name)
                if group is groups[0]:
                    break
    return shapes


def _candidate_groups(leaves: Mapping[str, TensorSpec]) -> Iterator[list[list[Axis]]]:
    """Yield lists of groups of axes: if the first group works, the others, which are parts of it, need no trial."""
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
        yield from _split_group(group)


def _split_group(group: list[Axis]) -> Iterator[list[list[Axis]]]:
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


def _insert_dim(shapes: Shapes, group: Sequence[Axis], name: str) -> Shapes | None:
    """Return the shapes with one more dim; None if an axis of the group already has one."""
    first = shapes[group[0][0]][group[0][1]]
    if any(not isinstance(shapes[path][axis], int) for path, axis in group) or not isinstance(first, int) or not first:
        return None
    new = dict(shapes)
    for path, axis in group:
        new[path] = (*new[path][:axis], Dim(name, first), *new[path][axis + 1 :])
    return new


def _name_group(group: Sequence[Axis], leaves: Mapping[str, TensorSpec], used: Collection[str]) -> str:
    """Return a name by the role of an axis in one of its inputs, else by the input and the place."""
    names = sorted((_name_axis(path, place, leaves[path]) for path, place in group), key=lambda name: "_size_" in name)
    return next((name for name in names if name not in used), "") or make_unique(names[0], {*used}, group[0][0])


def _name_axis(path: str, place: int, leaf: TensorSpec) -> str:
    if place == 1 and leaf.rank == 2 and leaf.dtype.kind == "float" and not is_mask(path):
        return name_by_place(path, place)  # most functions take any number of features
    channels, last = (leaf.shape[1], leaf.shape[-1]) if leaf.rank == 4 else (0, 0)
    channels_first = isinstance(channels, int) and isinstance(last, int) and 0 < channels <= 4 < last
    return name_axis(
        path, place, leaf.rank, floating=leaf.dtype.kind == "float", channels_last=leaf.rank == 4 and not channels_first
    )
