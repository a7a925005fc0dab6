"""The table that an input's elements index, in a graph of any format.

A walk along the operations follows the elements of each input through operations that leave them as they are, up to those
that choose rows of a table.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its kind and name, and the keys of the tensors that it takes and returns."""

    kind: str
    name: str
    inputs: tuple[object, ...]
    outputs: tuple[object, ...]


def find_indexed_tables(
    operations: Iterable[Operation],
    origins: Mapping[Any, str],
    rows: Callable[[Operation], int | None],
    *,
    passing: Collection[str],
    choosing: Mapping[str, int],
) -> dict[str, tuple[int, str]]:
    """Return input → (rows, name of the operation) for the inputs that index a table of known length.

    Parameters
    ----------
    operations
        The graph's operations, each after those whose results it takes.
    origins
        The key of each input's tensor → its path.
    rows
        The number of rows that an operation chooses from; None if it varies.
    passing
        The kinds of operations whose results are elements of their inputs, or smaller.
    choosing
        The kinds that choose by index → the number of the input with the indices.
    """
    known: dict[object, frozenset[str]] = {key: frozenset({path}) for key, path in origins.items()}
    found: dict[str, tuple[int, str]] = {}
    for op in operations:
        if op.kind in choosing and len(op.inputs) > choosing[op.kind] and (count := rows(op)):
            for path in known.get(op.inputs[choosing[op.kind]], ()):
                found[path] = min(found.get(path, (count, op.name)), (count, op.name), key=lambda table: table[0])
        elif op.kind in passing:
            paths = frozenset().union(*(known.get(key, frozenset[str]()) for key in op.inputs))
            if paths:
                known |= dict.fromkeys(op.outputs, paths)
    return found
