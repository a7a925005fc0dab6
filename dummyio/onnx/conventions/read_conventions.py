"""Conventions: what Optimum's exporters feed and name otherwise than the rules here, as data in ``conventions.json`` with a reason.

An entry says for which models it holds (``model_types``, and where only some tasks are meant ``tasks``, without
``-with-past``) and what is so:

=============  =====================================================================================================
``feed``       arguments to feed that rules would not
``leave_out``  arguments not to feed that rules would
``symbols``    dim → its symbol; null for no symbol, which holds only for a dim that the model fixes
=============  =====================================================================================================

The model accepts either set, and no axis becomes static; a choice of Optimum's of which that is untrue has no entry. Names of model types
stand in that file only. A caller who asks for all inputs, gives a generator for one, or gives ``feed`` or ``leave_out``, wins.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from dummyio.generators.base.context import PAST
from dummyio.input_spec import InputSpec

_FILE = Path(__file__).with_name("conventions.json")
_FEED, _LEAVE_OUT = "feed", "leave_out"


class Convention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the file."""

    model_types: tuple[str, ...]
    reason: str
    tasks: tuple[str, ...] = ()
    feed: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    symbols: dict[str, str | None] = msgspec.field(default_factory=dict)

    def holds(self, model_type: str | None, task: str | None) -> bool:
        """Whether it is about a model of that type under that task."""
        return model_type in self.model_types and (not self.tasks or (task or "").removesuffix(PAST) in self.tasks)


@lru_cache(maxsize=1)
def read_conventions() -> tuple[Convention, ...]:
    """Read all entries."""
    return msgspec.json.decode(_FILE.read_bytes(), type=tuple[Convention, ...])


def choose_input_options(
    spec: InputSpec, model_type: str | None, keywords: Mapping[str, Any], generators: tuple[type, ...]
) -> dict[str, tuple[str, ...]]:
    """Return the options of `dummyio.describe` that make the inputs of a spec those of Optimum's exporters; none where they are.

    Parameters
    ----------
    spec
        The inputs as rules choose them.
    model_type
        The model type.
    keywords, generators
        What the caller gives, who wins over an entry.
    """
    if keywords.get("optional_inputs") or _FEED in keywords or _LEAVE_OUT in keywords:
        return {}
    own = {name for kind in generators for name in getattr(kind, "SUPPORTED_INPUT_NAMES", ())}
    found = list(_iterate_held(model_type, spec.task))
    chosen = {
        _FEED: tuple(name for entry in found for name in entry.feed if name not in spec),
        _LEAVE_OUT: tuple(name for entry in found for name in entry.leave_out if name in spec and name not in own),
    }
    return {option: names for option, names in chosen.items() if names}


def find_named_symbols(spec: InputSpec, model_type: str | None) -> dict[str, str | None]:
    """Return dim → its symbol by an entry, None for no symbol."""
    fixed = {name for name, dim in spec.dims.items() if dim.min == dim.max}
    return {
        name: symbol
        for entry in _iterate_held(model_type, spec.task)
        for name, symbol in entry.symbols.items()
        if name in (spec.dims if symbol is not None else fixed)
    }


def _iterate_held(model_type: str | None, task: str | None) -> Iterator[Convention]:
    return (entry for entry in read_conventions() if entry.holds(model_type, task))
