"""Names for dynamic axes of models that declare only that a size is dynamic, and not which sizes are equal.

Names of related inputs come first (`dummyio.sources.graph.shared_axes`). All other names follow from the place: the first
axis is the batch, images have a height and a width, and any other second axis is a sequence.
"""

import re
from collections.abc import Collection, Mapping

from dummyio.sources.axis_names import get_image_axes, to_identifier
from dummyio.sources.graph.shared_axes import share_axis_names
from dummyio.sources.input_names import is_past
from dummyio.spec.dtypes import DType
from dummyio.typing import Axes

_PART = re.compile(r"(^|[_.])(encoder|decoder)(?=[_.])")


def get_part_prefix(name: str) -> str:
    """Return the part of a model that stands anywhere in a name: ``encoder_``, ``decoder_``, or an empty text."""
    found = _PART.search(name.lower())
    return f"{found[2]}_" if found else ""


def name_axes(
    inputs: Mapping[str, tuple[Axes, DType]], separate: Collection[str] | None = None
) -> tuple[dict[str, Axes], list[str]]:
    """Name the dynamic axes.

    Parameters
    ----------
    inputs
        Name → axes, dynamic ones None, and dtype.
    separate
        The inputs whose sequences and images have sizes of their own, if their names do not relate them to others; all by default.

    Returns
    -------
    tuple[dict[str, Axes], list[str]]
        The named axes, and the inputs of which `separate` makes a difference.
    """
    first: dict[str, Axes] = {
        name: ("batch_size", *axes[1:]) if axes and axes[0] is None else axes for name, (axes, _) in inputs.items()
    }
    shared = share_axis_names(first)
    used = {axis for axes in shared.values() for axis in axes[1:] if isinstance(axis, str)}
    open_names = [name for name, axes in shared.items() if None in axes and not is_past(name)]
    images = {name: _name_image(shared[name]) for name in open_names if _is_image(*inputs[name])}
    alike = _list_alike(images)
    rest = [name for name, axes in shared.items() if None in axes and name not in images]
    several = len(rest) > 1 or (bool(rest) and any("sequence_length" in name for name in used))
    parts = [get_part_prefix(name) for name in rest]
    found: dict[str, Axes] = {}
    for name, axes in shared.items():
        is_own = separate is None or name in separate
        if None not in axes or is_past(name):
            found[name] = axes
        elif name in images:
            found[name] = _prefix_axes(name, axes, images[name]) if is_own and name in alike else images[name]
        else:
            usual = f"{get_part_prefix(name)}sequence_length"
            is_only = usual not in used and parts.count(get_part_prefix(name)) == 1
            own = usual if is_only or not is_own else f"{name}_sequence_length"
            found[name] = _name_sequence(axes, to_identifier(own))
    return found, [name for name in shared if name in alike or (several and name in rest)]


def _name_image(axes: Axes) -> Axes:
    usual = get_image_axes(len(axes), channels_last=axes[-1] is not None)
    return tuple(other if axis is None else axis for axis, other in zip(axes, usual, strict=True))


def _list_alike(images: Mapping[str, Axes]) -> list[str]:
    """Return the images that have a dynamic size in common with another one; the one with most of them keeps the usual names."""
    dynamic = {name: {axis for axis in axes[1:] if isinstance(axis, str)} for name, axes in images.items()}
    alike = [name for name in images if any(dynamic[name] & dynamic[other] for other in images if other != name)]
    most = max((len(dynamic[name]) for name in alike), default=0)
    largest = [name for name in alike if len(dynamic[name]) == most]
    return [name for name in alike if largest != [name]]


def _prefix_axes(name: str, axes: Axes, named: Axes) -> Axes:
    own = (
        other if axis is not None else to_identifier(f"{name}_{other}") for axis, other in zip(axes, named, strict=True)
    )
    return tuple(own)


def _is_image(axes: Axes, dtype: DType) -> bool:
    """Whether the axes are those of an image or a video: the channels are static, and first or last."""
    if len(axes) not in (4, 5) or not (dtype.kind == "float" or dtype is DType.UINT8):
        return False
    return axes[-1] is not None or axes[1] is not None


def _name_sequence(axes: Axes, name: str) -> Axes:
    """Name the second axis, if it is the first dynamic one; others stay without a name."""
    return (axes[0], name, *axes[2:]) if axes.index(None) == 1 else axes
