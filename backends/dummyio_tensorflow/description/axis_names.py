"""Names for free axes: TensorFlow knows only that a size is free, and not which sizes are one.

What the names of inputs say stands in `dummyio.graph_inputs.axes`. The rest goes by place: the first axis is the batch,
images have a height and a width, and any other second axis is a sequence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from dummyio.sources.graph.shared_axes import share_axis_names
from dummyio.sources.input_names import is_past
from dummyio.spec.dtypes import DType
from dummyio.typing import Axes

__all__ = ["named_axes", "part_of"]

_PART = re.compile(r"(^|[_.])(encoder|decoder)(?=[_.])")


def part_of(name: str) -> str:
    """Return the part of a model that a name speaks of: ``encoder_``, ``decoder_``, or nothing."""
    found = _PART.search(name.lower())
    return f"{found[2]}_" if found else ""


def named_axes(inputs: Mapping[str, tuple[Axes, DType]], *, separate: bool) -> tuple[dict[str, Axes], bool]:
    """Return the axes with names for the free ones; and whether `separate` makes a difference.

    Parameters
    ----------
    inputs
        Name → axes, free ones None, and dtype.
    separate
        Whether sequences of which nothing says that they are as long as others have lengths of their own.
    """
    first = {name: _batched(axes) for name, (axes, _) in inputs.items()}
    shared = share_axis_names(first)
    used = {axis for axes in shared.values() for axis in axes[1:] if isinstance(axis, str)}
    rest = [name for name, axes in shared.items() if None in axes and not _is_image(*inputs[name])]
    several = len(rest) > 1 or (bool(rest) and any("sequence_length" in name for name in used))
    found: dict[str, Axes] = {}
    for name, axes in shared.items():
        if None not in axes or is_past(name):
            found[name] = axes
        elif _is_image(*inputs[name]):
            found[name] = _image(axes)
        else:
            usual = f"{part_of(name)}sequence_length"
            alone = usual not in used and [part_of(other) for other in rest].count(part_of(name)) == 1
            own = usual if alone or not separate else f"{name}_sequence_length"
            found[name] = _sequence(axes, re.sub(r"\W", "_", own))
    return found, several


def _batched(axes: Axes) -> Axes:
    return ("batch_size", *axes[1:]) if axes and axes[0] is None else axes


def _is_image(axes: Axes, dtype: DType) -> bool:
    """Whether the axes are of an image or a video: few channels, before or behind the rest."""
    if len(axes) not in (4, 5) or not (dtype.kind == "float" or dtype is DType.UINT8):
        return False
    return axes[-1] is not None or axes[1] is not None


def _image(axes: Axes) -> Axes:
    names: tuple[str, ...] = ("num_frames", "height", "width")[-(len(axes) - 2) :]
    # Channels stand last, as Keras has them, or before the places.
    places = (axes[0], *names, axes[-1]) if axes[-1] is not None else (axes[0], axes[1], *names)
    return tuple(name if axis is None else axis for axis, name in zip(axes, places, strict=True))


def _sequence(axes: Axes, name: str) -> Axes:
    """Name the first free axis; others stay without a name."""
    place = axes.index(None)
    return (*axes[:place], name, *axes[place + 1 :]) if place == 1 else axes
