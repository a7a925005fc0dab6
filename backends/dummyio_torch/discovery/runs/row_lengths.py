"""Inputs that state how long the rows of another input are."""

from dummyio.sources.input_names import get_leaf_name, is_length
from dummyio_torch.discovery.layout import InputLayout, Leaf


def find_counted_axes(layout: InputLayout) -> dict[str, int]:
    """Return the inputs of lengths, each with the axis that it counts: of the input that its name tells, else of the first."""
    found: dict[str, int] = {}
    rows = [leaf for leaf in layout.leaves.values() if len(leaf.axes) >= 2]
    for path, leaf in layout.leaves.items():
        if is_length(path) and not leaf.dtype.is_floating_point and len(leaf.axes) == 1 and rows:
            stem = get_leaf_name(path).rpartition("_")[0]
            alike = [row for row in rows if stem and stem in row.path]
            found[path] = _find_length_axis(layout, (alike or rows)[0])
    return found


def _find_length_axis(layout: InputLayout, leaf: Leaf) -> int:
    """Return the axis behind the batch that no layer has asked a size for."""
    free = [axis for axis in leaf.axes[1:] if axis not in layout.fixed | layout.batches]
    return free[0] if free else leaf.axes[1]
