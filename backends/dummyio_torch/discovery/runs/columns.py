"""Columns of an input that index tables of their own: categories of a table, parts of a date."""

from dummyio.spec.values import Columns
from dummyio_torch.discovery.run_observer import Facts


def find_columns(facts: Facts) -> dict[str, Columns]:
    """Return the inputs whose columns are looked up in tables, with the rows of the table of each as bounds.

    Left out are inputs of which several axes are taken apart, or not all places from the first on are looked up, at least two.
    """
    found: dict[str, Columns] = {}
    for path, known in facts.columns.items():
        axes, places = {axis for axis, _ in known}, sorted(place for _, place in known)
        if len(axes) == 1 and len(places) >= 2 and places == list(range(len(places))):
            (axis,) = axes
            found[path] = Columns(tuple(known[axis, place] for place in places), axis=axis)
    return found
