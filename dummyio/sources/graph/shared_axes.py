"""Which axes of related inputs are one: ids and their mask, the layers of a past, and the sum of past and present.

Graphs leave axes without a name, or give each a fresh one (``unk__13``). Where the inputs' names say that they belong
together, such axes get the names that their relatives have, else the usual ones.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dummyio.sources.input_names import get_name_prefix, is_ids, is_mask, is_parallel_ids, is_past
from dummyio.spec.dims import Dim, Size
from dummyio.typing import Axes

__all__ = ["find_past_length", "set_mask_lengths", "share_axis_names"]

_PAST = "past_sequence_length"
_FRESH = re.compile(r"unk__\d+")
_Shapes = Mapping[str, tuple[Size, ...]]


def share_axis_names(inputs: Mapping[str, Axes]) -> dict[str, Axes]:
    """Return the axes with names for those without one, among inputs that belong together."""
    places = {name: _places(name, axes) for name, axes in inputs.items()}
    named: dict[str, str] = {}
    for name, axes in inputs.items():
        for axis, place in zip(axes, places[name], strict=True):
            if place and isinstance(axis, str) and not _FRESH.fullmatch(axis):
                named.setdefault(place, axis)
    has_past = any(_PAST in several for several in places.values())
    decoded = {get_name_prefix(name) for name in inputs if is_ids(name)}
    shared = {}
    for name, axes in inputs.items():
        pairs = zip(axes, places[name], strict=True)
        shared[name] = tuple(_shared(axis, place, named) for axis, place in pairs)
        if has_past and is_mask(name) and get_name_prefix(name) in decoded and len(axes) == 2 and _is_open(axes[1]):
            parts = (named.get(place, place) for place in (_PAST, places[name][1]))
            shared[name] = (shared[name][0], " + ".join(parts))
    return shared


def _places(name: str, axes: Axes) -> tuple[str, ...]:
    """Return the usual names of an input's axes; empty where there is none."""
    if len(axes) == 2 and (is_ids(name) or is_mask(name) or is_parallel_ids(name)):
        return ("batch_size", f"{get_name_prefix(name)}sequence_length")
    if len(axes) == 4 and is_past(name):
        return ("batch_size", "", _PAST, "")
    return ("",) * len(axes)


def _is_open(axis: int | str | None) -> bool:
    return axis is None or (isinstance(axis, str) and _FRESH.fullmatch(axis) is not None)


def _shared(axis: int | str | None, place: str, named: Mapping[str, str]) -> int | str | None:
    return named.get(place, place) if place and _is_open(axis) else axis


def find_past_length(shapes: _Shapes) -> Size:
    """Return the length of the decoder's past: the one symbol of its layers that the ids do not have; 0 without one."""
    own = {size for name, shape in shapes.items() if is_ids(name) or name == "inputs_embeds" for size in shape}
    own |= {shape[0] for name, shape in shapes.items() if is_past(name) and shape}
    found = {
        size
        for name, shape in shapes.items()
        if is_past(name) and len(shape) >= 3
        for size in shape[1:]
        if isinstance(size, Dim) and size not in own
    }
    return found.pop() if len(found) == 1 else 0


def set_mask_lengths(shapes: _Shapes, past: Size) -> dict[str, Size]:
    """Return, for masks whose last axis has a name of its own beside a past, the sum that it must be: past + present."""
    if past == 0:
        return {}
    others = {size for name, shape in shapes.items() if not is_mask(name) for size in shape}
    sums = {}
    for name, shape in shapes.items():
        if not is_mask(name) or len(shape) < 2 or not isinstance(shape[-1], Dim) or shape[-1] in others:
            continue
        present = {
            other[1]
            for path, other in shapes.items()
            if len(other) >= 2
            and get_name_prefix(path) == get_name_prefix(name)
            and (is_ids(path) or path == "inputs_embeds")
        }
        if len(present) == 1:
            sums[name] = past + present.pop()
    return sums
