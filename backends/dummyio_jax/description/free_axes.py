"""Finds the dynamic axes of example arguments: those with which the function can be traced as symbols.

Equal sizes of two arguments become one symbol if the function can be traced so; examples of different sizes, or the option
``dynamic``, tell them apart. What cannot be traced as any size may be traced within bounds.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from dummyio.sources.axis_names import make_unique, name_axis, name_by_place
from dummyio.sources.input_names import is_mask
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio_jax.description.size_bounds import fit_bounds

Axis = tuple[str, int]
"""An axis of an input: its path and its place."""
Shapes = dict[str, tuple[Size, ...]]


@dataclass
class FoundAxes:
    """The shapes of example arguments with their dims, and what is known about why."""

    shapes: Shapes
    bounds: dict[str, str] = field(default_factory=dict[str, str])
    """Dim → why it has bounds."""
    fixed: dict[Axis, str] = field(default_factory=dict[Axis, str])
    """Axis that keeps its size → why it cannot vary."""


def find_dynamic_axes(leaves: Mapping[str, TensorSpec], find_failure: Callable[[Shapes], str]) -> FoundAxes:
    """Return the shapes of the leaves with symbols wherever the function can be traced with them.

    Parameters
    ----------
    leaves
        The example arguments.
    find_failure
        Traces the function with other shapes; returns the reason for which that fails, empty if it does not.
    """
    found = FoundAxes({path: leaf.shape for path, leaf in leaves.items()})
    names: set[str] = set()
    for groups in _candidate_groups(leaves):
        for group in groups:
            name = _name_group(group, leaves, names)
            dim = _find_dim(found, group, name, find_failure)
            if dim is not None:
                names.add(name)
                if group is groups[0]:
                    break
    found.fixed = {
        axis: reason for axis, reason in found.fixed.items() if isinstance(_read_axis(found.shapes, axis), int)
    }
    return found


def _find_dim(found: FoundAxes, group: Sequence[Axis], name: str, find_failure: Callable[[Shapes], str]) -> Dim | None:
    """Give the axes of a group one dim, with bounds if it needs some; return None if the function cannot be traced so."""
    size = _read_axis(found.shapes, group[0])
    if (
        any(not isinstance(_read_axis(found.shapes, axis), int) for axis in group)
        or not isinstance(size, int)
        or not size
    ):
        return None
    dim: Dim | None = Dim(name, size)
    reason = find_failure(_insert_dim(found.shapes, group, Dim(name, size)))
    if reason:
        dim = fit_bounds(Dim(name, size), reason, lambda other: find_failure(_insert_dim(found.shapes, group, other)))
    if dim is None:
        for axis in group:
            found.fixed.setdefault(axis, reason)
        return None
    if reason:
        found.bounds[name] = reason
    found.shapes = _insert_dim(found.shapes, group, dim)
    return dim


def _read_axis(shapes: Shapes, axis: Axis) -> Size:
    return shapes[axis[0]][axis[1]]


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


def _insert_dim(shapes: Shapes, group: Sequence[Axis], dim: Dim) -> Shapes:
    """Return the shapes with one more dim at all axes of a group."""
    new = dict(shapes)
    for path, axis in group:
        new[path] = (*new[path][:axis], dim, *new[path][axis + 1 :])
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
