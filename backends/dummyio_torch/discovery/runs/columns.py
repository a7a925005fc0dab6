"""Columns of an input that index tables of their own: categories of a table, parts of a date."""

from dummyio_torch.discovery.run_observer import Facts


def find_columns(facts: Facts, path: str) -> tuple[int, tuple[int, ...]] | None:
    """Return the axis of the columns, counted from the end, and the rows of the table of each.

    It is None if several axes are taken apart, or not all places from the first on are looked up, at least two.
    """
    known = facts.columns.get(path, {})
    axes, places = {axis for axis, _ in known}, sorted(place for _, place in known)
    if len(axes) != 1 or len(places) < 2 or places != list(range(len(places))):
        return None
    (axis,) = axes
    return axis, tuple(known[axis, place] for place in places)
