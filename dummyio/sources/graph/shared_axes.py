"""Which axes of related inputs are one: ids and their mask, the layers of a past, and the sum of past and new tokens.

Graphs leave axes without a name. If the inputs' names relate them, such axes get the names that their relatives have, else the
usual ones.
"""

from collections.abc import Mapping

from dummyio.sources.axis_names import usual_axes
from dummyio.sources.graph.dim_symbols import DimTable
from dummyio.sources.input_names import get_name_prefix, is_ids, is_padding_mask, is_past
from dummyio.spec.dims import Dim, Size
from dummyio.typing import Axes

_PAST = "past_sequence_length"
_Shapes = Mapping[str, tuple[Size, ...]]


def share_axis_names(inputs: Mapping[str, Axes]) -> dict[str, Axes]:
    """Return the axes with names for those without one, among related inputs."""
    usual = {name: usual_axes(name, len(axes)) for name, axes in inputs.items()}
    named: dict[str, str] = {}
    for name, axes in inputs.items():
        for axis, usual_name in zip(axes, usual[name], strict=True):
            if usual_name and isinstance(axis, str):
                named.setdefault(usual_name, axis)
    has_past = any(_PAST in several for several in usual.values())
    decoded = {get_name_prefix(name) for name in inputs if is_ids(name)}
    shared: dict[str, Axes] = {}
    for name, axes in inputs.items():
        shared[name] = tuple(
            named.get(other, other) if other and axis is None else axis
            for axis, other in zip(axes, usual[name], strict=True)
        )
        masks_past = has_past and is_padding_mask(name) and get_name_prefix(name) in decoded
        if masks_past and len(axes) == 2 and axes[1] is None:
            parts = (named.get(part, part) for part in (_PAST, usual[name][1]))
            shared[name] = (shared[name][0], " + ".join(parts))
    return shared


def resolve_shapes(table: DimTable, axes: Mapping[str, Axes]) -> tuple[dict[str, tuple[Size, ...]], Size]:
    """Resolve the axes of all inputs.

    Returns
    -------
    shapes, past
        The shapes by input, where a mask over past and new tokens is as long as both; the length of the past, 0 without one.
    """
    shapes = {name: table.shape(name, each) for name, each in axes.items()}
    past = _find_past_length(shapes)
    for name, size in _mask_lengths(shapes, past).items():
        table.replace(name, axes[name], len(axes[name]) - 1, size)
    return {name: table.shape(name, each) for name, each in axes.items()}, past


def _find_past_length(shapes: _Shapes) -> Size:
    """Return the length of the decoder's past: the one dim of its layers that the ids do not have; 0 without one."""
    own = {size for name, shape in shapes.items() if _is_text(name) for size in shape}
    own |= {shape[0] for name, shape in shapes.items() if is_past(name) and shape}
    found = {
        size
        for name, shape in shapes.items()
        if is_past(name) and len(shape) >= 3
        for size in shape[1:]
        if isinstance(size, Dim) and size not in own
    }
    return found.pop() if len(found) == 1 else 0


def _mask_lengths(shapes: _Shapes, past: Size) -> dict[str, Size]:
    """Return the sum of past and new tokens for each mask whose last axis is in no other input."""
    if past == 0:
        return {}
    others = {size for name, shape in shapes.items() if not is_padding_mask(name) for size in shape}
    sums = {}
    for name, shape in shapes.items():
        if not is_padding_mask(name) or len(shape) < 2 or not isinstance(shape[-1], Dim) or shape[-1] in others:
            continue
        new = {
            other[1]
            for path, other in shapes.items()
            if len(other) >= 2 and _is_text(path) and get_name_prefix(path) == get_name_prefix(name)
        }
        if len(new) == 1:
            sums[name] = past + new.pop()
    return sums


def _is_text(name: str) -> bool:
    return is_ids(name) or name == "inputs_embeds"
