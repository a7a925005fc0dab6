"""The axis that an input of lengths counts, and the value rule that follows."""

from collections.abc import Mapping, Sequence

from dummyio.sources.input_names import get_leaf_name
from dummyio.spec.dims import Size
from dummyio.spec.values import Lengths


def find_counted_axis(path: str, shapes: Mapping[str, Sequence[Size]]) -> tuple[str, int] | None:
    """Return the input whose rows an input of lengths counts, and their axis; None if no other input has rows.

    Parameters
    ----------
    path
        The input: a number for each row of the batch, or one number.
    shapes
        The shapes of all inputs, by path.
    """
    own = tuple(shapes[path])
    before = max(len(own), 1)
    rows = {other: tuple(shape) for other, shape in shapes.items() if other != path and len(shape) > before}
    rows = {other: shape for other, shape in rows.items() if shape[: len(own)] == own}
    stem = get_leaf_name(path).rpartition("_")[0]
    told = [other for other in rows if stem and stem in get_leaf_name(other)]
    counted = next(iter(told or rows), None)
    return None if counted is None else (counted, before + _choose_axis(rows[counted][before:]))


def choose_length_rule(
    path: str, shapes: Mapping[str, Sequence[Size]], masks: Sequence[str] = ()
) -> tuple[Lengths, str] | None:
    """Return the rule of an input of lengths and the reason for it; None if no other input has rows.

    Parameters
    ----------
    path, shapes
        As in `find_counted_axis`.
    masks
        The paths of padding masks: lengths are as long as the rows of one whose rows they count.
    """
    found = find_counted_axis(path, shapes)
    if found is None:
        return None
    counted, axis = found
    own, size = tuple(shapes[path]), shapes[counted][axis]
    mask = next((m for m in masks if own and m != path and tuple(shapes[m]) == (*own, size)), None)
    if mask is not None:
        return Lengths(mask=mask), f"lengths of the rows that {mask} keeps"
    return Lengths(size if isinstance(size, int) else str(size)), f"lengths of the rows of {counted}, up to {size}"


def _choose_axis(sizes: Sequence[Size]) -> int:
    """Return the first axis of a free size, else the longest: features are as many in each row."""
    free = [axis for axis, size in enumerate(sizes) if not isinstance(size, int)]
    return free[0] if free else sizes.index(max(size for size in sizes if isinstance(size, int)))
