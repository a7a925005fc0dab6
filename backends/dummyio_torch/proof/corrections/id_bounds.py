"""The bounds of ids: those that a spec declares, against the tables that a run has shown the ids to index."""

from __future__ import annotations

from collections.abc import Iterator

from dummyio.input_spec import InputSpec
from dummyio.sources.proof.id_bounds import get_high, halve_ids
from dummyio_torch.discovery.run_observer import Facts


def find_ids_out_of_bounds(spec: InputSpec, facts: Facts) -> dict[str, int]:
    """Return input → rows of its table, for ids that index a table directly and may exceed it."""
    found = {}
    for path, leaf in spec.leaves:
        rows = facts.rows.get(path)
        if rows is not None and rows[2] and (high := get_high(leaf.values)) is not None and high > rows[0]:
            found[path] = rows[0]
    return found


def halve_computed_ids(spec: InputSpec, facts: Facts) -> Iterator[InputSpec]:
    """Return the spec with smaller and smaller ids, for those that index a table after arithmetic, whose bound no shape shows."""
    return halve_ids(spec, {path: rows for path, (rows, _, exact) in facts.rows.items() if not exact})
